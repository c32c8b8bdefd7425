//! The power goes before and after every single write of every command that writes: the key is in
//! its old state or in its new one, no PIN try comes back, no credential is lost, and no value of
//! the signature counter is given twice.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod virtual_key;

use std::rc::Rc;

use hallway_authenticator::Caller;
use hallway_client::{
    AttestationPreference, Client, ClientError, GetAssertion, MakeCredential, NoPin, Pin, Presence,
    User, UserVerification,
};
use hallway_ctap::command::config::PinPolicy;
use hallway_ctap::command::large_blobs;
use hallway_ctap::cose::Algorithm;
use virtual_key::{Cut, Hands, Records, VirtualKey};

const PIN: &str = "27182818";
const RP: &str = "gate.example";

type TestClient = Client<VirtualKey>;

fn client(hands: &Rc<Hands>) -> TestClient {
    Client::new(VirtualKey::power_up(hands), "https://gate.example")
}

fn pin(text: &str) -> Pin {
    Pin(text.to_string().into())
}

fn register(
    client: &mut TestClient,
    user: &str,
    discoverable: bool,
) -> Result<Vec<u8>, ClientError> {
    let asked = MakeCredential {
        rp_id: RP,
        rp_name: "Gate",
        user: User {
            id: user.as_bytes(),
            name: user,
            display_name: user,
        },
        challenge: &[1; 32],
        algorithms: &[Algorithm::EdDsa],
        discoverable,
        user_verification: UserVerification::Preferred,
        exclude: &[],
        attestation: AttestationPreference::None,
    };
    client
        .make_credential(&asked, &mut pin(PIN))
        .map(|created| created.credential_id)
}

fn sign(client: &mut TestClient) -> Result<u32, ClientError> {
    let asked = GetAssertion {
        rp_id: RP,
        challenge: &[2; 32],
        allow: &[],
        user_verification: UserVerification::Discouraged,
        presence: Presence::Silent,
    };
    let asserted = client.get_assertion(&asked, &mut NoPin)?;
    let counter = &asserted.authenticator_data[33..37];
    Ok(u32::from_be_bytes(counter.try_into().unwrap()))
}

/// Everything that a client can see of a key, but for its counters.
#[derive(Clone, PartialEq, Eq, Debug)]
struct State {
    pin_works: Vec<bool>,
    options: Vec<(String, bool)>,
    min_pin_length: Option<u64>,
    must_change_pin: Option<bool>,
    accounts: Vec<(Vec<u8>, Option<String>)>,
    blobs: Vec<u8>,
    old_handle_signs: bool,
}

/// PINs that some scenario may have set.
const PINS: [&str; 2] = [PIN, "31415926"];

fn observe(records: &Records, handle: &[u8]) -> State {
    // Each question is put to a copy: looking changes nothing.
    let copy = || Hands::holding(records.clone(), 99);
    let mut key = client(&copy());
    let info = key.info().unwrap().clone();
    let pin_works: Vec<bool> = PINS
        .iter()
        .map(|text| {
            let result = client(&copy()).passkeys(&mut pin(text)).map(|_| ());
            match result {
                Ok(()) => true,
                // The right PIN may have to be changed.
                Err(error) => {
                    error.status() == Some(hallway_ctap::status::Status::PinPolicyViolation)
                }
            }
        })
        .collect();
    // With the PIN, if there is one, names are told too.
    let asked = GetAssertion {
        rp_id: RP,
        challenge: &[2; 32],
        allow: &[],
        user_verification: UserVerification::Discouraged,
        presence: Presence::Silent,
    };
    let mut accounts: Vec<(Vec<u8>, Option<String>)> = match key.get_assertions(&asked, &mut NoPin)
    {
        Ok(all) => all
            .into_iter()
            .filter_map(|a| Some((a.user_handle?, None)))
            .collect(),
        Err(_) => Vec::new(),
    };
    if pin_works[0]
        && let Ok(mut store) = client(&copy()).passkeys(&mut pin(PIN))
    {
        accounts = store
            .list()
            .unwrap()
            .into_iter()
            .map(|passkey| (passkey.user.id, passkey.user.name))
            .collect();
    }
    let mut blobs = VirtualKey::power_up(&copy());
    let read = large_blobs::Request {
        get: Some(2000),
        offset: Some(0),
        ..large_blobs::Request::default()
    };
    let allow = [handle.to_vec()];
    let by_handle = GetAssertion {
        allow: &allow,
        ..asked
    };
    State {
        pin_works,
        options: info.options,
        min_pin_length: info.min_pin_length,
        must_change_pin: info.force_pin_change,
        accounts,
        blobs: blobs.0.process(Caller::ONLY, &read.encode()),
        old_handle_signs: client(&copy())
            .get_assertion(&by_handle, &mut NoPin)
            .is_ok(),
    }
}

/// Something that a client does.
type Act = fn(&mut TestClient) -> Result<(), ClientError>;

/// A key with a sealed credential and a passkey, and what `prepare` adds; then the power goes at
/// every moment of `act`.
fn cut_everywhere(name: &str, prepare: Act, act: Act) {
    let hands = Hands::new();
    let mut key = client(&hands);
    let handle = register(&mut key, "sealed", false).unwrap();
    register(&mut key, "first", true).unwrap();
    prepare(&mut key).unwrap();
    drop(key);
    let before = hands.records.borrow().clone();
    let old = observe(&before, &handle);

    let run = |cut: Cut| {
        let hands = Hands::holding(before.clone(), 7);
        let mut key = client(&hands);
        let at_start = hands.commits.get();
        hands.cut.set(match cut {
            Cut::Never => Cut::Never,
            Cut::Before(n) => Cut::Before(at_start + n),
            Cut::After(n) => Cut::After(at_start + n),
        });
        let result = act(&mut key);
        let commits = hands.commits.get() - at_start;
        let records = hands.records.borrow().clone();
        (result, commits, records)
    };
    let (result, commits, after) = run(Cut::Never);
    result.unwrap();
    let new = observe(&after, &handle);
    assert!(commits > 0, "{name} writes nothing");
    let mut seen_old = false;
    for number in 0..commits {
        for cut in [Cut::Before(number), Cut::After(number)] {
            let (result, _, records) = run(cut);
            assert!(result.is_err(), "{name}: {cut:?} went unnoticed");
            let state = observe(&records, &handle);
            assert!(
                state == old || state == new,
                "{name}: {cut:?} left {state:?}, neither {old:?} nor {new:?}"
            );
            seen_old |= state == old;
        }
    }
    assert!(
        seen_old,
        "{name}: the first write alone made the new state durable"
    );
}

fn nothing(_: &mut TestClient) -> Result<(), ClientError> {
    Ok(())
}

fn with_pin(key: &mut TestClient) -> Result<(), ClientError> {
    key.set_pin(PIN)
}

#[test]
fn making_a_passkey() {
    cut_everywhere("make", nothing, |key| {
        register(key, "second", true).map(|_| ())
    });
}

#[test]
fn making_a_passkey_with_a_pin() {
    cut_everywhere("make", with_pin, |key| {
        register(key, "second", true).map(|_| ())
    });
}

#[test]
fn replacing_a_passkey() {
    cut_everywhere("replace", with_pin, |key| {
        register(key, "first", true).map(|_| ())
    });
}

#[test]
fn setting_a_pin() {
    cut_everywhere("set PIN", nothing, with_pin);
}

#[test]
fn changing_a_pin() {
    cut_everywhere("change PIN", with_pin, |key| key.change_pin(PIN, PINS[1]));
}

#[test]
fn deleting_a_passkey() {
    cut_everywhere("delete", with_pin, |key| {
        let mut store = key.passkeys(&mut pin(PIN))?;
        let passkey = store.list()?.remove(0);
        store.delete(&passkey.credential_id)
    });
}

#[test]
fn renaming_a_passkey() {
    cut_everywhere("rename", with_pin, |key| {
        let mut store = key.passkeys(&mut pin(PIN))?;
        let passkey = store.list()?.remove(0);
        let user = User {
            id: b"first",
            name: "renamed",
            display_name: "",
        };
        store.rename(&passkey.credential_id, user)
    });
}

#[test]
fn always_demanding_verification() {
    cut_everywhere("alwaysUv", nothing, |key| key.toggle_always_uv(&mut NoPin));
}

#[test]
fn making_the_pin_policy_stricter() {
    cut_everywhere("PIN policy", with_pin, |key| {
        let policy = PinPolicy {
            new_min_pin_length: Some(10),
            ..PinPolicy::default()
        };
        key.set_pin_policy(policy, &mut pin(PIN))
    });
}

#[test]
fn resetting() {
    cut_everywhere("reset", with_pin, |key| key.reset());
}

#[test]
fn a_wrong_pin_costs_a_try_whenever_the_power_goes() {
    let hands = Hands::new();
    client(&hands).set_pin(PIN).unwrap();
    let before = hands.records.borrow().clone();
    for (cut, left) in [
        // The try is written first: before that, nothing was compared.
        (Cut::Before(0), 8),
        (Cut::After(0), 7),
        (Cut::Never, 7),
    ] {
        let hands = Hands::holding(before.clone(), 3);
        let mut key = client(&hands);
        hands.cut.set(match cut {
            Cut::Before(n) => Cut::Before(hands.commits.get() + n),
            Cut::After(n) => Cut::After(hands.commits.get() + n),
            Cut::Never => Cut::Never,
        });
        let refused = key.passkeys(&mut pin("wrong")).map(|_| ()).unwrap_err();
        let expected = match cut {
            // A fault never tells whether the PIN was right.
            Cut::Before(_) | Cut::After(_) => hallway_ctap::status::Status::Other,
            Cut::Never => hallway_ctap::status::Status::PinInvalid,
        };
        assert_eq!(refused.status(), Some(expected));
        hands.dead.set(false);
        hands.cut.set(Cut::Never);
        assert_eq!(client(&hands).pin_retries().unwrap(), left, "{cut:?}");
    }
}

#[test]
fn no_counter_value_is_given_twice() {
    let hands = Hands::new();
    let mut key = client(&hands);
    register(&mut key, "first", true).unwrap();
    let mut last = 0;
    for round in 0..40 {
        // Power goes at another moment each time, mostly without any write in between.
        let cut = hands.commits.get() + round % 3;
        hands.cut.set(if round % 2 == 0 {
            Cut::Before(cut)
        } else {
            Cut::After(cut)
        });
        for _ in 0..700 {
            match sign(&mut key) {
                Ok(value) => {
                    assert!(value > last, "{value} after {last}");
                    last = value;
                }
                Err(_) => break,
            }
        }
        hands.dead.set(false);
        hands.cut.set(Cut::Never);
        key = client(&hands);
    }
    assert!(last > 10_000);
}
