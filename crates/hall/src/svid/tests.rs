use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, IsCa, KeyPair, KeyUsagePurpose, SanType,
};

use super::*;

const ADA: &str = "spiffe://bank.example/person/ada";

fn read(change: impl FnOnce(&mut CertificateParams)) -> Result<Svid, SvidError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.subject_alt_names = vec![uri(ADA)];
    change(&mut params);
    Svid::read(params.self_signed(&key).unwrap().der())
}

fn uri(uri: &str) -> SanType {
    SanType::URI(uri.try_into().unwrap())
}

#[test]
fn a_plain_leaf_is_read() {
    assert_eq!(read(|_| {}).unwrap().id.to_string(), ADA);
}

#[test]
fn exactly_one_uri_name_is_a_spiffe_id_with_a_path() {
    assert_eq!(
        read(|leaf| leaf.subject_alt_names.push(uri("https://x"))),
        Err(SvidError::UriNames(2))
    );
    assert_eq!(
        read(|leaf| leaf.subject_alt_names.clear()),
        Err(SvidError::UriNames(0))
    );
    assert_eq!(
        read(|leaf| leaf.subject_alt_names = vec![uri("https://x")]),
        Err(SvidError::Identity(IdentityError::Scheme))
    );
    assert_eq!(
        read(|leaf| leaf.subject_alt_names = vec![uri("spiffe://bank.example")]),
        Err(SvidError::NoPath)
    );
}

#[test]
fn a_leaf_signs_messages_and_never_certificates() {
    assert_eq!(
        read(|leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
        Err(SvidError::Signs)
    );
    assert_eq!(
        read(|leaf| leaf.key_usages.push(KeyUsagePurpose::KeyCertSign)),
        Err(SvidError::Signs)
    );
    assert_eq!(
        read(|leaf| leaf.key_usages = vec![KeyUsagePurpose::KeyAgreement]),
        Err(SvidError::NoDigitalSignature)
    );
    assert_eq!(
        read(|leaf| leaf.key_usages.clear()),
        Err(SvidError::NoDigitalSignature)
    );
}

#[test]
fn bytes_around_or_instead_of_a_certificate_are_refused() {
    assert_eq!(
        Svid::read(&CertificateDer::from(b"none".as_slice())),
        Err(SvidError::Encoding)
    );
    let key = KeyPair::generate().unwrap();
    let mut der = CertificateParams::default()
        .self_signed(&key)
        .unwrap()
        .der()
        .to_vec();
    der.push(0);
    assert_eq!(
        Svid::read(&CertificateDer::from(der)),
        Err(SvidError::Encoding)
    );
}

#[test]
fn provenance_is_whole_or_absent() {
    let with = |credential: &str, evidence: &str| {
        let der = Provenance {
            credential: credential.to_owned(),
            evidence: evidence.to_owned(),
        }
        .to_der();
        read(|leaf| {
            leaf.custom_extensions = vec![CustomExtension::from_oid_content(
                &SUBJECT_INFORMATION_ACCESS,
                der,
            )];
        })
        .map(|svid| svid.provenance.unwrap().credential)
    };
    // Lengths around the borders of DER's length forms.
    for length in [
        1,
        100,
        104,
        105,
        106,
        230,
        234,
        240,
        LONGEST_CREDENTIAL_BYTES,
    ] {
        let credential = "A".repeat(length);
        assert_eq!(with(&credential, &"0".repeat(64)), Ok(credential));
    }
    for (credential, evidence) in [
        (String::new(), "0".repeat(64)),
        ("A".repeat(LONGEST_CREDENTIAL_BYTES + 1), "0".repeat(64)),
        ("A/".to_owned(), "0".repeat(64)),
        ("A".to_owned(), "0".repeat(63)),
        ("A".to_owned(), "g".repeat(64)),
    ] {
        assert_eq!(with(&credential, &evidence), Err(SvidError::Provenance));
    }
}
