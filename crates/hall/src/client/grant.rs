//! The gateway's answers about a grant, as JSON.

use hallway_evidence::statement::hall::{HallName, Rights};
use hallway_webauthn::wire::Base64Url;
use serde::{Deserialize, Serialize};

/// A person, as grants name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The id that the realm gave.
    pub id: String,
    /// The name for people.
    pub name: String,
}

/// `GET /grant`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The hall that it opens.
    pub hall: HallName,
    /// The person who holds it.
    pub person: Person,
    /// What its holder may do in the hall.
    pub rights: Rights,
    /// When it ends, unix milliseconds.
    pub ends_ms: u64,
    /// Until when the present certificate is valid, unix milliseconds.
    pub certificate_ends_ms: u64,
}

/// `POST /grant/renew`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// The chain, leaf first, each DER as base64url.
    pub certificates: Vec<Base64Url>,
    /// The realm's authorities as they are now, each DER as base64url: they change, and holders of
    /// certificates have to know the next one before it signs. Empty from a gateway that does not
    /// say.
    #[serde(default)]
    pub bundle: Vec<Base64Url>,
    /// The same of the realm where the hall is, if that is another one.
    #[serde(default)]
    pub host_bundle: Vec<Base64Url>,
    /// Until when the leaf is valid, unix milliseconds.
    pub certificate_ends_ms: u64,
}
