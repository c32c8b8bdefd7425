//! Answers to ACME's `device-attest-01` (draft-ietf-acme-device-attest, 5).

use hallway_ctap::cose::Algorithm;
use hallway_webauthn::device_attestation::{
    Binding, DeviceAttestation, DeviceAttestationError, DeviceChallenge, verify_device_attestation,
};
use hallway_webauthn::{AttestationError, Format};
use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair, PublicKeyData, SigningKey};

use crate::maker::{Authority, NOW, object, packed_params, packed_statement, sha256, valid_params};

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
    // Self attestation speaks of a credential's key, and there is none.
    let alone = packed_statement(Algorithm::Es256, &[0; 70], &[]);
    assert_eq!(
        verify(&root, &object("packed", &alone, &[]), &ours),
        Err(AttestationError::NotOfDevices.into())
    );
}
