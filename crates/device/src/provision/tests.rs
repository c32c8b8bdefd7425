use hallway_softkey::{Consent, KeyFile, NewKey, Protection, SoftKey};
use hallway_webauthn::{
    AttestationKind, RegistrationPolicy, RegistrationResponse, RelyingParty, TrustAnchor,
    UnixSeconds, verify_registration,
};

use super::*;
use crate::signer::{KeySigner, Signer as _};
use hallway_evidence::statement::device::Enrol;
use hallway_evidence::{Line, Response, Statement, Timestamp};

const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);

fn name() -> MakerName {
    MakerName {
        country: "NL".to_owned(),
        organization: "Lens & Co".to_owned(),
    }
}

fn camera() -> Device {
    Device {
        model: "Camera One".to_owned(),
        aaguid: Aaguid([0xca; 16]),
        serial: "C-0042".to_owned(),
    }
}

/// A device's key in a file enrols, and the relying party reads the serial number.
#[test]
fn a_provisioned_device_enrols() {
    let maker = Maker::generate(name(), NOW).unwrap();
    // As it is kept in files.
    let maker = Maker::load(
        maker.certificate_pem().as_bytes(),
        maker.key_pem().as_bytes(),
    )
    .unwrap();
    let identity = maker.certify(&camera(), NOW).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("camera.key");
    let protection = Protection::OperatorKey([1; 32].into());
    let new = NewKey::certified(
        vec![identity.certificate.clone()],
        &identity.private_key,
        camera().aaguid,
    )
    .unwrap();
    KeyFile::create(&path, &protection, &new).unwrap();

    let key = SoftKey::open(&path, &protection, Consent::Always).unwrap();
    let mut signer = KeySigner::new(key, "https://gate.example");
    let statement = Statement {
        realm: Line::new("gate.example").unwrap(),
        issued: Timestamp::from_ms(1_795_000_000_000),
        nonce: [1; 16],
        act: Enrol {}.into(),
    };
    let signed = signer.register(&statement).unwrap();
    let Response::Registration {
        client_data_json,
        attestation_object,
    } = &signed.response
    else {
        panic!("not a registration");
    };
    let verify = |anchor: &[u8]| {
        let anchors = [TrustAnchor::new("Lens & Co", anchor).unwrap()];
        verify_registration(
            &RelyingParty::new("gate.example", "https://gate.example"),
            &statement.hash(),
            &RegistrationPolicy::device(anchors.into_iter().collect()),
            UnixSeconds::from_ms(statement.issued.as_ms()),
            &RegistrationResponse::new(client_data_json, attestation_object),
        )
    };
    let registration = verify(maker.certificate()).unwrap();
    assert_eq!(registration.aaguid, camera().aaguid);
    let AttestationKind::Certified(certified) = registration.attestation.kind else {
        panic!("not certified");
    };
    assert_eq!(certified.serial_number.as_deref(), Some("C-0042"));
    assert!(certified.subject.contains("Authenticator Attestation"));
    // The device does not verify under another maker of the same name.
    let other = Maker::generate(name(), NOW).unwrap();
    verify(other.certificate()).unwrap_err();
}

#[test]
fn names_that_cannot_stand_in_a_certificate_are_refused() {
    let refused = |country: &str, organization: &str| {
        Maker::generate(
            MakerName {
                country: country.to_owned(),
                organization: organization.to_owned(),
            },
            NOW,
        )
        .err()
        .unwrap()
        .to_string()
    };
    assert!(refused("nl", "Lens").starts_with("the country must be a code"));
    assert!(refused("NLD", "Lens").starts_with("the country"));
    assert!(refused("NL", "").starts_with("the organization"));
    assert!(refused("NL", "a\nb").starts_with("the organization"));
    let maker = Maker::generate(name(), NOW).unwrap();
    for serial in ["", "C_1", "C\u{202e}1", "ü", &"1".repeat(65)] {
        let device = Device {
            serial: serial.to_owned(),
            ..camera()
        };
        assert!(maker.certify(&device, NOW).is_err(), "{serial}");
    }
}

#[test]
fn a_makers_files_must_belong_together() {
    let (one, two) = (
        Maker::generate(name(), NOW).unwrap(),
        Maker::generate(name(), NOW).unwrap(),
    );
    let load = |certificate: &str, key: &str| {
        Maker::load(certificate.as_bytes(), key.as_bytes())
            .err()
            .unwrap()
            .to_string()
    };
    assert_eq!(
        load(&one.certificate_pem(), &two.key_pem()),
        "the maker's certificate and key do not belong together"
    );
    assert_eq!(
        load("", &two.key_pem()),
        "the maker's certificate is not PEM"
    );
    assert_eq!(
        load(&one.certificate_pem(), "x"),
        "the maker's key is not PEM"
    );
    let identity = one.certify(&camera(), NOW).unwrap();
    let (certificate, key) = (
        pem("CERTIFICATE", &identity.certificate),
        pem("PRIVATE KEY", &identity.private_key),
    );
    assert_eq!(
        load(&certificate, &key),
        "the maker's certificate is not a certificate authority's"
    );
}
