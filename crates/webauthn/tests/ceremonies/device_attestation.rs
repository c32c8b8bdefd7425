//! Answers to ACME's `device-attest-01` (draft-ietf-acme-device-attest, 5).

use hallway_ctap::cose::Algorithm;
use hallway_webauthn::device_attestation::{
    Binding, DeviceAttestation, DeviceAttestationError, DeviceChallenge, verify_device_attestation,
};
use hallway_webauthn::explain::{Conclusion, DeviceEvidence, Explanation, Part, explain_device};
use hallway_webauthn::{AttestationError, Format, TrustAnchors};
use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair, PublicKeyData, SigningKey};

use crate::android_key::{description, usual};
use crate::maker::{
    Authority, NOW, der, object, packed_params, packed_statement, sha256, valid_params,
};
use crate::tpm::{Parts, Wrap, alternative_names, area, structure};

const TOKEN: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";

fn key_authorization() -> String {
    format!("{TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI")
}

fn verify(
    root: &Authority,
    object: &[u8],
    key_authorization: &str,
) -> Result<DeviceAttestation, DeviceAttestationError> {
    let challenge = DeviceChallenge {
        token: TOKEN,
        key_authorization,
    };
    verify_device_attestation(object, &challenge, &root.anchors(), NOW)
}

fn apple(root: &Authority, freshness: &[u8], key: &KeyPair) -> Vec<u8> {
    let mut params: CertificateParams = valid_params();
    params.custom_extensions = vec![
        CustomExtension::from_oid_content(&[1, 2, 840, 113635, 100, 8, 9, 1], b"C02ABC".to_vec()),
        CustomExtension::from_oid_content(&[1, 2, 840, 113635, 100, 8, 11, 1], freshness.to_vec()),
    ];
    let leaf = root.issue(&params, key);
    let mut statement = Vec::new();
    let mut e = minicbor::Encoder::new(&mut statement);
    e.map(1).unwrap();
    crate::maker::write_chain(&mut e, &[&leaf]);
    object("apple", &statement, &[])
}

#[test]
fn an_apple_device_proves_its_serial_number_and_key() {
    let (root, key) = (Authority::root("Apple"), KeyPair::generate().unwrap());
    let object = apple(&root, &sha256(TOKEN.as_bytes()), &key);
    let proved = verify(&root, &object, &key_authorization()).unwrap();
    assert_eq!(proved.binding, Binding::Token);
    assert_eq!(proved.identifiers[0].to_string(), "C02ABC");
    let attested = proved.key.unwrap();
    assert!(attested.is(&key.subject_public_key_info()));
    assert!(!attested.is(&KeyPair::generate().unwrap().subject_public_key_info()));
    let other = apple(&root, &sha256(b"another token"), &key);
    assert_eq!(
        verify(&root, &other, &key_authorization()),
        Err(AttestationError::Nonce.into())
    );
    let stranger = Authority::root("Apple");
    assert!(matches!(
        verify(&stranger, &object, &key_authorization()),
        Err(DeviceAttestationError::Untrusted(_))
    ));
}

fn packed(root: &Authority, serial: Option<&str>, signed: &str) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    let mut params = packed_params();
    if let Some(serial) = serial {
        let kind = DnType::CustomDnType(vec![2, 5, 4, 5]);
        params.distinguished_name.push(kind, serial);
    }
    let leaf = root.issue(&params, &key);
    let signature = key.sign(signed.as_bytes()).unwrap();
    let statement = packed_statement(Algorithm::Es256, &signature, &[&leaf]);
    object("packed", &statement, &[])
}

#[test]
fn a_device_with_its_own_certificate_proves_who_it_is_but_no_other_key() {
    let (root, ours) = (Authority::root("Maker"), key_authorization());
    let proved = verify(&root, &packed(&root, Some("SN-7"), &ours), &ours).unwrap();
    assert_eq!(proved.format, Format::Packed);
    assert_eq!(proved.binding, Binding::KeyAuthorization);
    assert_eq!(proved.identifiers[0].to_string(), "SN-7");
    assert_eq!(proved.key, None);
    let other = verify(&root, &packed(&root, Some("SN-7"), TOKEN), &ours);
    assert!(matches!(
        other,
        Err(DeviceAttestationError::Attestation(
            AttestationError::Signature(_)
        ))
    ));
    assert_eq!(
        verify(&root, &packed(&root, None, &ours), &ours),
        Err(DeviceAttestationError::NoIdentifier)
    );
}

/// otherName of a PermanentIdentifier (RFC 4043).
fn permanent_identifier(value: &str) -> Vec<u8> {
    let oid = der(0x06, &[0x2b, 6, 1, 5, 5, 7, 8, 3]);
    let name = der(0x30, &der(0x0c, value.as_bytes()));
    der(0xa0, &[oid, der(0xa0, &name)].concat())
}

fn tpm(root: &Authority, device: &KeyPair, change: impl FnOnce(&mut Parts)) -> Vec<u8> {
    let point = device.public_key_raw();
    let area = area(&point[1..33], &point[33..]);
    let mut parts = Parts::new(area, key_authorization().as_bytes());
    parts.params.custom_extensions = vec![alternative_names(
        "id:494E5443",
        &permanent_identifier("SN-9"),
    )];
    change(&mut parts);
    let aik = KeyPair::generate().unwrap();
    let leaf = root.issue(&parts.params, &aik);
    object("tpm", &parts.statement(&aik, &leaf), &[])
}

#[test]
fn a_tpm_proves_the_device_and_the_key_in_it() {
    let (root, ours) = (Authority::root("TPM"), key_authorization());
    let device = KeyPair::generate().unwrap();
    for signature in [<[u8]>::to_vec as Wrap, structure] {
        let object = tpm(&root, &device, |parts| parts.signature = signature);
        let proved = verify(&root, &object, &ours).unwrap();
        assert_eq!(proved.format, Format::Tpm);
        assert_eq!(proved.binding, Binding::KeyAuthorization);
        assert_eq!(proved.identifiers[0].to_string(), "SN-9");
        let attested = proved.key.unwrap();
        assert!(attested.is(&device.subject_public_key_info()));
        assert!(!attested.is(&KeyPair::generate().unwrap().subject_public_key_info()));
    }
    let another = tpm(&root, &device, |parts| {
        parts.extra_data = sha256(b"another")
    });
    assert_eq!(
        verify(&root, &another, &ours),
        Err(AttestationError::Nonce.into())
    );
    let other_key = tpm(&root, &device, |parts| parts.area[40] ^= 1);
    assert!(matches!(
        verify(&root, &other_key, &ours),
        Err(DeviceAttestationError::Attestation(
            AttestationError::Value(_)
        ))
    ));
    let nameless = tpm(&root, &device, |parts| {
        parts.params.custom_extensions = vec![alternative_names("id:494E5443", &[])];
    });
    assert_eq!(
        verify(&root, &nameless, &ours),
        Err(DeviceAttestationError::NoIdentifier)
    );
    assert!(matches!(
        verify(&Authority::root("TPM"), &tpm(&root, &device, |_| ()), &ours),
        Err(DeviceAttestationError::Untrusted(_))
    ));
}

/// [713] EXPLICIT OCTET STRING: attestationIdSerial.
fn attested_serial(value: &str) -> Vec<u8> {
    let content = der(0x04, value.as_bytes());
    let head = [0xbf, 0x85, 0x49, content.len() as u8];
    [&head[..], &content].concat()
}

fn android(root: &Authority, device: &KeyPair, software: &[u8], hardware: &[u8]) -> Vec<u8> {
    let ours = key_authorization();
    let mut params = valid_params();
    params.custom_extensions = vec![CustomExtension::from_oid_content(
        &[1, 3, 6, 1, 4, 1, 11129, 2, 1, 17],
        description(&sha256(ours.as_bytes()), 1, software, hardware),
    )];
    let leaf = root.issue(&params, device);
    let signature = device.sign(ours.as_bytes()).unwrap();
    let statement = packed_statement(Algorithm::Es256, &signature, &[&leaf]);
    object("android-key", &statement, &[])
}

#[test]
fn an_android_device_proves_its_serial_number_by_hardware_only() {
    let (root, ours) = (Authority::root("Google"), key_authorization());
    let device = KeyPair::generate().unwrap();
    let attested = [usual(), attested_serial("R5CR10")].concat();
    let proved = verify(&root, &android(&root, &device, &[], &attested), &ours).unwrap();
    assert_eq!(proved.format, Format::AndroidKey);
    assert_eq!(proved.identifiers[0].to_string(), "R5CR10");
    assert!(proved.key.unwrap().is(&device.subject_public_key_info()));
    let software = android(&root, &device, &attested_serial("R5CR10"), &usual());
    assert_eq!(
        verify(&root, &software, &ours),
        Err(DeviceAttestationError::NoIdentifier)
    );
    let object = android(&root, &device, &[], &attested);
    let token = format!("{TOKEN}.another-account");
    assert!(verify(&root, &object, &token).is_err());
}

fn explained(
    object: &[u8],
    anchors: &TrustAnchors,
    key_authorization: Option<&str>,
) -> Explanation {
    let challenge = key_authorization.map(|key_authorization| DeviceChallenge {
        token: TOKEN,
        key_authorization,
    });
    let evidence = DeviceEvidence {
        challenge,
        anchors,
        now: NOW,
    };
    explain_device(object, &evidence)
}

fn failed(explanation: &Explanation) -> &'static str {
    explanation.steps.failed().unwrap().step.number
}

#[test]
fn an_answer_is_explained_step_by_step() {
    let (root, ours) = (Authority::root("TPM"), key_authorization());
    let device = KeyPair::generate().unwrap();
    let object_ = tpm(&root, &device, |_| ());
    let anchors = root.anchors();
    let good = explained(&object_, &anchors, Some(&ours));
    assert_eq!(good.conclusion, Conclusion::Trusted, "{}", good.summary);
    assert!(good.summary.contains("SN-9"), "{}", good.summary);
    let device = |told: &Explanation| told.parts.iter().find(|part| part.id == "device").cloned();
    let names = device(&good).unwrap().fields;
    let names: Vec<_> = names.iter().map(|name| name.value.as_deref()).collect();
    assert_eq!(names, [Some("SN-9")]);
    let is_certificate = |part: &&Part| part.id.starts_with("certificate");
    assert_eq!(good.parts.iter().filter(is_certificate).count(), 1);
    assert!(good.steps.failed().is_none());

    let unasked = explained(&object_, &anchors, None);
    assert_eq!(unasked.conclusion, Conclusion::NotChecked);
    assert_eq!(device(&unasked), device(&good));

    let none = TrustAnchors::new();
    let untrusted = explained(&object_, &none, Some(&ours));
    assert_eq!(untrusted.conclusion, Conclusion::Untrusted);
    assert_eq!(failed(&untrusted), "device-attest-01/2");

    let another = format!("{TOKEN}.another-account");
    let foreign = explained(&object_, &anchors, Some(&another));
    assert_eq!(foreign.conclusion, Conclusion::Invalid);
    assert_eq!(failed(&foreign), "8.3/4.3");

    let cut = explained(&object_[..20], &anchors, Some(&ours));
    assert_eq!(cut.conclusion, Conclusion::Unreadable);
    assert_eq!(failed(&cut), "device-attest-01/1");
    let step = explained(&object("step", &[0xa0], &[]), &anchors, Some(&ours));
    assert_eq!(step.conclusion, Conclusion::Invalid);
    assert_eq!(failed(&step), "device-attest-01/1");
}

#[test]
fn other_formats_and_foreign_authorizations_are_refused() {
    let (root, ours) = (Authority::root("Maker"), key_authorization());
    let object_ = packed(&root, Some("SN-7"), &ours);
    for foreign in ["", "x", TOKEN, &format!("{TOKEN}x.y"), "other.thumbprint"] {
        assert_eq!(
            verify(&root, &object_, foreign),
            Err(DeviceAttestationError::KeyAuthorization)
        );
    }
    for format in ["none", "compound", "fido-u2f", "android-safetynet"] {
        assert_eq!(
            verify(&root, &object(format, &[0xa0], &[]), &ours),
            Err(AttestationError::NotOfDevices.into())
        );
    }
    assert_eq!(
        verify(&root, &object("step", &[0xa0], &[]), &ours),
        Err(DeviceAttestationError::Format("step".into()))
    );
    // Self attestation is by a credential's key, and a device has no credential.
    let alone = packed_statement(Algorithm::Es256, &[0; 70], &[]);
    assert_eq!(
        verify(&root, &object("packed", &alone, &[]), &ours),
        Err(AttestationError::NotOfDevices.into())
    );
}
