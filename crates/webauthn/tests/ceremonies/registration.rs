//! The steps of 7.1 that every format shares.

use hallway_ctap::authenticator_data::{AuthenticatorData, Flags};
use hallway_ctap::cose::Algorithm;
use hallway_webauthn::{
    BackupEligibility, RegistrationError, RegistrationPolicy, RegistrationResponse, UserPresence,
    UserVerification, verify_registration,
};

use crate::maker::{CHALLENGE, Ceremony, Credential, NOW, client_data, object, relying_party};

const BOTH: Flags = Flags::from_bits(0x05);

fn failed(ceremony: &Ceremony, policy: &RegistrationPolicy) -> Option<&'static str> {
    let object = ceremony.object("none", &[0xa0]);
    let (result, failed) = ceremony.register_observed(&object, policy);
    assert_eq!(result.is_err(), failed.is_some());
    failed
}

#[test]
fn a_person_s_key_registers() {
    assert_eq!(
        failed(&Ceremony::new(), &RegistrationPolicy::person()),
        None
    );
}

#[test]
fn the_default_policy_refuses_what_nobody_vouches_for() {
    let failed = failed(&Ceremony::new(), &RegistrationPolicy::default());
    assert_eq!(failed, Some("7.1.24"));
}

#[test]
fn other_origins_types_and_challenges_are_refused() {
    let person = RegistrationPolicy::person();
    for (data, step) in [
        (client_data("create", "https://evil-gate.example"), "7.1.9"),
        (client_data("create", "http://gate.example"), "7.1.9"),
        (client_data("get", "https://gate.example"), "7.1.7"),
        (b"{}".to_vec(), "7.1.6"),
        (b"{}{}".to_vec(), "7.1.6"),
    ] {
        let mut ceremony = Ceremony::new();
        ceremony.client_data = data;
        assert_eq!(failed(&ceremony, &person), Some(step));
    }
    let ceremony = Ceremony::new();
    let bytes = ceremony.object("none", &[0xa0]);
    let response = RegistrationResponse::new(&ceremony.client_data, &bytes);
    let other = verify_registration(&relying_party(), b"another one", &person, NOW, &response);
    assert!(matches!(other, Err(RegistrationError::ClientData(_))));
}

#[test]
fn another_relying_party_id_is_refused() {
    let mut ceremony = Ceremony::new();
    ceremony.authenticator_data[0] ^= 1;
    assert_eq!(
        failed(&ceremony, &RegistrationPolicy::person()),
        Some("7.1.14")
    );
}

#[test]
fn presence_and_verification_follow_the_policy() {
    let person = RegistrationPolicy::person();
    let absent = Ceremony::with_flags(Flags::USER_VERIFIED);
    assert_eq!(failed(&absent, &person), Some("7.1.15"));
    let unverified = Ceremony::with_flags(Flags::USER_PRESENT);
    assert_eq!(failed(&unverified, &person), Some("7.1.16"));
    let conditional = RegistrationPolicy {
        user_presence: UserPresence::NotRequired,
        ..person.clone()
    };
    assert_eq!(failed(&absent, &conditional), None);
    let presence_only = RegistrationPolicy {
        user_verification: UserVerification::NotRequired,
        ..person
    };
    assert_eq!(failed(&unverified, &presence_only), None);
}

#[test]
fn backup_flags_must_make_sense_and_suit_the_policy() {
    let person = RegistrationPolicy::person();
    let odd = Ceremony::with_flags(BOTH | Flags::BACKED_UP);
    assert_eq!(failed(&odd, &person), Some("7.1.17"));
    let synchronised = Ceremony::with_flags(BOTH | Flags::BACKED_UP | Flags::BACKUP_ELIGIBLE);
    assert_eq!(failed(&synchronised, &person), None);
    let single = RegistrationPolicy {
        backup: BackupEligibility::SingleDeviceOnly,
        ..person
    };
    assert_eq!(failed(&synchronised, &single), Some("7.1.18"));
}

#[test]
fn an_algorithm_that_was_not_offered_is_refused() {
    let policy = RegistrationPolicy {
        algorithms: vec![Algorithm::Rs256],
        ..RegistrationPolicy::person()
    };
    assert_eq!(failed(&Ceremony::new(), &policy), Some("7.1.20"));
}

#[test]
fn a_key_that_does_not_go_with_its_algorithm_is_refused() {
    // kty, alg and crv in turn, and a compressed point.
    for (at, value) in [(2, 1), (2, 3), (4, 0x22), (4, 0x27), (6, 2), (6, 8)] {
        let credential = Credential::new();
        let mut cose = credential.cose();
        cose[at] = value;
        let ceremony = Ceremony::with_key(credential, &cose, BOTH);
        let step = failed(&ceremony, &RegistrationPolicy::person());
        assert_eq!(step, Some("7.1.20"), "byte {at} is {value}");
    }
}

#[test]
fn duplicate_keys_and_trailing_bytes_are_refused() {
    let person = RegistrationPolicy::person();
    let ceremony = Ceremony::new();
    let mut trailing = ceremony.object("none", &[0xa0]);
    trailing.push(0);
    assert_eq!(
        ceremony.register_observed(&trailing, &person).1,
        Some("7.1.13")
    );

    let mut inside = Ceremony::new();
    inside.authenticator_data.push(0);
    assert_eq!(failed(&inside, &person), Some("7.1.13"));

    // fmt twice.
    let mut twice = ceremony.object("none", &[0xa0]);
    twice[0] = 0xa4;
    twice.extend(b"\x63fmt\x64none");
    assert_eq!(
        ceremony.register_observed(&twice, &person).1,
        Some("7.1.13")
    );

    // A COSE_Key with two algorithms.
    let credential = Credential::new();
    let mut cose = credential.cose();
    cose[0] = 0xa6;
    cose.extend([0x03, 0x26]);
    let ceremony = Ceremony::with_key(credential, &cose, BOTH);
    assert_eq!(failed(&ceremony, &person), Some("7.1.13"));
}

#[test]
fn a_credential_must_be_there_and_be_the_one_that_is_named() {
    let person = RegistrationPolicy::person();
    let ceremony = Ceremony::new();
    let parsed = AuthenticatorData::parse(&ceremony.authenticator_data).unwrap();
    let without = AuthenticatorData {
        attested_credential: None,
        ..parsed
    };
    let bytes = object("none", &[0xa0], &without.encode().unwrap());
    assert_eq!(
        ceremony.register(&bytes, &person),
        Err(RegistrationError::NoCredential)
    );
    let bytes = ceremony.object("none", &[0xa0]);
    let response = RegistrationResponse {
        credential_id: Some(b"another"),
        ..RegistrationResponse::new(&ceremony.client_data, &bytes)
    };
    assert_eq!(
        verify_registration(&relying_party(), CHALLENGE, &person, NOW, &response),
        Err(RegistrationError::CredentialId)
    );
}

#[test]
fn unknown_formats_and_statements_for_none_are_refused() {
    let person = RegistrationPolicy::person();
    let ceremony = Ceremony::new();
    let cases: [(&str, &[u8], &str); 4] = [
        ("None", &[0xa0], "7.1.21"),
        ("tpm2", &[0xa0], "7.1.21"),
        ("none", &[0xa1, 0x61, 0x61, 0x00], "8.7"),
        ("packed", &[0xa0], "8.2/1"),
    ];
    for (format, statement, step) in cases {
        let bytes = ceremony.object(format, statement);
        assert_eq!(ceremony.register_observed(&bytes, &person).1, Some(step));
    }
    // A statement that is no map.
    let bytes = ceremony.object("none", &[0x80]);
    assert!(ceremony.register(&bytes, &person).is_err());
}

#[test]
fn what_is_stored_is_what_was_given() {
    let ceremony = Ceremony::new();
    let bytes = ceremony.object("none", &[0xa0]);
    let transports = vec!["usb".to_owned(); 20];
    let response = RegistrationResponse {
        credential_id: Some(&ceremony.credential.id),
        transports: &transports,
        ..RegistrationResponse::new(&ceremony.client_data, &bytes)
    };
    let person = RegistrationPolicy::person();
    let registration =
        verify_registration(&relying_party(), CHALLENGE, &person, NOW, &response).unwrap();
    let record = registration.credential;
    assert_eq!(record.public_key, ceremony.credential.cose());
    assert_eq!(record.transports.len(), hallway_webauthn::MAX_TRANSPORTS);
    assert!(record.uv_initialized && !record.backup_eligible && !record.backed_up);
}
