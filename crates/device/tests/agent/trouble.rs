//! Failures around the device that pass.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use hallway_device::{Agent, AgentError, Event, Gateway, KeySigner, Settings, Signer, SignerError};
use hallway_evidence::{CredentialId, CredentialIdError, SignedStatement, Statement};
use hallway_softkey::{Consent, SoftKey};
use serde_json::json;

use crate::gateway::{Fault, World};
use crate::stage::{PROTECTION, Stage, picture};

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
async fn a_refused_file_stays_and_the_rest_goes_on() {
    let stage = Stage::registered().await;
    stage.drop_file("1.txt", b"too large, says the gateway");
    stage.run_for(Duration::from_millis(1)).await;
    stage.fault(Fault::Refuse(
        413,
        json!({ "code": "too-large", "detail": "at most 5 bytes" }),
    ));
    stage.drop_file("2.jpg", &picture(2));
    stage.drain().await;
    assert_eq!(stage.left(), ["refused"]);
    assert_eq!(stage.refused(), ["1.txt", "1.txt.reason"]);
    assert_eq!(stage.accepted_names(), ["2.jpg"]);
    let told = stage.told().join("\n");
    assert!(
        told.contains("1.txt is not sent: at most 5 bytes"),
        "{told}"
    );
    assert_eq!(stage.world.lock().unwrap().set_aside, 1);
    // Moved back, it is tried again.
    let refused = stage.photos().join("refused");
    fs::rename(refused.join("1.txt"), stage.photos().join("1.txt")).unwrap();
    stage.drain().await;
    assert_eq!(stage.accepted_names(), ["2.jpg", "1.txt"]);
    assert_eq!(stage.world.lock().unwrap().set_aside, 0);
}

#[tokio::test]
async fn the_gateway_hears_how_many_files_are_set_aside() {
    let stage = Stage::registered().await;
    let told = async |expected: u32| {
        while stage.world.lock().unwrap().set_aside != expected {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let too_large = json!({ "code": "too-large", "detail": "at most 5 bytes" });
    for name in ["1.txt", "2.txt"] {
        let disliked = &mut stage.world.lock().unwrap().disliked;
        disliked.insert(name.to_owned(), (413, too_large.clone()));
    }
    stage
        .run_during(async {
            stage.drop_file("1.txt", b"one");
            told(1).await;
            stage.drop_file("2.txt", b"two");
            told(2).await;
            // Somebody empties the folder.
            fs::remove_dir_all(stage.photos().join("refused")).unwrap();
            told(0).await;
        })
        .await;
}

#[tokio::test]
async fn a_file_that_fails_for_ever_is_set_aside_and_the_rest_goes_on() {
    for (status, body) in [
        (413, json!({})),
        (403, json!("blocked by a filter")),
        (502, json!({})),
        (
            500,
            json!({ "code": "internal", "detail": "something broke" }),
        ),
        (
            404,
            json!({ "code": "not-found", "detail": "no such thing" }),
        ),
        (409, json!({ "code": "odd", "detail": "never heard of" })),
        (
            422,
            json!({ "code": "hash-mismatch", "detail": "other bytes" }),
        ),
        (422, json!({ "code": "unkeepable", "detail": "odd bytes" })),
        (
            409,
            json!({ "code": "out-of-order", "detail": "taken too early" }),
        ),
        (200, json!("welcome to the station's network")),
    ] {
        let stage = Stage::registered().await;
        let answer = (status, body.clone());
        let disliked = |world: &mut World| world.disliked.insert("0.txt".to_owned(), answer);
        disliked(&mut stage.world.lock().unwrap());
        for name in ["0.txt", "1.txt", "2.txt"] {
            stage.drop_file(name, name.as_bytes());
        }
        stage.drain().await;
        assert_eq!(
            stage.accepted_names(),
            ["1.txt", "2.txt"],
            "{status} {body}"
        );
        assert_eq!(
            stage.refused(),
            ["0.txt", "0.txt.reason"],
            "{status} {body}"
        );
    }
}

#[tokio::test]
async fn files_wait_while_everything_fails() {
    let stage = Stage::registered().await;
    for name in ["0.txt", "1.txt"] {
        stage.drop_file(name, name.as_bytes());
    }
    // The gateway is busy, and a device whose owner is suspended sends nothing for a while.
    for _ in 0..20 {
        stage.fault(Fault::Busy);
        let suspended = json!({ "code": "owner-suspended", "detail": "wait" });
        stage.fault(Fault::Refuse(403, suspended));
    }
    stage.drain().await;
    let mut names = stage.accepted_names();
    names.sort();
    assert_eq!(names, ["0.txt", "1.txt"]);
    assert!(stage.left().is_empty());
}

#[tokio::test]
async fn a_receipt_that_never_holds_holds_up_nothing() {
    let stage = Stage::registered().await;
    stage.world.lock().unwrap().forges = Some("0.txt".to_owned());
    for name in ["0.txt", "1.txt"] {
        stage.drop_file(name, name.as_bytes());
    }
    stage.drain().await;
    assert_eq!(stage.refused(), ["0.txt", "0.txt.reason"]);
    assert!(!stage.photos().join("1.txt").exists());
}

#[tokio::test]
async fn names_of_every_length_are_sent_and_kept() {
    let stage = Stage::registered().await;
    let keep = stage.folder.path().join("kept");
    let settings = || Settings {
        keep: Some(keep.clone()),
        ..stage.settings()
    };
    let names = [
        "x".repeat(243) + ".jpg",
        "y".repeat(251) + ".txt",
        "z".repeat(255),
        "a".to_owned(),
    ];
    for round in [1, 2] {
        for name in &names {
            stage.drop_file(name, &picture(round));
        }
        stage.run(settings()).await.unwrap();
        assert!(stage.left().is_empty());
    }
    assert_eq!(stage.accepted().len(), 8);
    let kept = fs::read_dir(&keep).unwrap();
    assert_eq!(kept.count(), 8);
}

#[tokio::test]
async fn a_copy_that_cannot_be_kept_holds_up_nothing() {
    let stage = Stage::registered().await;
    let keep = stage.folder.path().join("kept");
    // Names that another file, a folder, a link to nothing and evidence of something else have.
    fs::create_dir_all(keep.join("a.txt")).unwrap();
    std::os::unix::fs::symlink("nowhere", keep.join("b.txt")).unwrap();
    fs::write(keep.join("c.txt.evidence"), b"of another c.txt").unwrap();
    fs::write(keep.join("d.jpg.evidence"), b"of another d.jpg").unwrap();
    for name in ["a.txt", "b.txt", "c.txt", "d.jpg", "e.evidence"] {
        stage.drop_file(name, &picture(name.as_bytes()[0]));
    }
    stage
        .run(Settings {
            keep: Some(keep.clone()),
            ..stage.settings()
        })
        .await
        .unwrap();
    assert!(stage.left().is_empty());
    assert_eq!(
        fs::read(keep.join("c.txt.evidence")).unwrap(),
        b"of another c.txt"
    );
    let copies: Vec<String> = crate::stage::names(&keep)
        .into_iter()
        .filter(|name| name.contains('-'))
        .collect();
    assert_eq!(copies.len(), 5, "{copies:?}");
    assert!(copies.contains(&"e-evidence".to_owned()), "{copies:?}");
}

#[tokio::test]
async fn each_file_has_its_own_time() {
    let stage = Stage::registered().await;
    let now = stage.clock.read();
    let times = [
        ("a-new.txt", now.as_ms()),
        ("b-old.txt", now.as_ms() - 60 * 86_400_000),
        ("c-1970.txt", 0),
        ("d-new.txt", now.as_ms()),
    ];
    // The times are in no order, and the clock has to be corrected on the way.
    stage.world.lock().unwrap().ahead_ms = 3_600_000;
    for (name, ms) in times {
        stage.drop_file(name, name.as_bytes());
        let file = fs::File::options()
            .write(true)
            .open(stage.photos().join(name))
            .unwrap();
        let time = std::time::UNIX_EPOCH + Duration::from_millis(ms);
        file.set_modified(time).unwrap();
        // A file that is open for writing is not read.
        drop(file);
        stage.drain().await;
    }
    let world = stage.world.lock().unwrap();
    let taken: Vec<u64> = world
        .accepted
        .iter()
        .map(|accepted| accepted.terms.taken.as_ms())
        .collect();
    let hour = 3_600_000;
    let expected = [now.as_ms() + hour, times[1].1, 0, now.as_ms() + hour];
    for (stated, expected) in taken.iter().zip(expected) {
        assert!(stated.abs_diff(expected) < 5_000, "{taken:?} {expected}");
    }
}

/// Runs an agent that is to end by itself, with a key that does not sign the first `failures`
/// times.
async fn run_with_loose_key(stage: &Stage, failures: usize) -> Result<(), AgentError> {
    let gateway = Gateway::new(stage.origin.parse().unwrap(), None).unwrap();
    let key = SoftKey::open(
        &stage.folder.path().join("key"),
        &PROTECTION(),
        Consent::Always,
    );
    let signer = Loose {
        key: KeySigner::new(key.unwrap(), &gateway.origin()),
        failures,
    };
    let events = stage.events.clone();
    let clock = Arc::new(stage.clock.clone());
    let tell = move |event: &Event| events.lock().unwrap().push(event.clone());
    let agent = Agent::open(stage.settings(), gateway, signer, clock, tell).unwrap();
    agent.run(std::future::pending()).await
}

#[tokio::test]
async fn a_key_that_fails_is_tried_again() {
    let stage = Stage::registered().await;
    stage.drop_file("a.txt", b"a");
    run_with_loose_key(&stage, 5).await.unwrap();
    assert_eq!(stage.accepted_names(), ["a.txt"]);
    let told = stage.told().join("\n");
    assert!(
        told.contains("trouble: the device's key made an unusable"),
        "{told}"
    );
}

#[tokio::test]
async fn a_key_that_never_signs_ends_an_agent_that_is_to_end() {
    let stage = Stage::registered().await;
    stage.drop_file("a.txt", b"a");
    let ended = run_with_loose_key(&stage, usize::MAX).await;
    assert!(matches!(ended, Err(AgentError::Signer(_))), "{ended:?}");
    assert_eq!(stage.left(), ["a.txt"]);
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
