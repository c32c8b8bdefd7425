//! The specification's test vectors (WebAuthn Level 3, "Test Vectors"); see `vectors/README.md`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use aws_lc_rs::digest::{SHA256, digest};
use hallway_ctap::cose::Algorithm;
use hallway_webauthn::explain::{ClientDataGiven, Conclusion, Evidence, explain};
use hallway_webauthn::{
    AndroidKeyLists, AssertionPolicy, AssertionResponse, AttestationKind, BackupEligibility,
    Details, Format, Framing, Record, Registration, RegistrationError, RegistrationPolicy,
    RegistrationResponse, RelyingParty, RequiredTrust, TrustAnchor, TrustAnchors, UnixSeconds,
    UnnamedTop, UserVerification, verify_assertion_observed, verify_registration,
    verify_registration_observed,
};
use serde_json::Value;

/// 2026-01-01, inside the validity of every certificate of the section.
const NOW: UnixSeconds = UnixSeconds(1_767_225_600);

fn vectors() -> Vec<Value> {
    serde_json::from_str(include_str!("vectors/webauthn-l3.json")).unwrap()
}

fn field(ceremony: &Value, name: &str) -> Vec<u8> {
    hex::decode(ceremony[name].as_str().unwrap()).unwrap()
}

fn section(name: &str) -> Value {
    let id = format!("sctn-test-vectors-{name}");
    let found = vectors().into_iter().find(|section| section["id"] == id);
    found.unwrap_or_else(|| panic!("no section {id}"))
}

fn relying_party() -> RelyingParty {
    RelyingParty::new("example.org", "https://example.org")
}

fn framing() -> Framing {
    Framing::Within {
        top_origins: vec!["https://example.com".into()],
        unnamed_top: UnnamedTop::Accept,
    }
}

fn anchors() -> TrustAnchors {
    let root = &vectors()[0]["ceremonies"][0];
    TrustAnchors::from_iter([TrustAnchor::new(
        "WebAuthn test vectors",
        field(root, "attestation_ca_cert"),
    )
    .unwrap()])
}

fn policy(trust: RequiredTrust) -> RegistrationPolicy {
    RegistrationPolicy {
        trust,
        algorithms: vec![
            Algorithm::Es256,
            Algorithm::Es384,
            Algorithm::Es512,
            Algorithm::EdDsa,
            Algorithm::Ed448,
            Algorithm::Rs256,
        ],
        user_verification: UserVerification::NotRequired,
        backup: BackupEligibility::Any,
        framing: framing(),
        ..RegistrationPolicy::attested(anchors())
    }
}

fn register(
    ceremony: &Value,
    policy: &RegistrationPolicy,
) -> (Result<Registration, RegistrationError>, Record) {
    let mut record = Record::default();
    let client_data = field(ceremony, "clientDataJSON");
    let object = field(ceremony, "attestationObject");
    let result = verify_registration_observed(
        &relying_party(),
        &field(ceremony, "challenge"),
        policy,
        NOW,
        &RegistrationResponse::new(&client_data, &object),
        &mut record,
    );
    (result, record)
}

/// Registers and then authenticates, and returns the registration.
fn both_ceremonies(name: &str, policy: &RegistrationPolicy) -> Registration {
    let section = section(name);
    let ceremony = &section["ceremonies"][0];
    let (result, record) = register(ceremony, policy);
    let registration = result.unwrap_or_else(|error| panic!("{name}: {error}\n{record:#?}"));
    assert!(record.failed().is_none(), "{name}");
    assert_eq!(registration.credential.id, field(ceremony, "credential_id"));
    // A U2F registration signs no AAGUID, so the one that its vector has counts for nothing.
    let signed = match registration.attestation.format {
        Format::FidoU2f => vec![0; 16],
        _ => field(ceremony, "aaguid"),
    };
    assert_eq!(registration.aaguid.0.to_vec(), signed);
    authenticate(name, &section["ceremonies"][1], &registration);
    registration
}

fn authenticate(name: &str, ceremony: &Value, registration: &Registration) {
    let client_data = field(ceremony, "clientDataJSON");
    let authenticator_data = field(ceremony, "authenticatorData");
    let mut signature = field(ceremony, "signature");
    let challenge = field(ceremony, "challenge");
    let policy = AssertionPolicy {
        user_verification: UserVerification::NotRequired,
        framing: framing(),
        ..AssertionPolicy::default()
    };
    let run = |signature: &[u8]| {
        let mut record = Record::default();
        let response = AssertionResponse {
            credential_id: &registration.credential.id,
            client_data_json: &client_data,
            authenticator_data: &authenticator_data,
            signature,
            user_handle: None,
        };
        let result = verify_assertion_observed(
            &relying_party(),
            &challenge,
            &policy,
            &registration.credential,
            &response,
            &mut record,
        );
        (result, record)
    };
    let (result, record) = run(&signature);
    let assertion = result.unwrap_or_else(|error| panic!("{name}: {error}\n{record:#?}"));
    assert!(assertion.user_present, "{name}");
    let last = signature.len() - 1;
    signature[last] ^= 1;
    let (result, record) = run(&signature);
    assert!(result.is_err(), "{name} accepts another signature");
    assert_eq!(record.failed().unwrap().step.number, "7.2.21", "{name}");
}

fn certified_by_the_root(registration: &Registration) {
    let AttestationKind::Certified(certified) = &registration.attestation.kind else {
        panic!("{:?}", registration.attestation);
    };
    assert_eq!(
        certified.anchor.as_ref().unwrap().name,
        "WebAuthn test vectors"
    );
}

#[test]
fn no_attestation() {
    for name in [
        "none-es256",
        "none-es256-crossOrigin",
        "none-es256-topOrigin",
        "none-es256-long-credential-id",
    ] {
        let registration = both_ceremonies(name, &policy(RequiredTrust::Any));
        assert_eq!(registration.attestation.kind, AttestationKind::None);
        let ceremony = &section(name)["ceremonies"][0];
        let (result, _) = register(ceremony, &policy(RequiredTrust::SelfSigned));
        assert!(matches!(result, Err(RegistrationError::Trust { .. })));
    }
}

#[test]
fn cross_origin_is_refused_by_default() {
    for name in ["none-es256-crossOrigin", "none-es256-topOrigin"] {
        let strict = RegistrationPolicy {
            framing: Framing::SameOrigin,
            ..policy(RequiredTrust::Any)
        };
        let (result, record) = register(&section(name)["ceremonies"][0], &strict);
        assert!(result.is_err());
        assert_eq!(record.failed().unwrap().step.number, "7.1.10");
    }
}

#[test]
fn packed_self() {
    let registration = both_ceremonies("packed-self-es256", &policy(RequiredTrust::SelfSigned));
    assert_eq!(registration.attestation.kind, AttestationKind::SelfSigned);
}

#[test]
fn packed_with_certificates_and_every_algorithm() {
    for name in ["es256", "es384", "es512", "rs256", "eddsa", "ed448"] {
        let name = format!("packed-{name}");
        certified_by_the_root(&both_ceremonies(&name, &policy(RequiredTrust::Anchored)));
    }
}

#[test]
fn fido_u2f() {
    certified_by_the_root(&both_ceremonies(
        "fido-u2f-es256",
        &policy(RequiredTrust::Anchored),
    ));
}

#[test]
fn apple() {
    certified_by_the_root(&both_ceremonies(
        "apple-es256",
        &policy(RequiredTrust::Anchored),
    ));
}

#[test]
fn tpm() {
    let registration = both_ceremonies("tpm-es256", &policy(RequiredTrust::Anchored));
    certified_by_the_root(&registration);
    let AttestationKind::Certified(certified) = &registration.attestation.kind else {
        unreachable!();
    };
    assert_eq!(
        certified.details,
        Details::Tpm {
            manufacturer: "id:00000000".into(),
            model: "WebAuthn test vectors".into(),
            version: "id:00000000".into(),
        }
    );
}

/// The vector's authorization lists are empty. Section 8.4 wants an origin and a purpose on them:
/// read so, the vector fails. The policy that lets the lists be silent takes it.
#[test]
fn android_key_by_both_readings() {
    let ceremony = &section("android-key-es256")["ceremonies"][0];
    for android_key in [AndroidKeyLists::Hardware, AndroidKeyLists::Either] {
        let policy = RegistrationPolicy {
            android_key,
            ..policy(RequiredTrust::Anchored)
        };
        let (result, record) = register(ceremony, &policy);
        assert!(result.is_err());
        assert_eq!(record.failed().unwrap().step.number, "8.4/5.2.1");
    }
    let lenient = RegistrationPolicy {
        android_key: AndroidKeyLists::MayBeSilent,
        ..policy(RequiredTrust::Anchored)
    };
    certified_by_the_root(&both_ceremonies("android-key-es256", &lenient));
}

#[test]
fn a_chain_that_no_anchor_issued_is_refused() {
    let strict = RegistrationPolicy {
        anchors: TrustAnchors::new(),
        ..policy(RequiredTrust::Anchored)
    };
    let (result, record) = register(&section("packed-es256")["ceremonies"][0], &strict);
    assert!(matches!(result, Err(RegistrationError::Untrusted(_))));
    assert_eq!(record.failed().unwrap().step.number, "7.1.24");
}

#[test]
fn every_flipped_byte_of_an_attested_registration_is_refused() {
    let policy = RegistrationPolicy {
        android_key: AndroidKeyLists::MayBeSilent,
        ..policy(RequiredTrust::Anchored)
    };
    for name in ["packed", "tpm", "apple", "fido-u2f", "android-key"] {
        let ceremony = &section(&format!("{name}-es256"))["ceremonies"][0];
        let challenge = field(ceremony, "challenge");
        let client_data = field(ceremony, "clientDataJSON");
        let mut object = field(ceremony, "attestationObject");
        for at in 0..object.len() {
            object[at] ^= 1;
            let result = verify_registration(
                &relying_party(),
                &challenge,
                &policy,
                NOW,
                &RegistrationResponse::new(&client_data, &object),
            );
            // U2F signs neither the model nor the flags and counter.
            let unsigned = || name == "fido-u2f" && unsigned_by_u2f(&object, at);
            assert!(
                result.is_err() || unsigned(),
                "{name}: byte {at} may be changed"
            );
            object[at] ^= 1;
        }
    }
}

fn unsigned_by_u2f(object: &[u8], at: usize) -> bool {
    let data = object
        .windows(8)
        .position(|window| window == b"authData")
        .unwrap();
    // After the name, two bytes of CBOR head and the RP ID hash: flags, counter, AAGUID.
    let flags = data + 8 + 2 + 32;
    (flags..flags + 1 + 4 + 16).contains(&at)
}

#[test]
fn explanations_of_every_vector() {
    let anchors = anchors();
    for section in &vectors()[1..] {
        let ceremony = &section["ceremonies"][0];
        let object = field(ceremony, "attestationObject");
        let hash: [u8; 32] = digest(&SHA256, &field(ceremony, "clientDataJSON"))
            .as_ref()
            .try_into()
            .unwrap();
        let mut evidence = Evidence {
            client_data: ClientDataGiven::Hash(&hash),
            expected: None,
            anchors: &anchors,
            now: NOW,
        };
        let name = section["id"].as_str().unwrap();
        let told = explain(&object, &evidence);
        let expected = match told.format.as_deref().unwrap() {
            "none" => Conclusion::NoCertificate,
            "packed" if name.contains("self") => Conclusion::NoCertificate,
            // The empty authorization lists.
            "android-key" => Conclusion::Invalid,
            _ => Conclusion::Trusted,
        };
        assert_eq!(told.conclusion, expected, "{name}: {}", told.summary);
        let json = serde_json::to_value(&told).unwrap();
        assert_eq!(json["parts"][0]["id"], "authenticator-data", "{name}");
        let fields = json["parts"][0]["fields"].as_array().unwrap();
        let credential = fields.iter().find(|field| field["name"] == "Credential id");
        let credential = &credential.unwrap()["bytes"]["content"];
        assert_eq!(*credential, ceremony["credential_id"], "{name}");

        evidence.client_data = ClientDataGiven::Nothing;
        assert_eq!(
            explain(&object, &evidence).conclusion,
            Conclusion::NotChecked
        );
        let cut = explain(&object[..object.len() - 1], &evidence);
        assert_eq!(cut.conclusion, Conclusion::Unreadable);
        assert_eq!(cut.steps.failed().unwrap().step.number, "7.1.13");
    }
}
