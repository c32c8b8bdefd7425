//! Secrets leave a key that allows it, and come back whole or not at all.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod virtual_key;

use std::rc::Rc;

use hallway_authenticator::{
    Answer, Authenticator, BackupError, Change, RestoredCredentials, Settings,
};
use hallway_client::{
    AttestationPreference, Client, MakeCredential, NoPin, User, UserVerification,
};
use hallway_ctap::cose::Algorithm;
use virtual_key::{Cut, Hands, Virtual, VirtualKey};
use zeroize::Zeroizing;

type Records = Vec<Zeroizing<Vec<u8>>>;

/// A key that may be backed up.
fn hands() -> Rc<Hands> {
    let hands = Hands::new();
    let Change::Put(key, value) = Authenticator::<Virtual>::allow_backup() else {
        panic!("not a record");
    };
    hands.records.borrow_mut().insert(key, value.to_vec());
    hands
}

fn register(key: VirtualKey, user: &str) -> VirtualKey {
    let mut client = Client::new(key, "https://gate.example");
    let asked = MakeCredential {
        rp_id: "gate.example",
        rp_name: "Gate",
        user: User {
            id: user.as_bytes(),
            name: user,
            display_name: user,
        },
        challenge: &[1; 32],
        algorithms: &[Algorithm::EdDsa],
        discoverable: true,
        user_verification: UserVerification::Discouraged,
        exclude: &[],
        attestation: AttestationPreference::None,
    };
    client.make_credential(&asked, &mut NoPin).unwrap();
    client.into_connection()
}

fn two_passkeys() -> Records {
    let key = register(VirtualKey::power_up(&hands()), "ada");
    let mut key = register(key, "bob");
    key.0.backup_credentials().unwrap()
}

#[test]
fn a_key_without_leave_or_owner_gives_nothing_out() {
    let mut key = VirtualKey::power_up(&Hands::new());
    assert_eq!(key.0.backup_allowed(), Ok(false));
    assert_eq!(key.0.backup_seed(), Err(BackupError::NotAllowed));
    assert_eq!(key.0.backup_credentials(), Err(BackupError::NotAllowed));

    let hands = hands();
    let mut key = VirtualKey::power_up(&hands);
    hands.answer.set(Answer::Denied);
    let refused = BackupError::NotConfirmed(Answer::Denied);
    assert_eq!(key.0.backup_seed(), Err(refused));
    assert_eq!(key.0.backup_credentials(), Err(refused));
    let commits = hands.commits.get();
    assert_eq!(key.0.restore_credentials(&two_passkeys()), Err(refused));
    assert_eq!(hands.commits.get(), commits);
}

#[test]
fn a_key_with_too_little_room_takes_none() {
    let settings = Settings {
        max_discoverable: 2,
        ..Settings::default()
    };
    let key = VirtualKey::power_up_with(&Hands::new(), settings);
    let mut key = register(key, "eve");
    let full = key.0.restore_credentials(&two_passkeys());
    assert_eq!(full, Err(BackupError::Full));
    assert_eq!(key.0.discoverable_credentials(), 1);
    let other = vec![Zeroizing::new(b"not a credential".to_vec())];
    let refused = key.0.restore_credentials(&other);
    assert_eq!(refused, Err(BackupError::NotACredential));
}

#[test]
fn the_power_goes_before_and_after_the_write() {
    let records = two_passkeys();
    for (cut, stored) in [(Cut::Before as fn(usize) -> Cut, 0), (Cut::After, 2)] {
        let hands = Hands::new();
        let mut key = VirtualKey::power_up(&hands);
        hands.cut.set(cut(hands.commits.get()));
        let failed = key.0.restore_credentials(&records);
        assert_eq!(failed, Err(BackupError::Fault));
        // What was not acknowledged is not used either.
        assert_eq!(key.0.discoverable_credentials(), 0);

        hands.cut.set(Cut::Never);
        hands.dead.set(false);
        let mut key = VirtualKey::power_up(&hands);
        assert_eq!(key.0.discoverable_credentials(), stored);
        let again = key.0.restore_credentials(&records).unwrap();
        let wanted = RestoredCredentials {
            added: 2 - stored,
            kept: stored,
        };
        assert_eq!(again, wanted);
        assert_eq!(key.0.discoverable_credentials(), 2);
        let key = register(key, "eve");
        assert_eq!(key.0.discoverable_credentials(), 3);
    }
}
