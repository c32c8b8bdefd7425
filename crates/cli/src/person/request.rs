//! What a command asks a gateway to let its key sign: sent as JSON, and held against the statement
//! that comes back ([`agreement`](super::agreement)).

use std::fmt;

use hallway_evidence::statement::hall::{
    Names, Needs, P256PublicKey, Rights, ServiceName, StoreName,
};
use hallway_evidence::statement::people::Role;
use hallway_evidence::{GrantId, Hash, Line, Origin, PersonId, RealmName};
use hallway_hall::{AgentName, HallName};
use hallway_webauthn::wire::Base64Url;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::PersonError;
use super::one_time_link::{LinkKind, OneTimeLink};

/// An act, as it is asked for. There is one for each act that a command has signed, and no other way
/// to ask: [`Wanted`](super::agreement::Wanted) says of each what its statement must be.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "act")]
pub(crate) enum ActRequest {
    /// Make a hall.
    #[serde(rename = "hall.create")]
    CreateHall {
        /// Its name.
        hall: HallName,
        /// What people call it.
        title: Line,
    },
    /// Remove a hall.
    #[serde(rename = "hall.remove")]
    RemoveHall {
        /// Which.
        hall: HallName,
    },
    /// Let somebody enter.
    #[serde(rename = "hall.admit")]
    AdmitToHall {
        /// Which hall.
        hall: HallName,
        /// Whom.
        guest: GuestRequest,
        /// To do what.
        rights: Rights,
        /// What is demanded besides.
        needs: Needs,
    },
    /// Let somebody no longer enter.
    #[serde(rename = "hall.dismiss")]
    DismissFromHall {
        /// Which hall.
        hall: HallName,
        /// Whom.
        guest: GuestRequest,
    },
    /// Invite a machine by a one-time link.
    #[serde(rename = "hall.invite_agent")]
    InviteAgent {
        /// To which hall.
        hall: HallName,
        /// What it is called there.
        agent: AgentName,
        /// Another agent that provides the same.
        #[serde(skip_serializing_if = "Option::is_none")]
        beside: Option<AgentName>,
        /// The stores that it may provide.
        stores: Names<StoreName>,
        /// The services that it may provide.
        services: Names<ServiceName>,
    },
    /// Put a machine out.
    #[serde(rename = "hall.dismiss_agent")]
    DismissAgent {
        /// Of which hall.
        hall: HallName,
        /// Which.
        agent: AgentName,
    },
    /// Enter a hall.
    #[serde(rename = "hall.open")]
    OpenHall {
        /// The realm where the hall is; one's own without it.
        #[serde(skip_serializing_if = "Option::is_none")]
        host: Option<RealmName>,
        /// Which.
        hall: HallName,
        /// To do what; everything that one is admitted to without it.
        #[serde(skip_serializing_if = "Option::is_none")]
        rights: Option<Rights>,
        /// For how long; as long as the gateway allows without it.
        #[serde(skip_serializing_if = "Option::is_none")]
        duration_ms: Option<u64>,
        /// The key whose holder is let in.
        #[serde(serialize_with = "der")]
        public_key: P256PublicKey,
    },
    /// Approve what somebody else opens. What that is, the sentence says.
    #[serde(rename = "hall.approve")]
    ApproveGrant {
        /// Which.
        grant: GrantId,
    },
    /// End somebody's grant. Whose that is, the sentence says.
    #[serde(rename = "hall.end")]
    EndGrant {
        /// Which.
        grant: GrantId,
    },
    /// Invite another realm. Its keys, the sentence says.
    #[serde(rename = "partner.invite")]
    InvitePartner {
        /// Where its gateway is reached.
        address: Origin,
    },
    /// Accept another realm's invitation. Its keys, the sentence says.
    #[serde(rename = "partner.accept")]
    AcceptPartner {
        /// The link that its owner gave.
        link: Invitation,
    },
    /// Be a partner no longer.
    #[serde(rename = "partner.leave")]
    LeavePartner {
        /// Of which realm.
        realm: RealmName,
    },
    /// Have the realm's next authority sign. Which that is, the sentence says.
    #[serde(rename = "realm.replace_authority")]
    ReplaceAuthority,
    /// The same, and withdraw what was signed until now.
    #[serde(rename = "realm.withdraw_authority")]
    WithdrawAuthority,
    /// Be witness of a log from its beginning anew. Its new key, the sentence says.
    #[serde(rename = "witness.begin_log_anew")]
    BeginLogAnew {
        /// Which log.
        origin: Line,
    },
    /// Accept the devices of a maker.
    #[serde(rename = "maker.add")]
    AddAuthority {
        /// What the realm calls it.
        name: Line,
        /// Its certificate.
        certificate: MakersCertificate,
    },
    /// Let oneself register a further key, by a one-time link.
    #[serde(rename = "web.add_key")]
    AddKey,
    /// Let oneself sign in elsewhere, by a one-time link.
    #[serde(rename = "web.sign_in_link")]
    SignInLink,
    /// Let a one-time link open nothing any more. What it opened and for whom, the sentence says.
    #[serde(rename = "web.withdraw_link")]
    WithdrawLink {
        /// Which, by the SHA-256 of its secret.
        link: LinkId,
    },
    /// Take a device.
    #[serde(rename = "device.claim")]
    ClaimDevice {
        /// The code that it shows.
        code: String,
        /// The serial number that is on it.
        #[serde(skip)]
        serial: Line,
        /// The name of who made it.
        #[serde(skip)]
        maker: Line,
    },
}

/// Who may enter.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GuestRequest {
    /// A person of the realm.
    Person(PersonId),
    /// Everybody of a role.
    Role(Role),
    /// Somebody of a partner.
    Visitor {
        /// Of which realm.
        realm: RealmName,
        /// Who there.
        whom: WhomRequest,
    },
}

/// Who of a partner may enter.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WhomRequest {
    /// A person of the partner.
    Person {
        /// By the id that the partner gave.
        id: PersonId,
        /// What the signer calls them; the id without it.
        name: Option<Line>,
    },
    /// Everybody of a role there.
    Role(Role),
}

/// Another realm's invitation to be a partner.
#[derive(Clone, Debug)]
pub(crate) struct Invitation {
    /// The realm's gateway.
    pub(super) origin: Origin,
    /// The secret.
    pub(super) secret: Zeroizing<Vec<u8>>,
    /// Its SHA-256.
    pub(super) token: Hash,
    link: Zeroizing<String>,
}

/// A one-time link, by the SHA-256 of its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkId(pub(crate) Hash);

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Serialize for LinkId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A maker's attestation certificate.
#[derive(Clone, Debug)]
pub(crate) struct MakersCertificate {
    /// As it is asked with.
    pem: String,
    /// What is installed.
    pub(super) der: Vec<u8>,
}

/// A key to register.
pub(crate) struct KeyToRegister {
    /// The link that allows it.
    pub(crate) link: OneTimeLink,
    /// The person's name, where the link does not say it.
    pub(crate) name: Option<Line>,
    /// What to call the key.
    pub(crate) label: Line,
}

impl Invitation {
    /// Reads a link.
    ///
    /// # Errors
    /// It is none, or of an address at which no partner can be.
    pub(crate) fn read(link: &str) -> Result<Self, PersonError> {
        let read = OneTimeLink::read(LinkKind::Partner, link)?;
        let origin = read.gateway.origin().parse::<Origin>();
        Ok(Self {
            origin: origin
                .map_err(|error| PersonError::PartnerAddress(read.gateway.clone(), error))?,
            secret: Zeroizing::new(read.secret().to_vec()),
            token: read.hash(),
            link: Zeroizing::new(link.trim().to_owned()),
        })
    }
}

impl Serialize for Invitation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.link)
    }
}

impl MakersCertificate {
    /// Reads PEM.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn read(pem: &str) -> Result<Self, rustls_pki_types::pem::Error> {
        use rustls_pki_types::pem::PemObject as _;
        let der = rustls_pki_types::CertificateDer::from_pem_slice(pem.as_bytes())?;
        Ok(Self {
            pem: pem.to_owned(),
            der: der.to_vec(),
        })
    }
}

impl Serialize for MakersCertificate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.pem)
    }
}

fn der<S: Serializer>(key: &P256PublicKey, serializer: S) -> Result<S::Ok, S::Error> {
    Base64Url::from(&key.as_der()[..]).serialize(serializer)
}
