//! Each file once, in order, whatever happens on the way.

use std::fs;
use std::time::Duration;

use hallway_api::device::State;
use hallway_device::{Freshness, Settings, Until};
use serde_json::json;
use tokio::sync::oneshot;

use crate::gateway::Fault;
use crate::stage::{Stage, names, picture};

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
        stage.drop_file("b.txt", &bytes[2..]);
        stage.run(settings()).await.unwrap();
    }
    let all = names(&keep);
    assert_eq!(all.len(), 6, "{all:?}");
    // As if the power had failed between the copy and the end of the transaction: it is sent again,
    // and the answer is the earlier receipt.
    let spool = stage.photos().join(".hallway");
    stage.drop_file("a.jpg", &picture(3));
    stage.fault(Fault::LoseAnswer);
    // More refusals than the agent can try, so that it ends with the file signed and without a
    // receipt.
    for _ in 0..100_000 {
        stage.fault(Fault::Busy);
    }
    let waiting = loop {
        stage.run_for(Duration::from_millis(30)).await;
        let signed = |name: &String| name.ends_with(".signed");
        if let Some(name) = names(&spool).into_iter().find(signed) {
            break spool.join(name);
        }
    };
    stage.world.lock().unwrap().faults.clear();
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
async fn a_receipt_that_does_not_hold_removes_nothing() {
    for fault in [Fault::ForeignReceipt, Fault::WrongReceipt] {
        let stage = Stage::registered().await;
        stage.drop_file("a.txt", b"a");
        for _ in 0..1000 {
            stage.fault(fault.clone());
        }
        // The first receipt is wrong; later answers say that the file was already accepted.
        stage.world.lock().unwrap().faults.truncate(1);
        let ended = stage.run(stage.settings()).await;
        let troubles = stage.troubles.lock().unwrap().clone();
        let refused = troubles
            .iter()
            .find(|trouble| trouble.what.contains("is invalid"));
        assert_eq!(
            refused.unwrap().left,
            ["a.txt"],
            "the file went before there was a good receipt"
        );
        ended.unwrap();
        assert!(stage.left().is_empty());
        assert_eq!(stage.accepted().len(), 1);
    }
}

#[tokio::test]
async fn with_challenges_each_live_transaction_has_one() {
    let stage = Stage::registered().await;
    let settings = Settings {
        freshness: Freshness::Challenge,
        until: Until::Stopped,
        ..stage.settings()
    };
    let told_before = stage.told().len();
    let agent = stage.agent(settings).unwrap();
    let (stop, stopped) = oneshot::channel();
    let photographer = async {
        // Before it knows its state, a device signs without a challenge.
        while stage.told().len() == told_before {
            tokio::task::yield_now().await;
        }
        stage.drop_file("a.txt", b"a");
        while stage.accepted().is_empty() {
            tokio::task::yield_now().await;
        }
        stop.send(()).unwrap();
    };
    let running = agent.run(async { stopped.await.unwrap() });
    let ((), ended) = tokio::join!(photographer, running);
    ended.unwrap();
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
