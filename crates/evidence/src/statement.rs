//! Statements: what is about to happen, exactly, in bytes for a key and in words for a person.
//!
//! A statement is a deterministic CBOR map:
//!
//! | member | type | meaning |
//! |---|---|---|
//! | `hallway` | uint | the version of this format, 1 |
//! | `act` | text | `door.kind`, such as `device.claim` |
//! | `realm` | text | the relying party id of the gateway that it is for |
//! | `issued` | uint | milliseconds since 1970, by the clock of whoever made it |
//! | `nonce` | 16 bytes | random: no two statements are the same |
//! | `terms` | map | what the act says, as its door defines |
//!
//! **To add a door**, write `statement/<door>.rs` with an enum that implements `Door`, and add
//! its line to the `doors!` list below. Nothing else here changes.

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;

use crate::count::Count;
use crate::fields::{DecodeError, Fields};
use crate::line::Line;
use crate::timestamp::Timestamp;

mod json;

/// Declares the doors: a module for each, [`Act`], and the way from one to the other.
macro_rules! doors {
    ($($(#[$doc:meta])* $module:ident: $door:ident = $name:literal,)+) => {
        $($(#[$doc])* pub mod $module;)+

        $(pub use $module::$door;)+

        /// What a statement is about: one variant for each door.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Act {
            $($(#[$doc])* $door($door),)+
        }

        impl Act {
            /// `door.kind`, as it stands in the statement.
            #[must_use]
            pub fn name(&self) -> String {
                match self {
                    $(Self::$door(act) => format!(concat!($name, ".{}"), act.kind()),)+
                }
            }

            fn terms(&self) -> Fields<'_> {
                match self {
                    $(Self::$door(act) => act.terms(),)+
                }
            }

            fn read(name: &str, terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
                let read = match name.split_once('.') {
                    $(Some(($name, kind)) => $door::read(kind, terms)?.map(Self::$door),)+
                    _ => None,
                };
                read.ok_or_else(|| {
                    DecodeError::UnknownAct(Line::nearest(name).as_str().to_owned())
                })
            }

            fn sentence(&self) -> String {
                match self {
                    $(Self::$door(act) => act.sentence(),)+
                }
            }
        }

        $(impl From<$door> for Act {
            fn from(act: $door) -> Self {
                Self::$door(act)
            }
        })+
    };
}

doors! {
    /// Keys and sign-in.
    web: Web = "web",
    /// Who belongs to the realm, with which role.
    people: People = "people",
    /// Machines that sign with nobody present.
    device: Device = "device",
    /// The attestation authorities whose devices may enrol.
    authority: Authority = "authority",
    /// Channels to files and services.
    hall: Hall = "hall",
}

/// The longest statement, in bytes.
pub const MAX_STATEMENT: usize = 16 * 1024;

const VERSION: u64 = 1;

/// SHA-256, 32 bytes.
pub type Hash = [u8; 32];

/// SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// What is about to happen, in which realm, said when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// The relying party id of the gateway that the statement is for.
    pub realm: Line,
    /// When it was made, by the clock of whoever made it.
    pub issued: Timestamp,
    /// 16 random bytes.
    #[serde(serialize_with = "json::hexadecimal")]
    pub nonce: [u8; 16],
    /// What happens.
    pub act: Act,
}

impl Statement {
    /// The deterministic encoding; never longer than [`MAX_STATEMENT`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let act = self.act.name();
        Fields::default()
            .with("hallway", &VERSION)
            .with("act", act.as_str())
            .with("realm", &self.realm)
            .with("issued", &self.issued)
            .with("nonce", &self.nonce)
            .with("terms", self.act.terms())
            .encode()
    }

    /// Reads exactly one statement. Only the bytes that [`Statement::encode`] gives are accepted.
    ///
    /// # Errors
    /// [`DecodeError`] names the member that is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::decode(bytes, MAX_STATEMENT)?;
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

/// What a door contributes: the acts that can be stated at it.
pub(crate) trait Door: Sized {
    /// Which of the door's acts this is; the part of `act` behind the dot.
    fn kind(&self) -> &'static str;

    /// The members of `terms`.
    fn terms(&self) -> Fields<'_>;

    /// Reads the terms of the act `kind`; `None` when the door has no such act. Whoever calls it
    /// checks that no member is left.
    fn read(kind: &str, terms: &mut Fields<'_>) -> Result<Option<Self>, DecodeError>;

    /// The act as an imperative clause without a full stop.
    fn sentence(&self) -> String;
}

#[cfg(test)]
mod tests;
