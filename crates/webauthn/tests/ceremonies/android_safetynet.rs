//! Android SafetyNet attestation, 8.5.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallway_webauthn::{AttestationKind, Details, RegistrationPolicy};
use minicbor::Encoder;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::maker::{Authority, Ceremony, jws, sha256, valid_params};

fn statement(response: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut e = Encoder::new(&mut out);
    e.map(2).unwrap().str("ver").unwrap().str("12345").unwrap();
    e.str("response")
        .unwrap()
        .bytes(response.as_bytes())
        .unwrap();
    out
}

fn host(name: &str) -> CertificateParams {
    let mut params = valid_params();
    params.subject_alt_names = vec![rcgen::SanType::DnsName(name.try_into().unwrap())];
    params
}

type Outcome = (
    Result<hallway_webauthn::Registration, hallway_webauthn::RegistrationError>,
    Option<&'static str>,
);

fn register(params: &CertificateParams, change: impl FnOnce(&mut Value, &mut Value)) -> Outcome {
    let root = Authority::root("Google");
    let key = KeyPair::generate().unwrap();
    let leaf = root.issue(params, &key);
    let ceremony = Ceremony::new();
    let mut header = json!({"alg": "ES256", "x5c": [STANDARD.encode(leaf)]});
    let mut payload = json!({
        "nonce": STANDARD.encode(sha256(&ceremony.message())),
        "timestampMs": 1_767_225_600_000u64,
        "apkPackageName": "com.google.android.gms",
        "ctsProfileMatch": true,
        "basicIntegrity": true,
    });
    change(&mut header, &mut payload);
    let object = ceremony.object(
        "android-safetynet",
        &statement(&jws(&header, &payload, &key)),
    );
    ceremony.register_observed(&object, &RegistrationPolicy::attested(root.anchors()))
}

#[test]
fn an_intact_device_registers() {
    let (result, _) = register(&host("attest.android.com"), |_, _| ());
    let AttestationKind::Certified(certified) = result.unwrap().attestation.kind else {
        panic!();
    };
    let timestamp_ms = 1_767_225_600_000;
    assert_eq!(certified.details, Details::SafetyNet { timestamp_ms });
}

#[test]
fn wrong_responses_are_refused() {
    type Change = fn(&mut Value, &mut Value);
    let cases: [(Change, &str); 6] = [
        (|_, p| p["nonce"] = json!("AAAA"), "8.5/3"),
        (|_, p| p["ctsProfileMatch"] = json!(false), "8.5/2"),
        (|h, _| h["alg"] = json!("none"), "8.5/2"),
        (|h, _| h["alg"] = json!("RS256"), "8.5/2"),
        (|h, _| h["x5c"] = json!([]), "8.5/2"),
        (|h, _| h["crit"] = json!(["b64"]), "8.5/2"),
    ];
    for (change, step) in cases {
        let (result, failed) = register(&host("attest.android.com"), change);
        assert!(result.is_err());
        assert_eq!(failed, Some(step));
    }
    let evil = host("attest.android.com.evil.test");
    assert_eq!(register(&evil, |_, _| ()).1, Some("8.5/4"));
}
