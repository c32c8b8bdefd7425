//! Secrets leave one key file and work in another.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use hallway_client::{
    AttestationPreference, Client, CreatedCredential, GetAssertion, MakeCredential, NoPin,
    Presence, User, UserVerification,
};
use hallway_ctap::authenticator_data::AuthenticatorData;
use hallway_ctap::cbor::{Form, Map};
use hallway_ctap::cose::{Algorithm, PublicKey};
use hallway_softkey::{
    BackupError, BackupLeave, Consent, KeyFile, KeyFileError, NewKey, Protection, Seed, SoftKey,
};

fn protection() -> Protection {
    Protection::OperatorKey([7; 32].into())
}

fn passphrase(text: &str) -> Protection {
    // An operator's key stands in for a passphrase, which would take long to stretch.
    let mut key = [0; 32];
    key[..text.len()].copy_from_slice(text.as_bytes());
    Protection::OperatorKey(key.into())
}

fn make(folder: &Path, name: &str, new: &NewKey) -> PathBuf {
    let path = folder.join(name);
    KeyFile::create(&path, &protection(), new).unwrap();
    path
}

fn open(path: &Path) -> Client<SoftKey> {
    let key = SoftKey::open(path, &protection(), Consent::Always).unwrap();
    Client::new(key, "https://gate.example")
}

fn leaving() -> NewKey {
    NewKey {
        backup: BackupLeave::Allowed,
        ..NewKey::personal()
    }
}

fn register(client: &mut Client<SoftKey>, user: &str, discoverable: bool) -> CreatedCredential {
    client
        .make_credential(
            &MakeCredential {
                rp_id: "gate.example",
                rp_name: "Gate",
                user: User {
                    id: user.as_bytes(),
                    name: user,
                    display_name: user,
                },
                challenge: &[1; 32],
                algorithms: &[Algorithm::Es256],
                discoverable,
                user_verification: UserVerification::Discouraged,
                exclude: &[],
                attestation: AttestationPreference::Direct,
            },
            &mut NoPin,
        )
        .unwrap()
}

/// Signs in, checks the signature by what was registered, and gives the signature counter.
fn sign_in(client: &mut Client<SoftKey>, registered: &CreatedCredential) -> u32 {
    let asserted = client
        .get_assertion(
            &GetAssertion {
                rp_id: "gate.example",
                challenge: &[2; 32],
                allow: std::slice::from_ref(&registered.credential_id),
                user_verification: UserVerification::Discouraged,
                presence: Presence::Required,
            },
            &mut NoPin,
        )
        .unwrap();
    let object = Map::parse(&registered.attestation_object, Form::Canonical).unwrap();
    let data = object.get("authData").unwrap().bytes().unwrap();
    let data = AuthenticatorData::parse(data).unwrap();
    let key = data.attested_credential.unwrap().public_key;
    let Ok(PublicKey::Ec2 { x, y, .. }) = PublicKey::decode(key) else {
        panic!("not an EC key");
    };
    let hash = digest(&SHA256, &asserted.client_data_json);
    let signed = [&asserted.authenticator_data[..], hash.as_ref()].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, [&[4], x, y].concat())
        .verify(&signed, &asserted.signature)
        .unwrap();
    AuthenticatorData::parse(&asserted.authenticator_data)
        .unwrap()
        .sign_count
}

#[test]
fn a_restored_seed_signs_for_the_same_accounts_and_counts_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut lost = open(&make(folder.path(), "lost", &leaving()));
    let registered = register(&mut lost, "ada", false);
    let count = sign_in(&mut lost, &registered);
    let words = lost
        .connection_mut()
        .backup_seed()
        .unwrap()
        .words()
        .unwrap();
    assert_eq!(words.split(' ').count(), 24);
    drop(lost);

    let new = NewKey {
        seed: Some(Seed::from_words(&words).unwrap()),
        ..NewKey::personal()
    };
    let mut found = open(&make(folder.path(), "found", &new));
    assert!(sign_in(&mut found, &registered) > count);
    // Each file has its own leave: this one was created without.
    let refused = found.connection_mut().backup_seed().err().unwrap();
    assert!(matches!(refused, BackupError::NotAllowed), "{refused}");
}

#[test]
fn passkeys_move_and_an_account_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passkeys");
    let mut old = open(&make(folder.path(), "old", &leaving()));
    let registered = ["ada", "bob"].map(|user| register(&mut old, user, true));
    let backup = old
        .connection_mut()
        .backup_passkeys(&file, &passphrase("a"));
    assert_eq!(backup.unwrap(), 2);
    let again = old
        .connection_mut()
        .backup_passkeys(&file, &passphrase("a"));
    assert!(matches!(
        again,
        Err(BackupError::File(KeyFileError::Exists(_)))
    ));

    let mut new = open(&make(folder.path(), "new", &NewKey::personal()));
    let kept = register(&mut new, "bob", true);
    let wrong = new
        .connection_mut()
        .restore_passkeys(&file, &passphrase("b"));
    assert!(matches!(
        wrong,
        Err(BackupError::File(KeyFileError::WrongProtection))
    ));
    let restored = new
        .connection_mut()
        .restore_passkeys(&file, &passphrase("a"))
        .unwrap();
    assert_eq!((restored.added, restored.kept), (1, 1));
    sign_in(&mut new, &registered[0]);
    sign_in(&mut new, &kept);
    // A second time there is nothing left to add.
    let restored = new
        .connection_mut()
        .restore_passkeys(&file, &passphrase("a"))
        .unwrap();
    assert_eq!((restored.added, restored.kept), (0, 2));
    drop(new);
    // It is on the disk.
    let mut new = open(&folder.path().join("new"));
    assert_eq!(new.connection_mut().discoverable_credentials(), 2);
    sign_in(&mut new, &registered[0]);
}

#[test]
fn nothing_leaves_without_leave_and_without_the_owner() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passkeys");
    let silent = make(folder.path(), "silent", &NewKey::personal());
    let mut silent = open(&silent);
    let silent = silent.connection_mut();
    assert!(!silent.backup_allowed().unwrap());
    assert!(matches!(silent.backup_seed(), Err(BackupError::NotAllowed)));
    assert!(matches!(
        silent.backup_passkeys(&file, &passphrase("a")),
        Err(BackupError::NotAllowed)
    ));

    let path = make(folder.path(), "leaving", &leaving());
    let mut away = SoftKey::open(&path, &protection(), Consent::Never).unwrap();
    assert!(away.backup_allowed().unwrap());
    assert!(matches!(
        away.backup_seed(),
        Err(BackupError::NotConfirmed(_))
    ));
    assert!(matches!(
        away.backup_passkeys(&file, &passphrase("a")),
        Err(BackupError::NotConfirmed(_))
    ));
    assert!(!file.exists());
}

#[test]
fn a_reset_takes_the_seed_and_leaves_the_leave() {
    let folder = tempfile::tempdir().unwrap();
    let mut client = open(&make(folder.path(), "key", &leaving()));
    let before = client.connection_mut().backup_seed().unwrap();
    client.reset().unwrap();
    let after = client.connection_mut().backup_seed().unwrap();
    assert_ne!(before.words().unwrap(), after.words().unwrap());
}
