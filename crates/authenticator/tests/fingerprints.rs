//! Enrolling fingers, and verifying the owner by them, on a sensor that does what a script says.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod virtual_key;

use std::rc::Rc;

use hallway_authenticator::{Caller, Feedback, Gesture, PinUse, Settings, SimulatedSensor};
use hallway_client::{
    AttestationPreference, Client, ClientError, GetAssertion, MakeCredential, Next, NoPin, Pin,
    Presence, User, UserVerification,
};
use hallway_ctap::command::client_pin;
use hallway_ctap::cose::Algorithm;
use hallway_ctap::status::Status;
use virtual_key::{Cut, Hands, VirtualKey};

use Gesture::{Cancel, Finger, Nothing, Spoiled};

const PIN: &str = "27182818";
const RP: &str = "gate.example";

type TestClient = Client<VirtualKey>;

fn pin() -> Pin {
    Pin(PIN.to_string().into())
}

/// A key with a sensor and a PIN.
fn key(script: &[Gesture]) -> (Rc<Hands>, TestClient) {
    let hands = Hands::new();
    happens(&hands, script);
    let mut client = power_up(&hands);
    client.set_pin(PIN).unwrap();
    (hands, client)
}

fn power_up(hands: &Rc<Hands>) -> TestClient {
    Client::new(VirtualKey::power_up(hands), "https://gate.example")
}

fn happens(hands: &Hands, script: &[Gesture]) {
    *hands.sensor.borrow_mut() = Some(SimulatedSensor::new(script.iter().copied()));
}

/// The feedback for each sample, and how many were still missing.
type Samples = Vec<(Feedback, u64)>;

fn enroll(client: &mut TestClient) -> (Result<Vec<u8>, ClientError>, Samples) {
    let mut samples = Vec::new();
    let result = client
        .fingerprints(&mut pin())
        .unwrap()
        .enroll(&mut |progress| {
            samples.push((progress.feedback.unwrap(), progress.remaining));
            match samples.len() {
                8.. => Next::Cancel,
                _ => Next::Sample,
            }
        });
    (result, samples)
}

fn register(client: &mut TestClient) -> Result<u8, ClientError> {
    let asked = MakeCredential {
        rp_id: RP,
        rp_name: "Gate",
        user: User {
            id: b"ada",
            name: "ada",
            display_name: "Ada",
        },
        challenge: &[1; 32],
        algorithms: &[Algorithm::EdDsa],
        discoverable: true,
        user_verification: UserVerification::Required,
        exclude: &[],
        attestation: AttestationPreference::None,
    };
    client.make_credential(&asked, &mut NoPin).map(|_| 0)
}

/// The flags of an assertion.
fn sign(client: &mut TestClient, pin: Option<&str>) -> Result<u8, ClientError> {
    let asked = GetAssertion {
        rp_id: RP,
        challenge: &[2; 32],
        allow: &[],
        user_verification: UserVerification::Required,
        presence: Presence::Required,
    };
    let asserted = match pin {
        Some(pin) => client.get_assertion(&asked, &mut Pin(pin.to_string().into())),
        None => client.get_assertion(&asked, &mut NoPin),
    };
    asserted.map(|asserted| asserted.authenticator_data[32])
}

fn uv_retries(client: &mut TestClient) -> u64 {
    let request = client_pin::Request::new(client_pin::Subcommand::GetUvRetries);
    let bytes = client
        .connection_mut()
        .0
        .process(Caller::ONLY, &request.encode());
    let map = hallway_ctap::command::answer(&bytes).unwrap().unwrap();
    client_pin::Response::parse(&map)
        .unwrap()
        .uv_retries
        .unwrap()
}

#[test]
fn a_finger_is_enrolled_named_listed_and_removed() {
    let spoiled = Spoiled(Feedback::TooFast);
    let (hands, mut client) = key(&[spoiled, Finger(1), Finger(2), Nothing, Finger(1)]);
    let info = client.info().unwrap();
    assert_eq!(info.option("bioEnroll"), Some(false));
    assert_eq!(info.option("uv"), Some(false));

    let (id, samples) = enroll(&mut client);
    let id = id.unwrap();
    assert_eq!(
        samples,
        [
            (Feedback::TooFast, 3),
            (Feedback::Good, 2),
            (Feedback::MergeFailure, 2),
            (Feedback::NoUserActivity, 2),
            (Feedback::Good, 1),
            (Feedback::Good, 0),
        ]
    );
    let mut client = power_up(&hands);
    assert_eq!(client.info().unwrap().option("uv"), Some(true));
    let mut store = client.fingerprints(&mut pin()).unwrap();
    store.rename(&id, "left thumb").unwrap();
    let all = store.list().unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].id, id);
    assert_eq!(all[0].name.as_deref(), Some("left thumb"));
    let unknown = store.rename(b"another", "x").unwrap_err();
    assert_eq!(unknown.status(), Some(Status::InvalidOption));
    let long = store.rename(&id, &"x".repeat(65)).unwrap_err();
    assert_eq!(long.status(), Some(Status::InvalidLength));
    store.remove(&id).unwrap();
    assert_eq!(store.list().unwrap(), []);
    assert_eq!(client.info().unwrap().option("uv"), Some(false));
}

#[test]
fn a_finger_stands_for_touch_and_pin() {
    let (hands, mut client) = key(&[Finger(1)]);
    enroll(&mut client).0.unwrap();
    register(&mut client).unwrap();
    let touches = hands.touches.get();
    assert_eq!(sign(&mut client, None).unwrap() & 0b101, 0b101);
    assert_eq!(hands.touches.get(), touches, "nobody was asked for a touch");
}

#[test]
fn the_same_finger_is_enrolled_once() {
    let (_, mut client) = key(&[Finger(1)]);
    enroll(&mut client).0.unwrap();
    let (again, samples) = enroll(&mut client);
    assert_eq!(again.unwrap_err().status(), Some(Status::KeepaliveCancel));
    assert!(
        samples
            .iter()
            .all(|sample| *sample == (Feedback::Exists, 3))
    );
    let mut store = client.fingerprints(&mut pin()).unwrap();
    assert_eq!(store.list().unwrap().len(), 1);
}

#[test]
fn there_is_room_for_ten_fingers() {
    let (hands, mut client) = key(&[]);
    for finger in 0..10 {
        happens(&hands, &[Finger(finger)]);
        enroll(&mut client).0.unwrap();
    }
    happens(&hands, &[Finger(10)]);
    let full = enroll(&mut client).0.unwrap_err();
    assert_eq!(full.status(), Some(Status::FingerprintDatabaseFull));
}

#[test]
fn fingers_that_do_not_match_leave_the_pin() {
    let (hands, mut client) = key(&[Finger(1)]);
    enroll(&mut client).0.unwrap();
    register(&mut client).unwrap();
    happens(&hands, &[Finger(2)]);
    // Three fingers in one request; the key then asks for the PIN.
    let refused = sign(&mut client, None).unwrap_err();
    assert!(matches!(refused, ClientError::PinNotGiven), "{refused}");
    assert_eq!(uv_retries(&mut client), 2);
    // A power cycle gives no tries back.
    let mut client = power_up(&hands);
    assert!(sign(&mut client, None).is_err());
    assert_eq!(uv_retries(&mut client), 0);
    happens(&hands, &[Finger(1)]);
    assert!(
        sign(&mut client, None).is_err(),
        "blocked for the right finger too"
    );
    // The PIN opens, and unblocks.
    assert_eq!(sign(&mut client, Some(PIN)).unwrap() & 0b101, 0b101);
    assert_eq!(uv_retries(&mut client), 5);
    assert_eq!(sign(&mut client, None).unwrap() & 0b101, 0b101);
}

/// noMcGaPermissionsWithClientPin: a client of such a key asks for no PIN in a ceremony.
#[test]
fn a_pin_that_only_manages_the_key_stands_for_no_finger() {
    let hands = Hands::new();
    happens(&hands, &[Finger(1)]);
    let settings = Settings {
        pin_use: PinUse::Management,
        ..Settings::default()
    };
    let key = VirtualKey::power_up_with(&hands, settings);
    let mut client = Client::new(key, "https://gate.example");
    client.set_pin(PIN).unwrap();
    let refused = register(&mut client).unwrap_err();
    assert!(
        matches!(refused, ClientError::VerificationUnavailable),
        "{refused}"
    );
    enroll(&mut client).0.unwrap();
    register(&mut client).unwrap();
    assert_eq!(sign(&mut client, None).unwrap() & 0b101, 0b101);
    happens(&hands, &[Finger(2)]);
    let refused = sign(&mut client, Some(PIN)).unwrap_err();
    assert_eq!(refused.status(), Some(Status::OperationDenied));
    // The PIN still manages, and gives fingers their tries back.
    assert_eq!(
        client.passkeys(&mut pin()).unwrap().list().unwrap().len(),
        1
    );
    assert_eq!(uv_retries(&mut client), 5);
}

#[test]
fn a_wait_that_ends_without_a_finger_costs_no_try() {
    let (hands, mut client) = key(&[Finger(1)]);
    enroll(&mut client).0.unwrap();
    register(&mut client).unwrap();
    for (gesture, status) in [
        (Nothing, Status::UserActionTimeout),
        (Cancel, Status::KeepaliveCancel),
    ] {
        happens(&hands, &[gesture]);
        assert_eq!(sign(&mut client, None).unwrap_err().status(), Some(status));
        assert_eq!(uv_retries(&mut client), 5);
    }
}

#[test]
fn a_try_is_counted_whenever_the_power_goes() {
    for cut in [Cut::After(0), Cut::Before(1)] {
        let (hands, mut client) = key(&[Finger(1)]);
        enroll(&mut client).0.unwrap();
        register(&mut client).unwrap();
        happens(&hands, &[Finger(2)]);
        hands.commits.set(0);
        hands.cut.set(cut);
        assert!(sign(&mut client, None).is_err());
        hands.dead.set(false);
        hands.cut.set(Cut::Never);
        let mut client = power_up(&hands);
        assert_eq!(uv_retries(&mut client), 4, "{cut:?}");
    }
}

#[test]
fn a_cut_enrolment_leaves_nothing() {
    let (hands, mut client) = key(&[Finger(1)]);
    client.pin_retries().unwrap();
    for (cut, fingers) in [(Cut::Before(1), 0), (Cut::Before(2), 0), (Cut::After(2), 1)] {
        hands.commits.set(0);
        hands.cut.set(cut);
        // The token takes two writes, the finger the third.
        let result = client
            .fingerprints(&mut pin())
            .and_then(|mut store| store.enroll(&mut |_| Next::Sample));
        assert!(result.is_err());
        hands.dead.set(false);
        hands.cut.set(Cut::Never);
        client = power_up(&hands);
        let mut store = client.fingerprints(&mut pin()).unwrap();
        assert_eq!(store.list().unwrap().len(), fingers, "{cut:?}");
    }
}

#[test]
fn a_reset_forgets_fingers() {
    let (hands, mut client) = key(&[Finger(1)]);
    enroll(&mut client).0.unwrap();
    client.reset().unwrap();
    assert_eq!(client.info().unwrap().option("uv"), Some(false));
    let mut client = power_up(&hands);
    assert_eq!(client.info().unwrap().option("bioEnroll"), Some(false));
}

#[test]
fn a_key_without_a_sensor_offers_no_fingerprints() {
    let hands = Hands::new();
    let mut client = power_up(&hands);
    assert_eq!(client.info().unwrap().option("uv"), None);
    assert_eq!(client.info().unwrap().uv_modality, None);
    let refused = client
        .connection_mut()
        .0
        .process(Caller::ONLY, &[9, 0xa1, 6, 0xf5]);
    assert_eq!(refused, [Status::InvalidCommand.code()]);
    assert!(matches!(
        client.fingerprints(&mut NoPin),
        Err(ClientError::NoFingerprints)
    ));
}
