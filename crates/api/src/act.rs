//! The two steps of every act: a statement to sign, then its answer. Signing in and registering a key
//! have the same two steps.

use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A statement to sign, and the WebAuthn options with which to ask a key for the signature.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Ceremony {
    /// The statement, deterministic CBOR. Its SHA-256 is the challenge.
    #[schemars(with = "String")]
    pub statement: Base64Url,
    /// The statement as a sentence, for programs that cannot read the statement: show it before the
    /// key is touched.
    pub sentence: String,
    /// Proves that the gateway made the statement; send it back with the answer.
    #[schemars(with = "String")]
    pub seal: Base64Url,
    /// The last moment at which the answer is accepted, milliseconds since 1970.
    pub expires_ms: u64,
    /// `PublicKeyCredentialCreationOptionsJSON` or `PublicKeyCredentialRequestOptionsJSON`.
    pub public_key: Value,
    /// The bytes of which the statement has only the hash; send them back with the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub attachment: Option<Base64Url>,
}

/// The answer to a [`Ceremony`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The statement, as [`Ceremony`] had it.
    #[schemars(with = "String")]
    pub statement: Base64Url,
    /// The seal, as [`Ceremony`] had it.
    #[schemars(with = "String")]
    pub seal: Base64Url,
    /// `RegistrationResponseJSON` or `AuthenticationResponseJSON`.
    pub credential: Value,
    /// The attachment, if [`Ceremony`] had one.
    #[schemars(with = "Option<String>")]
    pub attachment: Option<Base64Url>,
}

/// A new link.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct NewLink {
    /// The address, which can be used once.
    pub link: String,
    /// When the link expires, milliseconds since 1970.
    pub expires_ms: u64,
}

/// The outcome of an act.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The hash of the evidence, hexadecimal.
    pub evidence: String,
    /// When the evidence was accepted, milliseconds since 1970. With this time and the signed
    /// statement, the hash can be computed.
    pub accepted_ms: u64,
    /// A one-time link to hand on.
    #[serde(flatten)]
    pub link: Option<NewLink>,
    /// Further members that depend on the act, such as the `device` that the act was about, or the
    /// `grant` that it opened.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}
