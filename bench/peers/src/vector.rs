//! The specification's test vectors.

use hallway_webauthn::{
    AssertionPolicy, AssertionResponse, CredentialRecord, RegistrationPolicy, RegistrationResponse,
    RelyingParty, UserVerification, verify_assertion, verify_registration,
};
use serde_json::Value;

use crate::ceremony::{NOW, Signed};
use crate::signer::BareCheck;

/// A section of the specification's test vectors.
pub struct Vector {
    rp: RelyingParty,
    policy: RegistrationPolicy,
    record: CredentialRecord,
    registration: Signed,
    assertion: Signed,
    bare: BareCheck,
}

impl Vector {
    pub fn new(section: &str) -> Self {
        let vectors: Vec<Value> = serde_json::from_str(include_str!(
            "../../../crates/webauthn/tests/vectors/webauthn-l3.json"
        ))
        .expect("the vectors");
        let id = format!("sctn-test-vectors-{section}");
        let found = vectors.iter().find(|v| v["id"] == id).expect("the section");
        let signed = |at: usize, body: &str| {
            let field = |name: &str| {
                let text = found["ceremonies"][at][name].as_str().unwrap_or_default();
                hex::decode(text).expect("hexadecimal")
            };
            Signed {
                challenge: field("challenge"),
                client_data: field("clientDataJSON"),
                body: field(body),
                signature: field("signature"),
            }
        };
        let registration = signed(0, "attestationObject");
        let rp = RelyingParty::new("example.org", "https://example.org");
        let policy = RegistrationPolicy {
            user_verification: UserVerification::NotRequired,
            ..RegistrationPolicy::person()
        };
        let response = RegistrationResponse::new(&registration.client_data, &registration.body);
        let verified = verify_registration(&rp, &registration.challenge, &policy, NOW, &response)
            .expect("the registration");
        let assertion = signed(1, "authenticatorData");
        let bare = BareCheck::new(&verified.credential.public_key, &assertion);
        Self {
            rp,
            policy,
            record: verified.credential,
            registration,
            assertion,
            bare,
        }
    }

    pub fn register(&self) {
        let signed = &self.registration;
        let response = RegistrationResponse::new(&signed.client_data, &signed.body);
        verify_registration(&self.rp, &signed.challenge, &self.policy, NOW, &response)
            .expect("the registration");
    }

    pub fn assert(&self) {
        let signed = &self.assertion;
        let policy = AssertionPolicy {
            user_verification: UserVerification::NotRequired,
            ..AssertionPolicy::default()
        };
        let response = AssertionResponse {
            credential_id: &self.record.id,
            client_data_json: &signed.client_data,
            authenticator_data: &signed.body,
            signature: &signed.signature,
            user_handle: None,
        };
        let verified = verify_assertion(
            &self.rp,
            &signed.challenge,
            &policy,
            &self.record,
            &response,
        );
        assert!(verified.expect("the assertion").user_present);
    }

    /// The bare check of the assertion's signature.
    pub fn bare_check(&self) {
        self.bare.verify();
    }
}
