//! The relying party, the responses that it gets, and the record that it stores.

use hallway_ctap::aaguid::Aaguid;

/// A relying party: one RP ID and the origins that may speak for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelyingParty {
    /// The RP ID, a domain such as `gate.example` (WebAuthn Level 3, 4, "RP ID").
    pub id: String,
    /// Every origin that is accepted, compared exactly: `https://gate.example`,
    /// `http://localhost:8080`, `android:apk-key-hash:...`. Related origins (5.11) are listed here
    /// too. An empty list accepts none.
    pub origins: Vec<String>,
}

impl RelyingParty {
    /// A relying party with one origin.
    pub fn new(id: impl Into<String>, origin: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            origins: vec![origin.into()],
        }
    }

    /// The document that browsers fetch from `/.well-known/webauthn` at the RP ID before they let
    /// a related origin use it (WebAuthn Level 3, 5.11.1). Holds the web origins only.
    pub fn related_origins_document(&self) -> String {
        let origins: Vec<&String> = self
            .origins
            .iter()
            .filter(|origin| origin.starts_with("https://"))
            .collect();
        serde_json::json!({ "origins": origins }).to_string()
    }
}

/// Seconds since 1970-01-01 UTC: the time that certificates are judged by. A verifier that checks
/// old evidence passes the time of the evidence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct UnixSeconds(pub i64);

impl UnixSeconds {
    /// From milliseconds since 1970, rounded down.
    pub const fn from_ms(ms: u64) -> Self {
        Self((ms / 1000) as i64)
    }
}

/// What `navigator.credentials.create()` returned: an `AuthenticatorAttestationResponse`.
#[derive(Clone, Copy, Debug)]
pub struct RegistrationResponse<'a> {
    /// The bytes of `clientDataJSON`, as they were hashed.
    pub client_data_json: &'a [u8],
    /// The CBOR attestation object.
    pub attestation_object: &'a [u8],
    /// The `rawId` that came beside the response, where one did; it must be the credential id in
    /// the authenticator data.
    pub credential_id: Option<&'a [u8]>,
    /// What `getTransports()` said, kept as it came; at most [`MAX_TRANSPORTS`] are stored.
    pub transports: &'a [String],
}

/// How many transports of one credential are stored.
pub const MAX_TRANSPORTS: usize = 16;

impl<'a> RegistrationResponse<'a> {
    /// A response without the parts that only a browser gives.
    pub const fn new(client_data_json: &'a [u8], attestation_object: &'a [u8]) -> Self {
        Self {
            client_data_json,
            attestation_object,
            credential_id: None,
            transports: &[],
        }
    }
}

/// What `navigator.credentials.get()` returned: an `AuthenticatorAssertionResponse`.
#[derive(Clone, Copy, Debug)]
pub struct AssertionResponse<'a> {
    /// The credential's `rawId`.
    pub credential_id: &'a [u8],
    /// The bytes of `clientDataJSON`, as they were hashed.
    pub client_data_json: &'a [u8],
    /// The authenticator data, as they were signed.
    pub authenticator_data: &'a [u8],
    /// The signature over the authenticator data and the SHA-256 of the client data.
    pub signature: &'a [u8],
    /// The user handle, which discoverable credentials return.
    pub user_handle: Option<&'a [u8]>,
}

/// What a relying party stores about a credential (WebAuthn Level 3, 4, "credential record").
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CredentialRecord {
    /// The credential id, at most 1023 bytes.
    pub id: Vec<u8>,
    /// The credential public key as a COSE_Key, byte for byte as the authenticator gave it.
    pub public_key: Vec<u8>,
    /// The signature counter of the latest accepted ceremony; 0 where the authenticator keeps none.
    pub sign_count: u32,
    /// BE: the credential may be copied to other devices. Never changes.
    pub backup_eligible: bool,
    /// BS at the latest accepted ceremony.
    pub backed_up: bool,
    /// Whether the user was ever verified with this credential.
    pub uv_initialized: bool,
    /// Hints for `allowCredentials`, such as `usb` and `internal`.
    pub transports: Vec<String>,
    /// The `user.id` that the credential was created for, at most 64 bytes. [`verify_registration`]
    /// leaves it empty, since the response does not say it: the caller sets it. While it is empty,
    /// an assertion that carries a user handle is refused.
    ///
    /// [`verify_registration`]: crate::verify_registration
    pub user_handle: Vec<u8>,
    /// The authenticator's model; [`Aaguid::ZERO`] where it is unknown.
    pub aaguid: Aaguid,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_related_origins_document_lists_web_origins() {
        let mut rp = RelyingParty::new("gate.example", "https://gate.example");
        rp.origins.push("android:apk-key-hash:abc".into());
        assert_eq!(
            rp.related_origins_document(),
            r#"{"origins":["https://gate.example"]}"#
        );
    }

    #[test]
    fn milliseconds_round_down() {
        assert_eq!(UnixSeconds::from_ms(1_999), UnixSeconds(1));
        assert_eq!(UnixSeconds::from_ms(u64::MAX).0, (u64::MAX / 1000) as i64);
    }
}
