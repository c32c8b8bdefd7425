//! Android key attestation, 8.4.

use hallway_ctap::cose::Algorithm;
use hallway_webauthn::{
    AndroidKeyLists, AndroidSecurityLevel, AttestationKind, Details, RegistrationPolicy,
};
use rcgen::{CustomExtension, KeyPair, SigningKey};

use crate::maker::{Authority, Ceremony, der, packed_statement, sha256, valid_params};

/// A key description; each list is the content of its SEQUENCE.
pub(crate) fn description(
    challenge: &[u8],
    level: u8,
    software: &[u8],
    hardware: &[u8],
) -> Vec<u8> {
    let fields = [
        der(0x02, &[4]),
        der(0x0a, &[level]),
        der(0x02, &[41]),
        der(0x0a, &[level]),
        der(0x04, challenge),
        der(0x04, &[]),
        der(0x30, software),
        der(0x30, hardware),
    ];
    der(0x30, &fields.concat())
}

fn purpose(values: &[u8]) -> Vec<u8> {
    let set: Vec<u8> = values
        .iter()
        .flat_map(|value| der(0x02, &[*value]))
        .collect();
    der(0xa1, &der(0x31, &set))
}

/// [702] EXPLICIT INTEGER.
fn origin(value: u8) -> Vec<u8> {
    [&[0xbf, 0x85, 0x3e, 3][..], &der(0x02, &[value])].concat()
}

/// [600] EXPLICIT NULL.
fn all_applications() -> Vec<u8> {
    vec![0xbf, 0x84, 0x58, 2, 5, 0]
}

pub(crate) fn usual() -> Vec<u8> {
    [purpose(&[2]), origin(0)].concat()
}

type Outcome = (
    Result<hallway_webauthn::Registration, hallway_webauthn::RegistrationError>,
    Option<&'static str>,
);

fn register(lists: AndroidKeyLists, describe: impl FnOnce(&[u8]) -> Vec<u8>) -> Outcome {
    let root = Authority::root("Google");
    let ceremony = Ceremony::new();
    let mut params = valid_params();
    params.custom_extensions = vec![CustomExtension::from_oid_content(
        &[1, 3, 6, 1, 4, 1, 11129, 2, 1, 17],
        describe(&ceremony.client_data_hash()),
    )];
    let leaf = root.issue(&params, &ceremony.credential.key);
    let signature = ceremony.credential.key.sign(&ceremony.message()).unwrap();
    let statement = packed_statement(Algorithm::Es256, &signature, &[&leaf]);
    let policy = RegistrationPolicy {
        android_key: lists,
        ..RegistrationPolicy::attested(root.anchors())
    };
    let object = ceremony.object("android-key", &statement);
    ceremony.register_observed(&object, &policy)
}

#[test]
fn keys_in_a_trusted_environment_and_in_a_security_chip_register() {
    for (level, expected) in [
        (1, AndroidSecurityLevel::TrustedEnvironment),
        (2, AndroidSecurityLevel::StrongBox),
    ] {
        let (result, _) = register(AndroidKeyLists::Hardware, |hash| {
            description(hash, level, &[], &usual())
        });
        let AttestationKind::Certified(certified) = result.unwrap().attestation.kind else {
            panic!();
        };
        let details = Details::AndroidKey {
            attestation: expected,
            key: expected,
        };
        assert_eq!(certified.details, details);
    }
}

#[test]
fn another_challenge_is_refused() {
    let (_, failed) = register(AndroidKeyLists::Hardware, |_| {
        description(&sha256(b"another"), 1, &[], &usual())
    });
    assert_eq!(failed, Some("8.4/4"));
    let (_, failed) = register(AndroidKeyLists::Hardware, |_| vec![0x30, 0]);
    assert_eq!(failed, Some("8.4/4"));
}

#[test]
fn what_software_says_counts_only_where_the_policy_says_so() {
    let software = |hash: &[u8]| description(hash, 0, &usual(), &[]);
    assert_eq!(
        register(AndroidKeyLists::Hardware, software).1,
        Some("8.4/5.2.1")
    );
    assert!(register(AndroidKeyLists::Either, software).0.is_ok());
    // Software cannot override what hardware says.
    let contradiction = |hash: &[u8]| description(hash, 1, &usual(), &origin(2));
    assert_eq!(
        register(AndroidKeyLists::Either, contradiction).1,
        Some("8.4/5.2.1")
    );
    let to_decrypt = |hash: &[u8]| description(hash, 1, &usual(), &purpose(&[1]));
    assert_eq!(
        register(AndroidKeyLists::Either, to_decrypt).1,
        Some("8.4/5.2.2")
    );
}

#[test]
fn origin_and_purpose_must_be_generated_and_sign() {
    let cases: [(Vec<u8>, &str); 7] = [
        ([purpose(&[2]), origin(2)].concat(), "8.4/5.2.1"),
        (purpose(&[2]), "8.4/5.2.1"),
        ([purpose(&[0, 1]), origin(0)].concat(), "8.4/5.2.2"),
        ([purpose(&[2, 1]), origin(0)].concat(), "8.4/5.2.2"),
        ([purpose(&[]), origin(0)].concat(), "8.4/5.2.2"),
        (origin(0), "8.4/5.2.2"),
        ([usual(), origin(0)].concat(), "8.4/4"),
    ];
    for (hardware, step) in cases {
        let (result, failed) = register(AndroidKeyLists::Hardware, |hash| {
            description(hash, 1, &[], &hardware)
        });
        assert!(result.is_err());
        assert_eq!(failed, Some(step));
    }
    let verifies_too = [purpose(&[2, 3]), origin(0)].concat();
    let (result, _) = register(AndroidKeyLists::Hardware, |hash| {
        description(hash, 1, &[], &verifies_too)
    });
    assert!(result.is_ok());
}

#[test]
fn a_key_for_all_applications_is_refused_on_either_list() {
    for (software, hardware) in [
        (all_applications(), usual()),
        (vec![], [usual(), all_applications()].concat()),
    ] {
        let (_, failed) = register(AndroidKeyLists::Hardware, |hash| {
            description(hash, 1, &software, &hardware)
        });
        assert_eq!(failed, Some("8.4/5.1"));
    }
}

#[test]
fn a_certificate_for_another_key_is_refused() {
    let root = Authority::root("Google");
    let ceremony = Ceremony::new();
    let other = KeyPair::generate().unwrap();
    let leaf = root.issue(&valid_params(), &other);
    let signature = other.sign(&ceremony.message()).unwrap();
    let statement = packed_statement(Algorithm::Es256, &signature, &[&leaf]);
    let policy = RegistrationPolicy::attested(root.anchors());
    let object = ceremony.object("android-key", &statement);
    assert_eq!(
        ceremony.register_observed(&object, &policy).1,
        Some("8.4/3")
    );
}
