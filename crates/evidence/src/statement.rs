//! Statements: an act that is about to happen, in bytes for a key and in words for a person.
//!
//! A statement is a deterministic CBOR map:
//!
//! | member | type | meaning |
//! |---|---|---|
//! | `hallway` | uint | the version of this format, 1 |
//! | `act` | text | the statement's name, its door first, such as `device.claim` |
//! | `realm` | text | the relying party id of the gateway that it is for |
//! | `issued` | uint | milliseconds since 1970, by the clock of the program that made it |
//! | `nonce` | 16 bytes | random: no two statements are the same |
//! | `terms` | map | what the act says, as its door defines |
//!
//! **To add a statement**, declare it in the file of its door (see [`declare`]) and add its line to
//! the list below. `docs/statements.md` is made from the declarations.

use serde::{Serialize, Serializer};

use crate::count::Count;
use crate::fields::{DecodeError, Fields};
use crate::hash::{Hash, sha256};
use crate::line::Line;
use crate::timestamp::Timestamp;

pub mod declare;
pub mod device;
pub mod hall;
pub mod maker;
pub mod partner;
pub mod people;
pub mod realm;
pub mod web;
pub mod witness;

pub use declare::{Declaration, DeclaredMember, Shape, Signer, Terms};

/// Declares [`Act`] with a variant for each statement, and the conversions from and to it.
macro_rules! acts {
    ($($variant:ident($($path:ident)::+),)+) => {
        /// A statement's name and terms. The variants are named like the statements.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        #[allow(missing_docs, reason = "each statement is documented where it is declared")]
        pub enum Act {
            $($variant($($path)::+),)+
        }

        impl Act {
            /// Every statement that there is, as it was declared.
            pub const DECLARED: &'static [Declaration] = &[$($($path)::+::DECLARED,)+];

            /// How it was declared.
            #[must_use]
            pub const fn declared(&self) -> &'static Declaration {
                match self {
                    $(Self::$variant(_) => &$($path)::+::DECLARED,)+
                }
            }

            fn fields(&self) -> Fields<'_> {
                match self {
                    $(Self::$variant(terms) => declare::Record::fields(terms),)+
                }
            }

            fn read(name: &str, terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
                $(if name == $($path)::+::DECLARED.name {
                    return declare::Record::read(terms).map(Self::$variant);
                })+
                Err(DecodeError::UnknownAct(Line::nearest(name).as_str().to_owned()))
            }

            fn sentence(&self) -> String {
                match self {
                    $(Self::$variant(terms) => declare::Sentence::sentence(terms),)+
                }
            }

            #[cfg(test)]
            fn samples() -> Vec<Self> {
                let mut all = Vec::new();
                $(all.extend(
                    <$($path)::+ as declare::Record>::samples().into_iter().map(Self::$variant)
                );)+
                all
            }
        }

        $(
            impl From<$($path)::+> for Act {
                fn from(terms: $($path)::+) -> Self {
                    Self::$variant(terms)
                }
            }

            impl Terms for $($path)::+ {
                const DECLARED: Declaration = Self::DECLARED;

                fn of(act: &Act) -> Option<&Self> {
                    match act {
                        Act::$variant(terms) => Some(terms),
                        _ => None,
                    }
                }
            }
        )+
    };
}

acts! {
    WebRegisterKey(web::RegisterKey),
    WebSignIn(web::SignIn),
    WebRemoveKey(web::RemoveKey),
    WebAddKey(web::AddKey),
    WebSignInLink(web::SignInLink),
    WebWithdrawLink(web::WithdrawLink),
    PeopleInvite(people::Invite),
    PeopleRecover(people::Recover),
    PeopleChangeRole(people::ChangeRole),
    PeopleSuspend(people::Suspend),
    PeopleReinstate(people::Reinstate),
    PeopleSignOut(people::SignOut),
    DeviceEnrol(device::Enrol),
    DeviceClaim(device::Claim),
    DeviceSuspend(device::Suspend),
    DeviceReinstate(device::Reinstate),
    DeviceReportStolen(device::ReportStolen),
    DeviceRelease(device::Release),
    DeviceRetire(device::Retire),
    DeviceTransfer(device::Transfer),
    DeviceTransaction(device::Transaction),
    DeviceStatus(device::Status),
    MakerAdd(maker::Add),
    MakerRemove(maker::Remove),
    HallCreate(hall::Create),
    HallRemove(hall::Remove),
    HallAdmit(hall::Admit),
    HallDismiss(hall::Dismiss),
    HallInviteAgent(hall::InviteAgent),
    HallDismissAgent(hall::DismissAgent),
    HallOpen(hall::Open),
    HallApprove(hall::Approve),
    HallEnd(hall::End),
    PartnerInvite(partner::Invite),
    PartnerAccept(partner::Accept),
    PartnerLeave(partner::Leave),
    RealmReplaceAuthority(realm::ReplaceAuthority),
    RealmWithdrawAuthority(realm::WithdrawAuthority),
    WitnessBeginLogAnew(witness::BeginLogAnew),
}

impl Act {
    /// The name, such as `device.claim`, as it stands in the statement.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.declared().name
    }

    /// The door: the part of the name before the dot.
    #[must_use]
    pub fn door(&self) -> &'static str {
        self.declared().door()
    }
}

/// The longest statement, in bytes.
pub const MAX_STATEMENT_BYTES: usize = 16 * 1024;

const VERSION: u64 = 1;

/// An act that is about to happen, its realm, and the time of the statement. JSON has the members
/// of the encoding, without the version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// The relying party id of the gateway that the statement is for.
    pub realm: Line,
    /// When the statement was made, by the clock of the program that made it.
    pub issued: Timestamp,
    /// 16 random bytes.
    #[serde(serialize_with = "hexadecimal")]
    pub nonce: [u8; 16],
    /// The act.
    #[serde(flatten, serialize_with = "name_and_terms")]
    pub act: Act,
}

fn hexadecimal<S: Serializer>(bytes: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

fn name_and_terms<S: Serializer>(act: &Act, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap as _;
    let mut map = serializer.serialize_map(Some(2))?;
    map.serialize_entry("act", act.name())?;
    map.serialize_entry("terms", act)?;
    map.end()
}

impl Statement {
    /// The deterministic encoding; never longer than [`MAX_STATEMENT_BYTES`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Fields::default()
            .with("hallway", &VERSION)
            .with("act", self.act.name())
            .with("realm", &self.realm)
            .with("issued", &self.issued)
            .with("nonce", &self.nonce)
            .with("terms", self.act.fields())
            .encode()
    }

    /// Reads exactly one statement. Only the bytes that [`Statement::encode`] gives are accepted.
    ///
    /// # Errors
    /// [`DecodeError`] names the member that is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::decode(bytes, MAX_STATEMENT_BYTES)?;
        let version = fields.take::<Count>("hallway")?.get();
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let act: &str = fields.take("act")?;
        let mut terms: Fields<'_> = fields.take("terms")?;
        let statement = Self {
            realm: fields.take("realm")?,
            issued: fields.take("issued")?,
            nonce: fields.take("nonce")?,
            act: Act::read(act, &mut terms)?,
        };
        terms.finish()?;
        fields.finish()?;
        if statement.encode() == bytes {
            Ok(statement)
        } else {
            Err(DecodeError::NotDeterministic)
        }
    }

    /// SHA-256 of the encoding: the WebAuthn challenge under which a key signs it.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&self.encode())
    }

    /// The statement in plain English, for a person to read before touching a key.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!(
            "At {}, on {}: {}.",
            self.realm,
            self.issued,
            self.act.sentence()
        )
    }
}

#[cfg(test)]
mod tests;
