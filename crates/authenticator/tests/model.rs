//! Random sequences of commands, checked against a model that fits on a page.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod virtual_key;

use std::collections::BTreeMap;
use std::rc::Rc;

use hallway_authenticator::{Caller, Settings};
use hallway_client::{
    AttestationPreference, Client, ClientError, GetAssertion, MakeCredential, Pin, Presence, User,
    UserVerification,
};
use hallway_ctap::cose::Algorithm;
use hallway_ctap::status::Status;
use proptest::prelude::*;
use virtual_key::{Hands, VirtualKey};

const PINS: [&str; 3] = ["2718281", "31415926", "16180339"];
const RPS: [&str; 2] = ["a.example", "b.example"];
const ROOM: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    SetPin(usize),
    ChangePin(usize, usize),
    Register { rp: usize, user: u8, pin: usize },
    SealedCredential { rp: usize, pin: usize },
    Accounts { rp: usize },
    SignSealed { which: usize, rp: usize },
    Delete { which: usize, pin: usize },
    PowerCycle,
    Reset,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let pin = || 0..PINS.len();
    let rp = || 0..RPS.len();
    prop_oneof![
        2 => pin().prop_map(Step::SetPin),
        2 => (pin(), pin()).prop_map(|(old, new)| Step::ChangePin(old, new)),
        6 => (rp(), 0u8..4, pin()).prop_map(|(rp, user, pin)| Step::Register { rp, user, pin }),
        3 => (rp(), pin()).prop_map(|(rp, pin)| Step::SealedCredential { rp, pin }),
        4 => rp().prop_map(|rp| Step::Accounts { rp }),
        3 => (0usize..4, rp()).prop_map(|(which, rp)| Step::SignSealed { which, rp }),
        3 => (0usize..4, pin()).prop_map(|(which, pin)| Step::Delete { which, pin }),
        4 => Just(Step::PowerCycle),
        1 => Just(Step::Reset),
        2 => (0u64..20_000).prop_map(Step::Wait),
    ]
}

/// What a key is supposed to remember.
#[derive(Default)]
struct Model {
    pin: Option<usize>,
    retries: u8,
    wrong_in_a_row: u8,
    /// Relying party and user to age and credential id.
    passkeys: BTreeMap<(usize, u8), (u32, Vec<u8>)>,
    sealed: Vec<(usize, Vec<u8>)>,
    age: u32,
    since_power_up_ms: u64,
}

impl Model {
    fn new() -> Self {
        Self {
            retries: 8,
            ..Self::default()
        }
    }

    /// Counts a PIN that is entered; returns the expected outcome.
    fn try_pin(&mut self, pin: usize) -> Result<(), Status> {
        let blocked = |model: &Self| match (model.retries, model.wrong_in_a_row) {
            (0, _) => Some(Status::PinBlocked),
            (_, 3..) => Some(Status::PinAuthBlocked),
            _ => None,
        };
        if let Some(status) = blocked(self) {
            return Err(status);
        }
        if self.pin == Some(pin) {
            self.retries = 8;
            self.wrong_in_a_row = 0;
            return Ok(());
        }
        self.retries -= 1;
        self.wrong_in_a_row += 1;
        Err(blocked(self).unwrap_or(Status::PinInvalid))
    }

    /// The same, where a key without a PIN asks for none.
    fn pass(&mut self, pin: usize) -> Result<(), Status> {
        match self.pin {
            Some(_) => self.try_pin(pin),
            None => Ok(()),
        }
    }
}

fn pin(number: usize) -> Pin {
    Pin(PINS[number].to_string().into())
}

fn status<T>(result: &Result<T, ClientError>) -> Result<(), Status> {
    match result {
        Ok(_) => Ok(()),
        Err(error) => Err(error.status().unwrap_or_else(|| panic!("{error}"))),
    }
}

fn register(
    client: &mut Client<VirtualKey>,
    rp: usize,
    user: u8,
    number: usize,
    discoverable: bool,
) -> Result<Vec<u8>, ClientError> {
    let asked = MakeCredential {
        rp_id: RPS[rp],
        rp_name: "",
        user: User {
            id: &[user],
            name: "",
            display_name: "",
        },
        challenge: &[1; 32],
        algorithms: &[Algorithm::EdDsa],
        discoverable,
        user_verification: UserVerification::Preferred,
        exclude: &[],
        attestation: AttestationPreference::None,
    };
    client
        .make_credential(&asked, &mut pin(number))
        .map(|created| created.credential_id)
}

fn silent<'a>(rp: usize, allow: &'a [Vec<u8>]) -> GetAssertion<'a> {
    GetAssertion {
        rp_id: RPS[rp],
        challenge: &[2; 32],
        allow,
        user_verification: UserVerification::Discouraged,
        presence: Presence::Silent,
    }
}

struct Run {
    hands: Rc<Hands>,
    client: Client<VirtualKey>,
    model: Model,
    counter: u32,
}

impl Run {
    fn new() -> Self {
        let hands = Hands::new();
        let client = power_up(&hands);
        Self {
            hands,
            client,
            model: Model::new(),
            counter: 0,
        }
    }

    fn counted(&mut self, authenticator_data: &[u8]) {
        let value = u32::from_be_bytes(authenticator_data[33..37].try_into().unwrap());
        assert!(value > self.counter, "{value} after {}", self.counter);
        self.counter = value;
    }

    fn take(&mut self, step: &Step) {
        let model = &mut self.model;
        match *step {
            Step::SetPin(number) => {
                let expected = match model.pin {
                    Some(_) => Err(Status::PinAuthInvalid),
                    None => Ok(()),
                };
                assert_eq!(status(&self.client.set_pin(PINS[number])), expected);
                if expected.is_ok() {
                    model.pin = Some(number);
                }
            }
            Step::ChangePin(old, new) => {
                let expected = match model.pin {
                    Some(_) => model.try_pin(old),
                    None => Err(Status::PinNotSet),
                };
                let result = self.client.change_pin(PINS[old], PINS[new]);
                assert_eq!(status(&result), expected);
                if expected.is_ok() {
                    model.pin = Some(new);
                }
            }
            Step::Register { rp, user, pin } => {
                let known = model.passkeys.contains_key(&(rp, user));
                let full = model.passkeys.len() == ROOM && !known;
                let expected = model.pass(pin).and(match full {
                    true => Err(Status::KeyStoreFull),
                    false => Ok(()),
                });
                let result = register(&mut self.client, rp, user, pin, true);
                assert_eq!(status(&result), expected);
                if let Ok(id) = result {
                    model.age += 1;
                    model.passkeys.insert((rp, user), (model.age, id));
                }
            }
            Step::SealedCredential { rp, pin } => {
                let expected = model.pass(pin);
                let result = register(&mut self.client, rp, 0, pin, false);
                assert_eq!(status(&result), expected);
                model.sealed.extend(result.ok().map(|id| (rp, id)));
            }
            Step::Accounts { rp } => {
                let mut expected: Vec<(u32, Vec<u8>)> = model
                    .passkeys
                    .iter()
                    .filter(|((of, _), _)| *of == rp)
                    .map(|(_, made)| made.clone())
                    .collect();
                expected.sort_by_key(|(age, _)| std::cmp::Reverse(*age));
                let expected: Vec<Vec<u8>> = expected.into_iter().map(|(_, id)| id).collect();
                let found = self
                    .client
                    .get_assertions(&silent(rp, &[]), &mut pin(0))
                    .unwrap_or_else(|error| {
                        assert_eq!(error.status(), Some(Status::NoCredentials));
                        Vec::new()
                    });
                let ids = found.iter().map(|asserted| &asserted.credential_id);
                assert!(ids.eq(expected.iter()));
                for asserted in &found {
                    self.counted(&asserted.authenticator_data);
                }
            }
            Step::SignSealed { which, rp } => {
                let Some((of, id)) = model.sealed.get(which).cloned() else {
                    return;
                };
                let allow = [id];
                let result = self.client.get_assertion(&silent(rp, &allow), &mut pin(0));
                let expected = match of == rp {
                    true => Ok(()),
                    false => Err(Status::NoCredentials),
                };
                assert_eq!(status(&result), expected);
                if let Ok(asserted) = result {
                    self.counted(&asserted.authenticator_data);
                }
            }
            Step::Delete { which, pin: number } => {
                let chosen = model.passkeys.keys().nth(which).copied();
                let (Some(_), Some(chosen)) = (model.pin, chosen) else {
                    return;
                };
                let expected = model.try_pin(number);
                let result = self.client.passkeys(&mut pin(number));
                assert_eq!(status(&result), expected);
                if let Ok(mut store) = result {
                    let (_, id) = model.passkeys.remove(&chosen).unwrap();
                    store.delete(&id).unwrap();
                    assert_eq!(status(&store.delete(&id)), Err(Status::NoCredentials));
                }
            }
            Step::PowerCycle => {
                self.client = power_up(&self.hands);
                model.wrong_in_a_row = 0;
                model.since_power_up_ms = 0;
            }
            Step::Reset => {
                let expected = match model.since_power_up_ms > 10_000 {
                    true => Err(Status::NotAllowed),
                    false => Ok(()),
                };
                assert_eq!(status(&self.client.reset()), expected);
                if expected.is_ok() {
                    for (rp, id) in &model.sealed {
                        let allow = [id.clone()];
                        let asked = silent(*rp, &allow);
                        let result = self.client.get_assertion(&asked, &mut pin(0));
                        assert_eq!(status(&result), Err(Status::NoCredentials));
                    }
                    let since_power_up_ms = model.since_power_up_ms;
                    *model = Model {
                        since_power_up_ms,
                        ..Model::new()
                    };
                }
            }
            Step::Wait(ms) => {
                self.hands.now_ms.set(self.hands.now_ms.get() + ms);
                model.since_power_up_ms += ms;
            }
        }
        let retries = self.client.pin_retries();
        match self.model.pin {
            Some(_) => assert_eq!(retries.unwrap(), u64::from(self.model.retries)),
            None => assert_eq!(status(&retries), Err(Status::PinNotSet)),
        }
    }
}

fn power_up(hands: &Rc<Hands>) -> Client<VirtualKey> {
    let settings = Settings {
        max_discoverable: ROOM as u16,
        ..Settings::default()
    };
    Client::new(
        VirtualKey::power_up_with(hands, settings),
        "https://gate.example",
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_key_remembers_what_the_model_remembers(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let mut run = Run::new();
        for step in &steps {
            run.take(step);
        }
    }

    /// Every request gets an answer: a status that CTAP defines, and nothing after a failure.
    #[test]
    fn any_bytes_get_an_answer(
        requests in proptest::collection::vec(
            (1u8..0x0e, proptest::collection::vec(any::<u8>(), 0..80)),
            1..30
        )
    ) {
        let hands = Hands::new();
        let mut key = VirtualKey::power_up(&hands);
        for (command, body) in requests {
            let response = key.0.process(Caller::ONLY, &[&[command], &body[..]].concat());
            let status = Status::from_code(response[0]);
            prop_assert!(status.is_some());
            if status != Some(Status::Ok) {
                prop_assert_eq!(response.len(), 1);
            }
            let _ = key.0.process_apdu(&body);
        }
    }
}
