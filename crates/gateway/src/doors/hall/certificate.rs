//! Certificates for guests and agents: X.509-SVIDs by the realm's authority.

use std::time::Duration;

use hallway_evidence::statement::hall::{AgentName, HallName, P256PublicKey};
use hallway_hall::{Leaf, Party, Provenance, SpiffeId, Usage};
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::Serialize;

use crate::Gateway;
use crate::http::problem::Problem;
use crate::store::Grant;

/// How long an agent's certificate lasts: a day. It renews it without anybody.
const AGENT: Duration = Duration::from_secs(24 * 3600);

/// A certificate, and what its holder needs to use it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Certified {
    /// DER, base64url, the leaf first.
    #[schemars(with = "Vec<String>")]
    pub certificates: Vec<Base64Url>,
    /// When the leaf ends, milliseconds since 1970.
    pub certificate_ends_ms: u64,
    /// Where it is used.
    #[serde(flatten)]
    pub listener: Listener,
}

/// A hall listener, and how to know it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Listener {
    /// The authorities to check the gateway by, DER, base64url.
    #[schemars(with = "Vec<String>")]
    pub bundle: Vec<Base64Url>,
    /// `HOST:PORT`.
    pub address: String,
    /// The SPIFFE ID that the gateway shows there.
    pub gateway: String,
}

/// The hall listener's address.
///
/// # Errors
/// 409: there is none.
pub fn address(gateway: &Gateway) -> Result<String, Problem> {
    gateway.halls.address.clone().ok_or_else(|| {
        Problem::conflict(
            "no-hall-listener",
            "this gateway has no hall listener; its operator sets [hall] listen in hallway.toml",
        )
    })
}

/// A certificate for `public_key`, within the grant.
pub fn guest(
    gateway: &Gateway,
    grant: &Grant,
    public_key: &P256PublicKey,
) -> Result<Certified, Problem> {
    let ends = gateway
        .now()
        .plus(gateway.halls.certificate)
        .min(grant.ends);
    let provenance = Provenance {
        credential: Base64Url::from(grant.credential.as_bytes()).to_string(),
        evidence: grant.evidence.to_string(),
    };
    let party = Party::Person(grant.person.to_string());
    issue(gateway, party, public_key, ends.as_ms(), Some(provenance))
}

/// A certificate for an agent's key.
pub fn agent(
    gateway: &Gateway,
    hall: &HallName,
    name: &AgentName,
    public_key: &P256PublicKey,
) -> Result<Certified, Problem> {
    let party = Party::Agent {
        hall: hall.clone(),
        agent: name.clone(),
    };
    let ends = gateway.now().plus(AGENT);
    issue(gateway, party, public_key, ends.as_ms(), None)
}

fn issue(
    gateway: &Gateway,
    party: Party,
    public_key: &P256PublicKey,
    ends_ms: u64,
    provenance: Option<Provenance>,
) -> Result<Certified, Problem> {
    let address = address(gateway)?;
    let authority = &gateway.halls.authority;
    let leaf = authority
        .issue(&Leaf {
            party,
            public_key,
            not_before_ms: gateway.now().as_ms(),
            not_after_ms: ends_ms,
            usage: Usage::Client,
            provenance,
        })
        .map_err(|error| Problem::internal(&error))?;
    let id = SpiffeId::new(authority.trust_domain().clone(), &Party::Gateway)
        .map_err(|error| Problem::internal(&error))?;
    Ok(Certified {
        certificates: vec![Base64Url::from(leaf.as_ref())],
        certificate_ends_ms: ends_ms / 1000 * 1000,
        listener: Listener {
            bundle: vec![Base64Url::from(authority.certificate().as_ref())],
            address,
            gateway: id.to_string(),
        },
    })
}
