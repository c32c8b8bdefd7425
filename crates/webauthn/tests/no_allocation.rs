//! Verifying an ES256 assertion does not allocate: counted, not promised. What the C library
//! allocates by itself for a key is not seen here.
#![allow(missing_docs, clippy::unwrap_used)]

use hallway_webauthn::{
    AssertionPolicy, AssertionResponse, CredentialRecord, Framing, RegistrationPolicy,
    RegistrationResponse, RelyingParty, RequiredTrust, UnixSeconds, UserVerification,
    verify_assertion, verify_registration,
};
use serde_json::Value;

fn field(ceremony: &Value, name: &str) -> Vec<u8> {
    hex::decode(ceremony[name].as_str().unwrap()).unwrap()
}

fn registered(rp: &RelyingParty, ceremony: &Value) -> CredentialRecord {
    let policy = RegistrationPolicy {
        trust: RequiredTrust::Any,
        user_verification: UserVerification::NotRequired,
        framing: Framing::SameOrigin,
        ..RegistrationPolicy::person()
    };
    let client_data = field(ceremony, "clientDataJSON");
    let object = field(ceremony, "attestationObject");
    let response = RegistrationResponse::new(&client_data, &object);
    let challenge = field(ceremony, "challenge");
    let now = UnixSeconds(1_767_225_600);
    verify_registration(rp, &challenge, &policy, now, &response)
        .unwrap()
        .credential
}

#[test]
fn an_es256_assertion_is_verified_without_allocating() {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("vectors/webauthn-l3.json")).unwrap();
    let none_es256 = &vectors[1]["ceremonies"];
    let rp = RelyingParty::new("example.org", "https://example.org");
    let record = registered(&rp, &none_es256[0]);
    let ceremony = &none_es256[1];
    let client_data = field(ceremony, "clientDataJSON");
    let authenticator_data = field(ceremony, "authenticatorData");
    let signature = field(ceremony, "signature");
    let challenge = field(ceremony, "challenge");
    let policy = AssertionPolicy {
        user_verification: UserVerification::NotRequired,
        ..AssertionPolicy::default()
    };
    let response = AssertionResponse {
        credential_id: &record.id,
        client_data_json: &client_data,
        authenticator_data: &authenticator_data,
        signature: &signature,
        user_handle: None,
    };
    let verify = || verify_assertion(&rp, &challenge, &policy, &record, &response);
    // The first call sets up the cryptographic library.
    assert!(verify().is_ok());
    let mut accepted = false;
    let seen = allocation_counter::measure(|| accepted = verify().is_ok());
    assert!(accepted);
    assert_eq!((seen.count_total, seen.bytes_total), (0, 0));
    // The counter counts: an observer that keeps what it is told does allocate.
    let seen = allocation_counter::measure(|| drop(format!("{record:?}")));
    assert!(seen.count_total > 0);
}
