//! Packed attestation, 8.2.

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::Flags;
use hallway_ctap::cose::Algorithm;
use hallway_webauthn::{
    AttestationError, AttestationKind, RegistrationError, RegistrationPolicy,
    packed_certificate_model,
};
use rcgen::{CertificateParams, CustomExtension, DnType, IsCa, KeyPair, SigningKey};

use crate::maker::{
    Authority, Ceremony, Credential, MODEL, aaguid_extension, packed_params, packed_statement,
};

fn register(
    params: &CertificateParams,
) -> (
    Result<hallway_webauthn::Registration, RegistrationError>,
    Option<&'static str>,
) {
    let root = Authority::root("Maker Root");
    let key = KeyPair::generate().unwrap();
    let leaf = root.issue(params, &key);
    let ceremony = Ceremony::new();
    let object = ceremony.packed(&key, &[&leaf]);
    ceremony.register_observed(&object, &RegistrationPolicy::attested(root.anchors()))
}

#[test]
fn a_certified_authenticator_registers() {
    let (result, failed) = register(&packed_params());
    let registration = result.unwrap();
    assert_eq!(failed, None);
    assert_eq!(registration.aaguid, MODEL);
    let AttestationKind::Certified(certified) = registration.attestation.kind else {
        panic!();
    };
    assert_eq!(certified.anchor.unwrap().name, "the anchor");
    assert_eq!(certified.serial_number, None);
}

#[test]
fn a_device_s_own_certificate_carries_its_serial_number() {
    let root = Authority::root("Maker Root");
    let key = KeyPair::generate().unwrap();
    let ceremony = Ceremony::with_flags(Flags::default());
    let policy = RegistrationPolicy::device(root.anchors());
    let batch = root.issue(&packed_params(), &key);
    let refused = ceremony.register(&ceremony.packed(&key, &[&batch]), &policy);
    assert!(matches!(refused, Err(RegistrationError::NoSerialNumber(_))));
    let mut params = packed_params();
    let serial = DnType::CustomDnType(vec![2, 5, 4, 5]);
    params.distinguished_name.push(serial, "CAM-0042");
    let own = root.issue(&params, &key);
    let registration = ceremony
        .register(&ceremony.packed(&key, &[&own]), &policy)
        .unwrap();
    let AttestationKind::Certified(certified) = registration.attestation.kind else {
        panic!();
    };
    assert_eq!(certified.serial_number.as_deref(), Some("CAM-0042"));
    assert!(!registration.user_present);
}

/// id-fido-gen-ce-sernum, 8.2.2.
#[test]
fn an_enterprise_attestation_carries_the_unit_s_serial_number() {
    let extension = |content: &[u8]| {
        CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 45724, 1, 1, 2], content.to_vec())
    };
    let with = |extension: CustomExtension| {
        let mut params = packed_params();
        params.custom_extensions.push(extension);
        register(&params)
    };
    let registration = with(extension(&[4, 3, 1, 2, 0xff])).0.unwrap();
    let AttestationKind::Certified(certified) = registration.attestation.kind else {
        panic!();
    };
    assert_eq!(certified.serial_number.as_deref(), Some("0102ff"));
    let mut critical = extension(&[4, 3, 1, 2, 0xff]);
    critical.set_criticality(true);
    for wrong in [critical, extension(&[1, 2, 3]), extension(&[4, 0])] {
        assert_eq!(with(wrong).1, Some("8.2/2.2"));
    }
}

#[test]
fn requirements_on_the_certificate() {
    type Change = fn(&mut CertificateParams);
    let changes: [(&str, Change); 9] = [
        ("no country", |p| {
            p.distinguished_name.remove(DnType::CountryName);
        }),
        ("a long country", |p| {
            p.distinguished_name.remove(DnType::CountryName);
            p.distinguished_name.push(DnType::CountryName, "SWE");
        }),
        ("no organization", |p| {
            p.distinguished_name.remove(DnType::OrganizationName);
        }),
        ("an empty organization", |p| {
            p.distinguished_name.remove(DnType::OrganizationName);
            p.distinguished_name.push(DnType::OrganizationName, "");
        }),
        ("another unit", |p| {
            p.distinguished_name.remove(DnType::OrganizationalUnitName);
            p.distinguished_name
                .push(DnType::OrganizationalUnitName, "authenticator attestation");
        }),
        ("no common name", |p| {
            p.distinguished_name.remove(DnType::CommonName);
        }),
        ("an empty common name", |p| {
            p.distinguished_name.remove(DnType::CommonName);
            p.distinguished_name.push(DnType::CommonName, "");
        }),
        ("an authority", |p| {
            p.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }),
        ("no basic constraints", |p| p.is_ca = IsCa::NoCa),
    ];
    for (what, change) in changes {
        let mut params = packed_params();
        change(&mut params);
        let (result, failed) = register(&params);
        assert!(result.is_err(), "{what}");
        assert_eq!(failed, Some("8.2/2.2"), "{what}");
        // A program that gives such a certificate to a key is told before relying parties are.
        let leaf = Authority::root("Maker Root").issue(&params, &KeyPair::generate().unwrap());
        assert!(packed_certificate_model(&leaf).is_err(), "{what}");
    }
}

#[test]
fn a_certificate_names_its_model_to_who_gives_it_to_a_key() {
    let model = |params: &CertificateParams| {
        let key = KeyPair::generate().unwrap();
        packed_certificate_model(&Authority::root("Maker Root").issue(params, &key))
    };
    assert_eq!(model(&packed_params()), Ok(Some(MODEL)));
    let mut params = packed_params();
    params.custom_extensions.clear();
    assert_eq!(model(&params), Ok(None));
    let mut critical = aaguid_extension(MODEL);
    critical.set_criticality(true);
    params.custom_extensions = vec![critical];
    assert!(model(&params).is_err());
    assert!(packed_certificate_model(b"no certificate").is_err());
}

#[test]
fn another_model_in_the_certificate_is_refused() {
    let mut params = packed_params();
    params.custom_extensions = vec![aaguid_extension(Aaguid([8; 16]))];
    let (result, failed) = register(&params);
    assert_eq!(
        result,
        Err(AttestationError::Aaguid {
            certificate: Aaguid([8; 16]),
            authenticator: MODEL
        }
        .into())
    );
    assert_eq!(failed, Some("8.2/2.3"));
    let mut critical = aaguid_extension(MODEL);
    critical.set_criticality(true);
    params.custom_extensions = vec![critical];
    assert_eq!(register(&params).1, Some("8.2/2.3"));
    // Not mandatory: a certificate without the extension says nothing about the model.
    params.custom_extensions = vec![];
    assert!(register(&params).0.is_ok());
}

#[test]
fn another_key_or_algorithm_than_the_certificate_s_is_refused() {
    let root = Authority::root("Maker Root");
    let key = KeyPair::generate().unwrap();
    let leaf = root.issue(&packed_params(), &key);
    let ceremony = Ceremony::new();
    let policy = RegistrationPolicy::attested(root.anchors());
    let other = KeyPair::generate().unwrap();
    let (_, failed) = ceremony.register_observed(&ceremony.packed(&other, &[&leaf]), &policy);
    assert_eq!(failed, Some("8.2/2.1"));
    let signature = key.sign(&ceremony.message()).unwrap();
    for algorithm in [
        Algorithm::Es384,
        Algorithm::Rs256,
        Algorithm::Rs1,
        Algorithm::EdDsa,
    ] {
        let statement = packed_statement(algorithm, &signature, &[&leaf]);
        let object = ceremony.object("packed", &statement);
        assert_eq!(
            ceremony.register_observed(&object, &policy).1,
            Some("8.2/2.1")
        );
    }
}

#[test]
fn self_attestation_proves_possession_only() {
    let ceremony = Ceremony::new();
    let object = ceremony.packed(&ceremony.credential.key, &[]);
    let registration = ceremony
        .register(&object, &RegistrationPolicy::person())
        .unwrap();
    assert_eq!(registration.attestation.kind, AttestationKind::SelfSigned);
    let strict = ceremony.register(&object, &RegistrationPolicy::default());
    assert!(matches!(strict, Err(RegistrationError::Trust { .. })));
    let other = Credential::new();
    let (_, failed) = ceremony.register_observed(
        &ceremony.packed(&other.key, &[]),
        &RegistrationPolicy::person(),
    );
    assert_eq!(failed, Some("8.2/3.2"));
    let signature = ceremony.credential.key.sign(&ceremony.message()).unwrap();
    let esp = packed_statement(Algorithm::Esp256, &signature, &[]);
    let (_, failed) = ceremony.register_observed(
        &ceremony.object("packed", &esp),
        &RegistrationPolicy::person(),
    );
    assert_eq!(failed, Some("8.2/3.1"));
}
