//! What a command asks a gateway to let its key sign: sent as JSON, and compared with the statement
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

/// A request for an act. Each act that a command has signed has one, and there is no other way to
/// ask for it: [`Wanted`](super::agreement::Wanted) says what the statement of each must be.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "act")]
pub(crate) enum ActRequest {
    /// Make a hall.
    #[serde(rename = "hall.create")]
    CreateHall { hall: HallName, title: Line },
    /// Remove a hall.
    #[serde(rename = "hall.remove")]
    RemoveHall { hall: HallName },
    /// Let somebody enter.
    #[serde(rename = "hall.admit")]
    AdmitToHall {
        hall: HallName,
        guest: GuestRequest,
        rights: Rights,
        /// What is demanded besides the admission.
        needs: Needs,
    },
    /// Let somebody no longer enter.
    #[serde(rename = "hall.dismiss")]
    DismissFromHall { hall: HallName, guest: GuestRequest },
    /// Invite an agent by a one-time link.
    #[serde(rename = "hall.invite_agent")]
    InviteAgent {
        hall: HallName,
        agent: AgentName,
        /// Another agent that provides the same.
        #[serde(skip_serializing_if = "Option::is_none")]
        beside: Option<AgentName>,
        /// The stores that it may provide.
        stores: Names<StoreName>,
        /// The services that it may provide.
        services: Names<ServiceName>,
    },
    /// Dismiss an agent.
    #[serde(rename = "hall.dismiss_agent")]
    DismissAgent { hall: HallName, agent: AgentName },
    /// Enter a hall.
    #[serde(rename = "hall.open")]
    OpenHall {
        /// The realm of the hall; `None` is one's own.
        #[serde(skip_serializing_if = "Option::is_none")]
        host: Option<RealmName>,
        hall: HallName,
        /// `None` asks for all rights that the person has.
        #[serde(skip_serializing_if = "Option::is_none")]
        rights: Option<Rights>,
        /// `None` asks for as long as the gateway allows.
        #[serde(skip_serializing_if = "Option::is_none")]
        duration_ms: Option<u64>,
        /// The key whose holder is let in.
        #[serde(serialize_with = "der")]
        public_key: P256PublicKey,
    },
    /// Approve what somebody else opens. The sentence says what that is.
    #[serde(rename = "hall.approve")]
    ApproveGrant { grant: GrantId },
    /// End somebody's grant. The sentence says whose.
    #[serde(rename = "hall.end")]
    EndGrant { grant: GrantId },
    /// Invite another realm. The sentence says its keys.
    #[serde(rename = "partner.invite")]
    InvitePartner {
        /// The address of its gateway.
        address: Origin,
    },
    /// Accept another realm's invitation. The sentence says its keys.
    #[serde(rename = "partner.accept")]
    AcceptPartner {
        /// The link that its owner gave.
        link: Invitation,
    },
    /// End a partnership.
    #[serde(rename = "partner.leave")]
    LeavePartner { realm: RealmName },
    /// Have the realm's next authority sign. The sentence says which that is.
    #[serde(rename = "realm.replace_authority")]
    ReplaceAuthority,
    /// The same, and withdraw what was signed until now.
    #[serde(rename = "realm.withdraw_authority")]
    WithdrawAuthority,
    /// Witness a log from its beginning again. The sentence says its new key.
    #[serde(rename = "witness.begin_log_anew")]
    BeginLogAnew {
        /// The origin line of the log's checkpoints.
        origin: Line,
    },
    /// Accept the devices of a maker.
    #[serde(rename = "maker.add")]
    AddMaker {
        /// What the realm calls it.
        name: Line,
        certificate: MakersCertificate,
    },
    /// Allow oneself to register another key, by a one-time link.
    #[serde(rename = "web.add_key")]
    AddKey,
    /// Allow oneself to sign in elsewhere, by a one-time link.
    #[serde(rename = "web.sign_in_link")]
    SignInLink,
    /// Withdraw a one-time link. The sentence says what it opened and for whom.
    #[serde(rename = "web.withdraw_link")]
    WithdrawLink { link: LinkId },
    /// Claim a device.
    #[serde(rename = "device.claim")]
    ClaimDevice {
        /// The code that it shows.
        code: String,
        /// The serial number that is on it.
        #[serde(skip)]
        serial: Line,
        /// The maker's name.
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
    Visitor { realm: RealmName, whom: WhomRequest },
}

/// Who of a partner may enter.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WhomRequest {
    /// A person of the partner.
    Person {
        /// By the id that the partner gave.
        id: PersonId,
        /// What the signer calls them; `None`: by their id.
        name: Option<Line>,
    },
    /// Everybody of a role there.
    Role(Role),
}

/// Another realm's invitation to be a partner.
#[derive(Clone, Debug)]
pub(crate) struct Invitation {
    /// The address of the realm's gateway.
    pub(super) origin: Origin,
    /// The secret.
    pub(super) secret: Zeroizing<Vec<u8>>,
    /// The secret's SHA-256.
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
    /// As it is sent with the request.
    pem: String,
    /// DER, as it is installed.
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
    /// It is not an invitation, or has an address at which no partner can be.
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
    /// It is not PEM of a certificate.
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
