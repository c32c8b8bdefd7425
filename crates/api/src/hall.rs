//! Halls: what they are, who may enter, and the grant that opens one.

use hallway_evidence::GrantId;
use hallway_evidence::statement::hall::{
    AgentName, HallName, Names, Needs, Right, Rights, ServiceName, StoreName,
};
use hallway_evidence::statement::people::Role;
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A hall in a list.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HallRow {
    /// Its name.
    #[schemars(with = "String")]
    pub name: HallName,
    /// Its title for people.
    pub title: String,
    /// The caller's rights there.
    #[schemars(with = "Vec<String>")]
    pub rights: Vec<Right>,
    /// How many people are inside through this gateway.
    pub inside: usize,
}

/// One hall.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HallView {
    /// As in the list.
    #[serde(flatten)]
    pub row: HallRow,
    /// The services that the caller may use; operators and owners see all.
    pub services: Vec<OfferView>,
    /// The same for stores.
    pub stores: Vec<OfferView>,
    /// Who may enter: for operators and owners.
    pub guests: Vec<GuestView>,
    /// The machines that were invited: for operators and owners.
    pub agents: Vec<AgentView>,
    /// The caller's own admissions that demand something.
    pub demands: Vec<DemandView>,
}

/// An admission of the caller's that demands something.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DemandView {
    /// The rights that it is for.
    #[schemars(with = "Vec<String>")]
    pub rights: Rights,
    /// The demand, as a sentence.
    pub needs: String,
    /// The least role of the people who have to approve each opening, if anybody has to.
    #[schemars(with = "Option<String>")]
    pub approval: Option<Role>,
    /// What else is missing now, by whichever of the caller's keys lacks the least: a sentence each.
    pub missing: Vec<String>,
}

/// A store or service that a hall offers now.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct OfferView {
    /// Its name in rights.
    pub name: String,
    /// The agent that provides it; nothing for the gateway itself.
    #[schemars(with = "Option<String>")]
    pub agent: Option<AgentName>,
}

/// An admission.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct GuestView {
    /// `person/UUID`, `role/ROLE`, or the same below `visitor/REALM/`.
    pub guest: String,
    /// The guest's rights.
    #[schemars(with = "Vec<String>")]
    pub rights: Rights,
    /// What is demanded besides: `key`, `approval` and `hours`, as they are asked for.
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub needs: Needs,
    /// Since when, milliseconds since 1970.
    pub admitted_ms: u64,
    /// The evidence, hexadecimal.
    pub evidence: String,
}

/// An agent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AgentView {
    /// Its name.
    #[schemars(with = "String")]
    pub name: AgentName,
    /// The agent beside which it provides the same.
    #[schemars(with = "Option<String>")]
    pub beside: Option<AgentName>,
    /// The stores that it was invited to provide.
    #[schemars(with = "Vec<String>")]
    pub stores: Names<StoreName>,
    /// The services that it was invited to provide.
    #[schemars(with = "Vec<String>")]
    pub services: Names<ServiceName>,
    /// When it was invited, milliseconds since 1970.
    pub invited_ms: u64,
    /// When it joined, milliseconds since 1970.
    pub joined_ms: Option<u64>,
    /// Whether it is connected to this gateway now.
    pub presence: AgentPresence,
    /// The evidence, hexadecimal.
    pub evidence: String,
}

/// Whether an agent is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentPresence {
    /// It is connected to this gateway.
    Here,
    /// It is not.
    Absent,
}

/// What an opening waits for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Waits {
    /// The least role of the person who approves.
    #[schemars(with = "String")]
    pub role: Role,
    /// The names of some people who can approve.
    pub approvers: Vec<String>,
    /// Until when it can be approved, milliseconds since 1970.
    pub until_ms: u64,
}

/// A hall listener, and how to know it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Listener {
    /// The authorities to check the gateway by, DER, base64url.
    #[schemars(with = "Vec<String>")]
    pub bundle: Vec<Base64Url>,
    /// `HOST:PORT`.
    pub address: String,
    /// The SPIFFE ID that the gateway shows there.
    pub gateway: String,
}

/// A certificate, and what its holder needs to use it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Certified {
    /// The chain, leaf first, each DER as base64url.
    #[schemars(with = "Vec<String>")]
    pub certificates: Vec<Base64Url>,
    /// When the leaf ends, milliseconds since 1970.
    pub certificate_ends_ms: u64,
    /// Where it is used.
    #[serde(flatten)]
    pub listener: Listener,
}

/// A grant, as it is handed to the person who opened it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Opened {
    /// A UUID.
    #[schemars(with = "String")]
    pub id: GrantId,
    /// The hall.
    #[schemars(with = "String")]
    pub hall: HallName,
    /// What it allows.
    #[schemars(with = "Vec<String>")]
    pub rights: Rights,
    /// When it ends at the latest, milliseconds since 1970.
    pub ends_ms: u64,
    /// What it waits for before it opens anything, if it has to be approved.
    pub waits: Option<Waits>,
    /// What the data plane needs; nothing for a browser session.
    #[serde(flatten)]
    pub certified: Option<Certified>,
    /// Where the certificate is renewed, when the hall is a partner's: at home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<Listener>,
}

/// The evidence to show to the partner whose hall it is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct VisitView {
    /// Receipts in the order of the log, CBOR in base64url.
    #[schemars(with = "String")]
    pub bundle: Base64Url,
}

/// The answer to a visitor who showed their evidence to the partner.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Welcome {
    /// The grant's id in the partner's realm.
    pub id: GrantId,
    /// The approval that it waits for, if any.
    pub waits: Option<Waits>,
}

/// A machine that joins a hall as an agent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinAgent {
    /// The token, as it was handed over.
    #[schemars(with = "String")]
    pub token: Zeroizing<String>,
    /// The machine's P-256 key, SubjectPublicKeyInfo, base64url.
    #[schemars(with = "String")]
    pub public_key: Base64Url,
}

/// The agent that a machine became.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AgentJoined {
    /// The hall.
    #[schemars(with = "String")]
    pub hall: HallName,
    /// Its name there.
    #[schemars(with = "String")]
    pub agent: AgentName,
    /// Its certificate.
    #[serde(flatten)]
    pub certified: Certified,
}
