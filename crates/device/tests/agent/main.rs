//! The agent with a provisioned key, against a gateway that fails in every way it may.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, missing_docs, reason = "a test has no interface")]

mod clock;
mod gateway;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clock::VirtualClock;
use gateway::{Fault, Shareable};
use hallway_ctap::aaguid::Aaguid;
use hallway_device::protocol::State;
use hallway_device::provision::{Authority, Device, Maker};
use hallway_device::{
    Agent, AgentError, Event, Freshness, Gateway, KeySigner, Settings, Signer, SignerError, Until,
};
use hallway_evidence::statement::device::Delivery;
use hallway_evidence::{
    CredentialId, CredentialIdError, SignedStatement, Statement, Timestamp, jpeg,
};
use hallway_softkey::{Consent, KeyFile, NewKey, Protection, SoftKey};
use serde_json::json;

/// A device in its folder, and a gateway.
struct Stage {
    folder: tempfile::TempDir,
    clock: VirtualClock,
    origin: String,
    world: Shareable,
    events: Arc<Mutex<Vec<Event>>>,
}

const PROTECTION: fn() -> Protection = || Protection::OperatorKey([1; 32].into());

impl Stage {
    async fn new() -> Self {
        let now = Timestamp::from(std::time::SystemTime::now());
        let maker = Maker {
            country: "NL".to_owned(),
            organization: "Lens & Co".to_owned(),
        };
        let authority = Authority::generate(maker, now).unwrap();
        let device = Device {
            model: "Camera".to_owned(),
            aaguid: Aaguid([0xca; 16]),
            serial: "C-0042".to_owned(),
        };
        let identity = authority.certify(&device, now).unwrap();
        let new = NewKey::certified(
            vec![identity.certificate.clone()],
            &identity.private_key,
            device.aaguid,
        )
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("photos")).unwrap();
        KeyFile::create(&folder.path().join("key"), &PROTECTION(), &new).unwrap();
        let clock = VirtualClock::new();
        let (origin, world) = gateway::serve(authority.certificate().to_vec(), clock.clone()).await;
        Self {
            folder,
            clock,
            origin,
            world,
            events: Arc::default(),
        }
    }

    /// A device that an owner has taken already.
    async fn registered() -> Self {
        let stage = Self::new().await;
        stage.claim_when_announced();
        stage.drain().await;
        stage.events.lock().unwrap().clear();
        stage
    }

    fn claim_when_announced(&self) {
        let world = self.world.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(2)).await;
                let mut world = world.lock().unwrap();
                if world.announced > 0 && world.state == State::Announced {
                    world.state = State::Registered;
                    return;
                }
            }
        });
    }

    fn photos(&self) -> std::path::PathBuf {
        self.folder.path().join("photos")
    }

    fn drop_file(&self, name: &str, bytes: &[u8]) {
        fs::write(self.photos().join(name), bytes).unwrap();
    }

    fn settings(&self) -> Settings {
        Settings {
            until: Until::Drained,
            ..Settings::new(self.photos())
        }
    }

    fn agent(&self, settings: Settings) -> Result<Agent<KeySigner<SoftKey>>, AgentError> {
        let gateway = Gateway::new(&self.origin, None).unwrap();
        let key = self.folder.path().join("key");
        let key = SoftKey::open(&key, &PROTECTION(), Consent::Always).unwrap();
        let signer = KeySigner::new(key, &gateway.origin());
        let events = self.events.clone();
        Agent::open(
            settings,
            gateway,
            signer,
            Arc::new(self.clock.clone()),
            move |event| {
                events.lock().unwrap().push(event.clone());
            },
        )
    }

    /// Runs an agent until the folder is empty.
    async fn drain(&self) {
        self.run(self.settings()).await.unwrap();
    }

    async fn run(&self, settings: Settings) -> Result<(), AgentError> {
        let agent = self.agent(settings)?;
        let run = agent.run(std::future::pending());
        match tokio::time::timeout(Duration::from_secs(30), run).await {
            Ok(result) => result,
            Err(_) => panic!("the agent does not come to an end: {:#?}", self.told()),
        }
    }

    /// Runs an agent for a while and then drops it wherever it is.
    async fn run_for(&self, real: Duration) {
        let settings = Settings::new(self.photos());
        let run = self.agent(settings).unwrap().run(std::future::pending());
        if let Ok(ended) = tokio::time::timeout(real, run).await {
            panic!("the agent ended: {ended:?}");
        }
    }

    fn told(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        events.iter().map(ToString::to_string).collect()
    }

    fn left(&self) -> Vec<String> {
        names(&self.photos())
    }

    fn accepted(&self) -> Vec<(String, u64, Delivery)> {
        let world = self.world.lock().unwrap();
        world
            .accepted
            .iter()
            .map(|accepted| {
                let terms = &accepted.terms;
                (
                    terms.payload.file_name.to_string(),
                    terms.sequence,
                    terms.delivery,
                )
            })
            .collect()
    }

    fn accepted_names(&self) -> Vec<String> {
        self.accepted().into_iter().map(|(name, ..)| name).collect()
    }

    fn fault(&self, fault: Fault) {
        self.world.lock().unwrap().faults.push_back(fault);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".hallway")
        .collect();
    names.sort();
    names
}

fn picture(extra: u8) -> Vec<u8> {
    let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe0, 0, 7, b'J', b'F', b'I', b'F', 0];
    jpeg.extend([0xff, 0xda, 0, 2, 1, 2, extra, 4, 0xff, 0xd9]);
    jpeg
}

#[tokio::test]
async fn a_device_enrols_shows_its_code_and_sends_in_order() {
    let stage = Stage::new().await;
    stage.drop_file("a.jpg", &picture(1));
    stage.drop_file("b.txt", b"a reading");
    stage.claim_when_announced();
    let keep = stage.folder.path().join("kept");
    let settings = Settings {
        keep: Some(keep.clone()),
        ..stage.settings()
    };
    stage.run(settings).await.unwrap();
    assert!(stage.left().is_empty(), "{:?}", stage.left());
    let sequences: Vec<u64> = stage
        .accepted()
        .iter()
        .map(|(_, sequence, _)| *sequence)
        .collect();
    assert_eq!(sequences, [1, 2]);
    let told = stage.told();
    assert!(
        told[0].starts_with("to take this device, type BCDF-GHJK at http"),
        "{told:?}"
    );
    assert!(
        told.contains(&"registered: C-0042, owned by Emily".to_owned()),
        "{told:?}"
    );

    assert_eq!(names(&keep), ["a.jpg", "b.txt", "b.txt.evidence"]);
    let (original, bundle) = jpeg::extract(&fs::read(keep.join("a.jpg")).unwrap()).unwrap();
    assert_eq!(original, picture(1));
    // The transaction, and the enrolment that it rests on.
    assert_eq!(bundle.unwrap().0.len(), 2);
    assert_eq!(fs::read(keep.join("b.txt")).unwrap(), b"a reading");
}

#[tokio::test]
async fn kept_copies_are_neither_doubled_nor_written_over() {
    let stage = Stage::registered().await;
    let keep = stage.folder.path().join("kept");
    let settings = || Settings {
        keep: Some(keep.clone()),
        ..stage.settings()
    };
    for bytes in [picture(1), picture(2)] {
        stage.drop_file("a.jpg", &bytes);
        stage.drop_file("b.txt", &bytes);
        stage.run(settings()).await.unwrap();
    }
    let all = names(&keep);
    assert_eq!(all.len(), 6, "{all:?}");
    // As if the power had gone between the copy and the end of the transaction: it is sent again,
    // and the answer is the receipt of before.
    let spool = stage.photos().join(".hallway");
    stage.drop_file("a.jpg", &picture(3));
    stage.fault(Fault::LoseAnswer);
    stage.run_for(Duration::from_millis(30)).await;
    let waiting = names(&spool)
        .into_iter()
        .find(|name| name.ends_with(".signed"));
    let waiting = spool.join(waiting.unwrap());
    let entry = fs::read(&waiting).unwrap();
    stage.run(settings()).await.unwrap();
    assert_eq!(names(&keep).len(), 7);
    fs::write(&waiting, entry).unwrap();
    stage.drop_file("a.jpg", &picture(3));
    stage.run(settings()).await.unwrap();
    assert_eq!(names(&keep).len(), 7);
    assert_eq!(stage.accepted().len(), 5);
}

#[tokio::test]
async fn a_restart_goes_on_with_the_same_registration() {
    let stage = Stage::registered().await;
    stage.drop_file("a.txt", b"a");
    stage.drain().await;
    stage.drop_file("b.txt", b"b");
    stage.drain().await;
    assert_eq!(stage.world.lock().unwrap().announced, 1);
    let sequences: Vec<u64> = stage
        .accepted()
        .iter()
        .map(|(_, sequence, _)| *sequence)
        .collect();
    assert_eq!(sequences, [1, 2]);
}

#[tokio::test]
async fn a_restart_shows_the_same_code_again() {
    let stage = Stage::new().await;
    stage.run_for(Duration::from_millis(300)).await;
    stage.run_for(Duration::from_millis(300)).await;
    let codes = stage
        .told()
        .iter()
        .filter(|line| line.contains("BCDF-GHJK"))
        .count();
    assert_eq!(codes, 2);
    assert_eq!(stage.world.lock().unwrap().announced, 1);
}

#[tokio::test]
async fn outages_and_lost_answers_lose_nothing_and_double_nothing() {
    let stage = Stage::registered().await;
    for n in 0..6 {
        stage.drop_file(&format!("{n}.txt"), format!("reading {n}").as_bytes());
    }
    for fault in [
        Fault::Busy,
        Fault::LoseAnswer,
        Fault::Busy,
        Fault::LoseAnswer,
        Fault::LoseAnswer,
    ] {
        stage.fault(fault);
    }
    stage.drain().await;
    assert!(stage.left().is_empty());
    let mut names = stage.accepted_names();
    names.sort();
    names.dedup();
    assert_eq!((names.len(), stage.accepted().len()), (6, 6));
    assert!(stage.world.lock().unwrap().attempts > 6);
}

#[tokio::test]
async fn dropped_at_any_moment_it_accepts_each_file_once() {
    let stage = Stage::registered().await;
    for n in 0..12 {
        stage.drop_file(&format!("{n:02}.txt"), format!("reading {n}").as_bytes());
    }
    for round in 0..25u64 {
        if round % 3 == 0 {
            stage.fault(Fault::LoseAnswer);
        }
        stage.run_for(Duration::from_millis(2 + round)).await;
    }
    stage.drain().await;
    assert!(stage.left().is_empty());
    let mut names = stage.accepted_names();
    let sequences: Vec<u64> = stage
        .accepted()
        .iter()
        .map(|(_, sequence, _)| *sequence)
        .collect();
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
    names.sort();
    let expected: Vec<String> = (0..12).map(|n| format!("{n:02}.txt")).collect();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn numbers_that_the_gateway_has_seen_are_not_used_again() {
    let stage = Stage::registered().await;
    stage.run_for(Duration::from_millis(100)).await;
    // As if the folder's state had been restored from an old copy, after the device asked.
    stage.world.lock().unwrap().last_sequence = 100;
    stage.fault(Fault::Refuse(
        409,
        json!({ "code": "out-of-order", "detail": "seen", "last_sequence": 100 }),
    ));
    stage.drop_file("a.txt", b"a");
    stage.drop_file("b.txt", b"b");
    stage.drain().await;
    let sequences: Vec<u64> = stage
        .accepted()
        .iter()
        .map(|(_, sequence, _)| *sequence)
        .collect();
    assert!(
        sequences.iter().all(|sequence| *sequence > 100),
        "{sequences:?}"
    );
    assert_eq!(sequences.len(), 2);
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_by_the_gateways() {
    for ahead_ms in [86_400_000, -86_400_000] {
        let stage = Stage::registered().await;
        stage.world.lock().unwrap().ahead_ms = ahead_ms;
        stage.drop_file("a.txt", b"a");
        stage.drain().await;
        assert_eq!(stage.accepted_names(), ["a.txt"]);
        let world = stage.world.lock().unwrap();
        let gateway_now = stage.clock.read().as_ms().saturating_add_signed(ahead_ms);
        let taken = world.accepted[0].terms.taken.as_ms();
        assert!(
            gateway_now.abs_diff(taken) < 300_000,
            "off by {}",
            gateway_now.abs_diff(taken)
        );
        drop(world);
        let told = stage.told().join("\n");
        assert!(told.contains("this device's clock is 86"), "{told}");
    }
}

#[tokio::test]
async fn a_receipt_that_does_not_hold_removes_nothing() {
    for fault in [Fault::ForeignReceipt, Fault::WrongReceipt] {
        let stage = Stage::registered().await;
        stage.drop_file("a.txt", b"a");
        for _ in 0..1000 {
            stage.fault(fault.clone());
        }
        // The first time the receipt is wrong; afterwards it was accepted before.
        stage.world.lock().unwrap().faults.truncate(1);
        let checked = stage.events.clone();
        let photos = stage.photos();
        let agent = stage.agent(stage.settings()).unwrap();
        let watch = async move {
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let told = checked.lock().unwrap().iter().any(
                    |event| matches!(event, Event::Trouble { what } if what.contains("does not hold")),
                );
                if told {
                    return photos.join("a.txt").exists();
                }
            }
        };
        let (kept, ended) = tokio::join!(watch, agent.run(std::future::pending()));
        assert!(kept, "the file went before there was a good receipt");
        ended.unwrap();
        assert!(stage.left().is_empty());
        assert_eq!(stage.accepted().len(), 1);
    }
}

#[tokio::test]
async fn a_suspended_device_signs_and_waits() {
    let stage = Stage::registered().await;
    stage.world.lock().unwrap().state = State::Suspended;
    stage.drop_file("a.txt", b"a");
    stage.run_for(Duration::from_millis(400)).await;
    assert_eq!(stage.left(), ["a.txt"]);
    let told = stage.told().join("\n");
    assert!(told.contains("suspended by its owner"), "{told}");
    assert!(told.contains("signed a.txt as number 1 (queued)"), "{told}");
    stage.world.lock().unwrap().state = State::Registered;
    stage.drain().await;
    assert_eq!(
        stage.accepted(),
        [("a.txt".to_owned(), 1, Delivery::Queued)]
    );
}

#[tokio::test]
async fn a_stolen_device_signs_nothing() {
    let stage = Stage::registered().await;
    stage.world.lock().unwrap().state = State::Stolen;
    stage.run_for(Duration::from_millis(100)).await;
    stage.drop_file("a.txt", b"a");
    stage.run_for(Duration::from_millis(400)).await;
    let told = stage.told().join("\n");
    assert!(told.contains("reported stolen"), "{told}");
    assert!(!told.contains("signed a.txt"), "{told}");
    assert_eq!(stage.left(), ["a.txt"]);
}

#[tokio::test]
async fn what_is_refused_stays_and_the_rest_goes_on() {
    let stage = Stage::registered().await;
    stage.drop_file("1.txt", b"too large, says the gateway");
    stage.run_for(Duration::from_millis(1)).await;
    stage.fault(Fault::Refuse(
        413,
        json!({ "code": "too-large", "detail": "at most 5 bytes" }),
    ));
    stage.drop_file("2.jpg", &picture(2));
    stage.drain().await;
    assert_eq!(stage.left(), ["1.txt"]);
    assert_eq!(stage.accepted_names(), ["2.jpg"]);
    let told = stage.told().join("\n");
    assert!(
        told.contains("1.txt is not sent: at most 5 bytes"),
        "{told}"
    );
}

#[tokio::test]
async fn after_a_release_it_enrols_again_and_keeps_what_was_not_sent() {
    let stage = Stage::registered().await;
    stage.world.lock().unwrap().state = State::Suspended;
    stage.drop_file("private.txt", b"for the old owner only");
    stage.run_for(Duration::from_millis(400)).await;
    stage.world.lock().unwrap().state = State::Released;
    stage.world.lock().unwrap().announced = 0;
    stage.claim_when_announced();
    stage.drain().await;
    assert!(stage.accepted().is_empty());
    assert_eq!(stage.left(), ["private.txt"]);
    let told = stage.told().join("\n");
    assert!(told.contains("released by its owner"), "{told}");
    assert!(
        told.contains("private.txt is not sent: the device was released"),
        "{told}"
    );
}

#[tokio::test]
async fn a_gateway_that_forgot_the_device_is_enrolled_with_again() {
    let stage = Stage::registered().await;
    stage.world.lock().unwrap().state = State::Unknown;
    stage.world.lock().unwrap().announced = 0;
    stage.drop_file("a.txt", b"a");
    stage.claim_when_announced();
    stage.drain().await;
    assert_eq!(stage.accepted_names(), ["a.txt"]);
}

#[tokio::test]
async fn another_log_key_stops_everything() {
    let stage = Stage::registered().await;
    stage.world.lock().unwrap().key = gateway::log_key(2);
    stage.drop_file("a.txt", b"a");
    let ended = stage.run(stage.settings()).await;
    assert!(matches!(ended, Err(AgentError::LogKey)), "{ended:?}");
    assert_eq!(stage.left(), ["a.txt"]);
}

#[tokio::test]
async fn with_challenges_each_live_transaction_has_one() {
    let stage = Stage::registered().await;
    stage.drop_file("a.txt", b"a");
    let settings = Settings {
        freshness: Freshness::Challenge,
        ..stage.settings()
    };
    stage.run(settings).await.unwrap();
    let world = stage.world.lock().unwrap();
    assert_eq!(world.challenges, 1);
    assert_eq!(world.accepted[0].terms.challenge, Some([1; 32]));
}

#[tokio::test]
async fn a_file_that_changes_after_it_was_signed_is_signed_as_it_is_then() {
    let stage = Stage::registered().await;
    stage.world.lock().unwrap().state = State::Suspended;
    stage.drop_file("a.txt", b"first");
    stage.run_for(Duration::from_millis(400)).await;
    stage.drop_file("a.txt", b"second version");
    stage.world.lock().unwrap().state = State::Registered;
    stage.drain().await;
    let world = stage.world.lock().unwrap();
    let payloads: Vec<&[u8]> = world
        .accepted
        .iter()
        .map(|a| a.payload.as_slice())
        .collect();
    assert_eq!(payloads, [b"second version"]);
}

#[tokio::test]
async fn a_device_of_another_maker_waits_for_its_authority() {
    let stage = Stage::new().await;
    let other = Stage::new().await;
    // The key of the other stage's device, whose maker this gateway does not know.
    fs::copy(
        other.folder.path().join("key"),
        stage.folder.path().join("key"),
    )
    .unwrap();
    stage.run_for(Duration::from_millis(300)).await;
    let told = stage.told().join("\n");
    assert!(told.contains("bad-attestation"), "{told}");
    assert!(!told.contains("type BCDF"), "{told}");
}

/// A key that is pulled out and put back.
struct Loose {
    key: KeySigner<SoftKey>,
    failures: usize,
}

impl Loose {
    fn out(&mut self) -> Result<(), SignerError> {
        match self.failures.checked_sub(1) {
            Some(left) => {
                self.failures = left;
                Err(SignerError::CredentialId(CredentialIdError(0)))
            }
            None => Ok(()),
        }
    }
}

impl Signer for Loose {
    fn register(&mut self, statement: &Statement) -> Result<SignedStatement, SignerError> {
        self.out()?;
        self.key.register(statement)
    }

    fn sign(
        &mut self,
        credential: &CredentialId,
        statement: &Statement,
    ) -> Result<SignedStatement, SignerError> {
        self.out()?;
        self.key.sign(credential, statement)
    }
}

#[tokio::test]
async fn a_key_that_fails_is_tried_again() {
    let stage = Stage::registered().await;
    stage.drop_file("a.txt", b"a");
    let gateway = Gateway::new(&stage.origin, None).unwrap();
    let key = SoftKey::open(
        &stage.folder.path().join("key"),
        &PROTECTION(),
        Consent::Always,
    );
    let signer = Loose {
        key: KeySigner::new(key.unwrap(), &gateway.origin()),
        failures: 5,
    };
    let events = stage.events.clone();
    let clock = Arc::new(stage.clock.clone());
    let tell = move |event: &Event| events.lock().unwrap().push(event.clone());
    let agent = Agent::open(stage.settings(), gateway, signer, clock, tell).unwrap();
    agent.run(std::future::pending()).await.unwrap();
    assert_eq!(stage.accepted_names(), ["a.txt"]);
    let told = stage.told().join("\n");
    assert!(
        told.contains("trouble: the device's key made an unusable"),
        "{told}"
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_for_a_while_is_waited_for() {
    let stage = Stage::registered().await;
    stage.drop_file("a.txt", b"a");
    let (photos, away) = (stage.photos(), stage.folder.path().join("away"));
    let card = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        fs::rename(&photos, &away).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        fs::rename(&away, &photos).unwrap();
    };
    let (ended, ()) = tokio::join!(stage.run(stage.settings()), card);
    ended.unwrap();
    assert_eq!(stage.accepted_names(), ["a.txt"]);
    let told = stage.told().join("\n");
    assert!(
        told.contains("trouble: the folder cannot be read"),
        "{told}"
    );
}

#[tokio::test]
async fn a_folder_belongs_to_one_gateway() {
    let stage = Stage::registered().await;
    let mut moved = Stage::new().await;
    moved.folder = stage.folder;
    let refused = moved.agent(moved.settings()).err().unwrap();
    assert!(
        matches!(refused, AgentError::OtherGateway { .. }),
        "{refused}"
    );
}
