//! Certificates for guests and agents: X.509-SVIDs by the realm's authority.

use hallway_api::hall::{Certified, Listener};
use hallway_evidence::statement::hall::{AgentName, HallName, P256PublicKey};
use hallway_hall::{Bundle, Leaf, Party, Provenance, SpiffeId, Usage};
use hallway_spine::Gateway;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::realm_authority::rotation::LONGEST_CERTIFICATE;
use hallway_webauthn::wire::Base64Url;

use crate::HallsOf;
use crate::store::Grant;

/// The hall listener's address.
///
/// # Errors
/// 409: there is none.
pub fn address(gateway: &Gateway) -> Result<String, Problem> {
    gateway.halls().address.clone().ok_or_else(|| {
        Problem::new(
            Code::NoHallListener,
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
        .plus(gateway.halls().certificate)
        .min(grant.ends);
    let provenance = Provenance {
        credential: Base64Url::from(grant.credential.as_bytes()).to_string(),
        evidence: grant.evidence.to_string(),
    };
    let party = Party::Person(grant.person.to_string());
    issue(gateway, party, public_key, ends.as_ms(), Some(provenance))
}

/// A certificate for an agent's key. It lasts as long as a certificate may, and renewing it needs
/// nobody.
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
    let ends = gateway.now().plus(LONGEST_CERTIFICATE);
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
    let own = gateway.halls().authorities.in_use();
    let leaf = own
        .signing
        .issue(&Leaf {
            party,
            public_key,
            not_before_ms: gateway.now().as_ms(),
            not_after_ms: ends_ms,
            usage: Usage::Client,
            provenance,
        })
        .map_err(|error| Problem::internal(&error))?;
    let id = SpiffeId::new(own.bundle.trust_domain().clone(), &Party::Gateway)
        .map_err(|error| Problem::internal(&error))?;
    Ok(Certified {
        certificates: vec![Base64Url::from(leaf.as_ref())],
        certificate_ends_ms: ends_ms / 1000 * 1000,
        listener: Listener {
            bundle: in_base64(&own.bundle),
            address,
            gateway: id.to_string(),
        },
    })
}

/// A bundle's authorities, as they stand in JSON.
pub fn in_base64(bundle: &Bundle) -> Vec<Base64Url> {
    let authorities = bundle.authorities().iter();
    authorities
        .map(|der| Base64Url::from(der.as_ref()))
        .collect()
}
