//! What the gateway says of a grant, as JSON.

use hallway_evidence::statement::hall::{HallName, Rights};
use serde::{Deserialize, Serialize};

/// A person, as grants name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The realm's id.
    pub id: String,
    /// The name.
    pub name: String,
}

/// `GET /grant`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Which hall it opens.
    pub hall: HallName,
    /// For whom.
    pub person: Person,
    /// What may be done.
    pub rights: Rights,
    /// Until when, unix milliseconds.
    pub ends_ms: u64,
    /// Until when the present certificate is valid, unix milliseconds.
    pub certificate_ends_ms: u64,
}

/// `POST /grant/renew`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// The chain, leaf first, each DER as base64url.
    pub certificates: Vec<String>,
    /// The realm's authorities as they are now, each DER as base64url: they change, and whoever
    /// holds a certificate knows the next one before it signs. None, from a gateway that does not
    /// say.
    #[serde(default)]
    pub bundle: Vec<String>,
    /// The same of the realm where the hall is, when that is another one.
    #[serde(default)]
    pub host_bundle: Vec<String>,
    /// Until when the leaf is valid, unix milliseconds.
    pub certificate_ends_ms: u64,
}
