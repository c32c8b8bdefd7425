//! Whole attestation objects: explained, registered under the most lenient policy, and used as a
//! device's answer to an ACME server.
#![no_main]

use hallway_webauthn::device_attestation::{DeviceChallenge, verify_device_attestation};
use hallway_webauthn::explain::{ClientDataGiven, Evidence, Expected, explain};
use hallway_webauthn::{
    AndroidKeyLists, CompoundStatements, Framing, RegistrationPolicy, RegistrationResponse,
    RelyingParty, TrustAnchors, UnixSeconds, UserPresence, UserVerification, verify_registration,
};
use libfuzzer_sys::fuzz_target;

const CLIENT_DATA: &[u8] =
    br#"{"type":"webauthn.create","challenge":"AAAA","origin":"https://example.org"}"#;

fuzz_target!(|bytes: &[u8]| {
    let anchors = TrustAnchors::new();
    let now = UnixSeconds(1_767_225_600);
    let rp = RelyingParty::new("example.org", "https://example.org");
    let told = explain(
        bytes,
        &Evidence {
            client_data: ClientDataGiven::Json(CLIENT_DATA),
            expected: Some(Expected {
                rp: &rp,
                challenge: &[0; 3],
                framing: &Framing::SameOrigin,
            }),
            anchors: &anchors,
            now,
        },
    );
    assert!(!told.summary.is_empty());
    let policy = RegistrationPolicy {
        user_presence: UserPresence::NotRequired,
        user_verification: UserVerification::NotRequired,
        android_key: AndroidKeyLists::MayBeSilent,
        compound: CompoundStatements::AtLeastOne,
        ..RegistrationPolicy::person()
    };
    let response = RegistrationResponse::new(CLIENT_DATA, bytes);
    let _ = verify_registration(&rp, &[0; 3], &policy, now, &response);
    let challenge = DeviceChallenge {
        token: "t",
        key_authorization: "t.k",
    };
    let _ = verify_device_attestation(bytes, &challenge, &anchors, now);
});
