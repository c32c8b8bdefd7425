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

fn maker() -> Maker {
    Maker {
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
    let authority = Authority::generate(maker(), NOW).unwrap();
    // As it is kept in files.
    let authority = Authority::load(
        authority.certificate_pem().as_bytes(),
        authority.key_pem().as_bytes(),
    )
    .unwrap();
    let identity = authority.certify(&camera(), NOW).unwrap();
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
    let registration = verify(authority.certificate()).unwrap();
    assert_eq!(registration.aaguid, camera().aaguid);
    let AttestationKind::Certified(certified) = registration.attestation.kind else {
        panic!("not certified");
    };
    assert_eq!(certified.serial_number.as_deref(), Some("C-0042"));
    assert!(certified.subject.contains("Authenticator Attestation"));
    // The device does not verify under another authority of the same name.
    let other = Authority::generate(maker(), NOW).unwrap();
    verify(other.certificate()).unwrap_err();
}

#[test]
fn names_that_cannot_stand_in_a_certificate_are_refused() {
    let refused = |country: &str, organization: &str| {
        Authority::generate(
            Maker {
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
    let authority = Authority::generate(maker(), NOW).unwrap();
    for serial in ["", "C_1", "C\u{202e}1", "ü", &"1".repeat(65)] {
        let device = Device {
            serial: serial.to_owned(),
            ..camera()
        };
        assert!(authority.certify(&device, NOW).is_err(), "{serial}");
    }
}

#[test]
fn an_authoritys_files_must_belong_together() {
    let (one, two) = (
        Authority::generate(maker(), NOW).unwrap(),
        Authority::generate(maker(), NOW).unwrap(),
    );
    let load = |certificate: &str, key: &str| {
        Authority::load(certificate.as_bytes(), key.as_bytes())
            .err()
            .unwrap()
            .to_string()
    };
    assert_eq!(
        load(&one.certificate_pem(), &two.key_pem()),
        "the authority's certificate and key do not belong together"
    );
    assert_eq!(
        load("", &two.key_pem()),
        "the authority's certificate is not PEM"
    );
    assert_eq!(
        load(&one.certificate_pem(), "x"),
        "the authority's key is not PEM"
    );
    let identity = one.certify(&camera(), NOW).unwrap();
    let (certificate, key) = (
        pem("CERTIFICATE", &identity.certificate),
        pem("PRIVATE KEY", &identity.private_key),
    );
    assert_eq!(
        load(&certificate, &key),
        "the authority's certificate is not an authority's"
    );
}
