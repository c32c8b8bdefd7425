//! How much memory each command takes: the heap by counting, the stack by running the command in
//! threads with ever less of it, each in a process of its own, as a stack that overflows ends the
//! process.
//!
//! `cargo test --workspace --test memory` prints the table that is in docs/keys.md.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod requests;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::Builder;

use hallway_authenticator::{
    Answer, Authenticator, Caller, Change, Clock, Environment, Gesture, Platform, Presence,
    Question, Randomness, RandomnessError, RecordKey, RustCrypto, Settings, SimulatedSensor,
    Storage, StorageError,
};
use hallway_client::{
    AttestationPreference, Client, Connection, ConnectionError, GetAssertion, Keepalive,
    MakeCredential, Next, Pin, User, UserVerification,
};
use hallway_ctap::authenticator_data::AuthenticatorData;
use hallway_ctap::command::preview_sign::{KeyRequest, SignRequest};
use hallway_ctap::command::{Descriptor, answer, make_credential};
use hallway_ctap::cose::Algorithm;
use hallway_ctap::u2f::U2fRequest;
use requests::{RP, assertion, creation};
use zeroize::Zeroizing;

/// No command may take more, even without optimisation.
const MAX_HEAP_BYTES: u64 = 8 * 1024;
const MAX_STACK_BYTES: usize = 48 * 1024;
/// Stack that a thread needs before it gets to the command, and then some.
const PADDING_BYTES: usize = 64 * 1024;
/// The precision with which the stack is measured.
const STEP_BYTES: usize = 512;

const SPLIT: i64 = -300;
const SPLIT_ARKG: i64 = -65539;

/// A machine that can move to another thread.
struct Small;

impl Environment for Small {
    type Storage = Records;
    type Presence = Willing;
    type Clock = Stopped;
    type Randomness = Repeatable;
    type Signatures = RustCrypto;
    type Fingerprints = Option<SimulatedSensor>;
}

#[derive(Default)]
struct Records(BTreeMap<RecordKey, Vec<u8>>);

impl Storage for Records {
    fn read(&self, key: RecordKey) -> Result<Option<Zeroizing<Vec<u8>>>, StorageError> {
        Ok(self.0.get(&key).cloned().map(Zeroizing::new))
    }

    fn each(&self, visit: &mut dyn FnMut(RecordKey, &[u8])) -> Result<(), StorageError> {
        self.0.iter().for_each(|(key, record)| visit(*key, record));
        Ok(())
    }

    fn commit(&mut self, changes: &[Change<'_>]) -> Result<(), StorageError> {
        for change in changes {
            match change {
                Change::Put(key, value) => {
                    self.0.insert(*key, value.to_vec());
                }
                Change::Remove(key) => {
                    self.0.remove(key);
                }
                Change::KeepOnly(keys) => self.0.retain(|key, _| keys.contains(key)),
            }
        }
        Ok(())
    }
}

struct Willing;

impl Presence for Willing {
    fn confirm(&mut self, _: &Question<'_>) -> Answer {
        Answer::Granted
    }
}

struct Stopped;

impl Clock for Stopped {
    fn now_ms(&self) -> u64 {
        0
    }
}

/// Gives each key the same bytes, so that a conversation with one can be replayed to the next.
struct Repeatable(u64);

impl Randomness for Repeatable {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        for byte in bytes {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = (self.0 >> 56) as u8;
        }
        Ok(())
    }
}

type Key = Authenticator<Small>;

fn power_up() -> Key {
    let platform = Platform::<Small> {
        storage: Records::default(),
        presence: Willing,
        clock: Stopped,
        randomness: Repeatable(1),
        signatures: RustCrypto,
        fingerprints: Some(SimulatedSensor::new([Gesture::Finger(1)])),
    };
    let settings = Settings {
        preview_sign: true,
        ..Settings::default()
    };
    Authenticator::power_up(platform, settings).unwrap()
}

/// Keeps what a client says to a key.
struct Recorder {
    key: Key,
    said: Vec<Vec<u8>>,
}

impl Connection for Recorder {
    fn transact(
        &mut self,
        request: &[u8],
        _: &mut dyn FnMut(Keepalive),
    ) -> Result<Vec<u8>, ConnectionError> {
        self.said.push(request.to_vec());
        Ok(self.key.process(Caller::ONLY, request))
    }
}

/// A conversation in which every command occurs.
fn conversation() -> Vec<Vec<u8>> {
    let mut client = Client::new(
        Recorder {
            key: power_up(),
            said: Vec::new(),
        },
        "https://gate.example",
    );
    let mut pin = Pin("27182818".to_string().into());
    client.select().unwrap();
    client.set_pin("31415926").unwrap();
    client.change_pin("31415926", "27182818").unwrap();
    for (user, discoverable) in [(b"ada", true), (b"bob", true), (b"eve", false)] {
        let asked = MakeCredential {
            rp_id: RP,
            rp_name: "Gate",
            user: User {
                id: user,
                name: "somebody",
                display_name: "Some Body",
            },
            challenge: &[1; 32],
            algorithms: &[Algorithm::Es256],
            discoverable,
            user_verification: UserVerification::Required,
            exclude: &[],
            attestation: AttestationPreference::Direct,
        };
        client.make_credential(&asked, &mut pin).unwrap();
    }
    let asked = GetAssertion {
        rp_id: RP,
        challenge: &[2; 32],
        allow: &[],
        user_verification: UserVerification::Required,
        presence: hallway_client::Presence::Required,
    };
    client.get_assertions(&asked, &mut pin).unwrap();
    client.passkeys(&mut pin).unwrap().list().unwrap();
    client.toggle_always_uv(&mut pin).unwrap();
    client.toggle_always_uv(&mut pin).unwrap();
    let mut fingers = client.fingerprints(&mut pin).unwrap();
    fingers.enroll(&mut |_| Next::Sample).unwrap();
    fingers.list().unwrap();
    let read_blobs = [0x0c, 0xa2, 1, 17, 3, 0];
    let register = U2fRequest::Register {
        challenge: &[3; 32],
        application: &[4; 32],
    };
    let mut recorder = client.into_connection();
    for algorithm in [SPLIT_ARKG, SPLIT] {
        make_signing_key(&mut recorder, algorithm);
    }
    let mut said = recorder.said;
    said.push(read_blobs.to_vec());
    said.push(register.encode());
    said.push(vec![7]);
    said
}

/// The credential id, or the key handle in its place.
fn id_of(auth_data: &[u8]) -> &[u8] {
    let data = AuthenticatorData::parse(auth_data).unwrap();
    data.attested_credential.unwrap().credential_id
}

/// Makes a credential with a signing key, and has that sign if it can do so without arguments.
fn make_signing_key(recorder: &mut Recorder, algorithm: i64) {
    let mut request = creation();
    request.options.discoverable = None;
    request.algorithms = vec![Algorithm::Es256.id()];
    request.extensions.preview_sign = Some(KeyRequest {
        algorithms: vec![algorithm],
        flags: None,
    });
    let response = recorder.transact(&request.encode(), &mut |_| {}).unwrap();
    let response = make_credential::Response::parse(&answer(&response).unwrap().unwrap()).unwrap();
    if algorithm == SPLIT {
        let made = response.preview_sign.as_ref().unwrap();
        let mut request = assertion();
        request.allow = Some(vec![Descriptor {
            id: id_of(&response.auth_data),
        }]);
        request.extensions.preview_sign = Some(SignRequest {
            key_handle: Some(id_of(&made.auth_data)),
            to_be_signed: Some(&[5; 32]),
            args: None,
        });
        recorder.transact(&request.encode(), &mut |_| {}).unwrap();
    }
}

fn name(request: &[u8]) -> &'static str {
    match request[0] {
        0 => "U2F register",
        1 => "makeCredential",
        2 => "getAssertion",
        4 => "getInfo",
        6 => "clientPIN",
        7 => "reset",
        8 => "getNextAssertion",
        9 => "bioEnrollment",
        10 => "credentialManagement",
        11 => "selection",
        12 => "largeBlobs",
        13 => "authenticatorConfig",
        other => panic!("command {other} has no name"),
    }
}

fn say(key: &mut Key, request: &[u8]) -> Vec<u8> {
    match request[0] {
        0 => key.process_apdu(request),
        _ => key.process(Caller::ONLY, request),
    }
}

/// A key that has heard the first `count` requests.
fn key_after(said: &[Vec<u8>], count: usize) -> Key {
    let mut key = power_up();
    for request in &said[..count] {
        say(&mut key, request);
    }
    key
}

#[inline(never)]
fn with_padding(work: impl FnOnce()) {
    let padding = black_box([0u8; PADDING_BYTES]);
    work();
    black_box(&padding);
}

/// The child process: says request `number`, or nothing, in a thread with so much stack.
fn probe(conversation: &Path, number: Option<usize>, stack: usize) {
    let text = std::fs::read_to_string(conversation).unwrap();
    let said: Vec<Vec<u8>> = text.lines().map(unhex).collect();
    let mut key = key_after(&said, number.unwrap_or(0));
    let work = move || {
        with_padding(|| {
            if let Some(number) = number {
                black_box(say(&mut key, &said[number]));
            }
        });
    };
    Builder::new()
        .stack_size(stack)
        .spawn(work)
        .unwrap()
        .join()
        .unwrap();
}

/// The least stack with which the child does not overflow.
fn least_stack(conversation: &Path, number: Option<usize>) -> usize {
    let enough = |stack: usize| {
        Command::new(std::env::current_exe().unwrap())
            .arg("--probe")
            .arg(conversation)
            .arg(number.map_or("none".into(), |number| number.to_string()))
            .arg(stack.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    // Without optimisation the padding is on the stack twice.
    let (mut too_little, mut least) = (PADDING_BYTES, 2 * PADDING_BYTES + 2 * MAX_STACK_BYTES);
    assert!(
        enough(least),
        "request {number:?} takes more than {least} bytes of stack"
    );
    while least - too_little > STEP_BYTES {
        let middle = (too_little + least) / 2;
        match enough(middle) {
            true => least = middle,
            false => too_little = middle,
        }
    }
    least
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, conversation, number, stack] = &arguments[..]
        && first == "--probe"
    {
        return probe(
            Path::new(conversation),
            number.parse().ok(),
            stack.parse().unwrap(),
        );
    }
    let said = conversation();
    let path = std::env::temp_dir().join(format!("hallway-memory-{}", std::process::id()));
    let lines: Vec<String> = said.iter().map(|request| hex(request)).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();

    let idle = least_stack(&path, None);
    let mut table: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for (number, request) in said.iter().enumerate() {
        let mut key = key_after(&said, number);
        let counted = allocation_counter::measure(|| {
            let response = say(&mut key, request);
            assert!(
                response[0] == 0 || request[0] == 0,
                "{} failed",
                name(request)
            );
        });
        let stack = least_stack(&path, Some(number)).saturating_sub(idle);
        let (most_stack, most_heap) = table.entry(name(request)).or_default();
        *most_stack = stack.max(*most_stack);
        *most_heap = counted.bytes_max.max(*most_heap);
    }
    std::fs::remove_file(&path).unwrap();

    println!("| command | stack, bytes | heap, bytes |\n| --- | ---: | ---: |");
    for (name, (stack, heap)) in &table {
        println!("| {name} | {stack} | {heap} |");
        assert!(
            *stack <= MAX_STACK_BYTES,
            "{name} takes {stack} bytes of stack"
        );
        assert!(*heap <= MAX_HEAP_BYTES, "{name} takes {heap} bytes of heap");
    }
    assert_eq!(table.len(), 12, "every command was measured");
}
