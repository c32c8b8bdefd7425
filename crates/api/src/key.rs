//! Registering a key by a one-time link.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::act::Answer;
use crate::session::Person;

/// A request for the statement by which a new key is registered.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct NewKey {
    /// The secret of the link that allows it.
    #[schemars(with = "String")]
    pub token: Zeroizing<String>,
    /// The person's name: only with a set-up link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the person calls the key.
    pub label: String,
}

/// The answer that registers a key.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Registration {
    /// The signed statement.
    #[serde(flatten)]
    pub answer: Answer,
    /// The secret of the link that the statement was asked for with.
    #[schemars(with = "String")]
    pub token: Zeroizing<String>,
}

/// A registered key and its holder.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// The key.
    pub key: Key,
    /// The person who holds it.
    pub person: Person,
}

/// A person's key.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// The credential id, base64url.
    pub id: String,
    /// What its holder calls it.
    pub label: String,
    /// The model's AAGUID, a UUID.
    pub aaguid: String,
    /// Whether it may be copied to other devices.
    pub backup_eligible: bool,
    /// Whether it is copied to other devices.
    pub backed_up: bool,
    /// When it was registered, milliseconds since 1970.
    pub created_ms: u64,
    /// When it was used last, milliseconds since 1970.
    pub last_used_ms: Option<u64>,
    /// The evidence of its registration, hexadecimal.
    pub registration: String,
    /// Its model, where the metadata know it.
    pub model: Option<KeyModel>,
    /// Who vouched for it when it was registered: the name of a root.
    pub attested_by: Option<String>,
    /// Why it opens nothing now, where its model is not accepted.
    pub refused: Option<String>,
}

/// A model of keys.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct KeyModel {
    /// An AAGUID, or the key identifier of a U2F model's attestation certificate, hexadecimal.
    pub id: String,
    /// The model's name.
    pub name: String,
    /// none, self-asserted, L1, L1+, L2, L2+, L3 or L3+: in force now.
    pub certification: String,
    /// Where keys live, as the metadata say it: hardware, software, tee, secure_element,
    /// remote_handle.
    pub key_protection: Vec<String>,
    /// The path of a picture of it, where there is one.
    pub icon: Option<String>,
    /// The status that speaks against it, such as REVOKED.
    pub status: Option<String>,
    /// Since when, milliseconds since 1970.
    pub status_since_ms: Option<u64>,
}
