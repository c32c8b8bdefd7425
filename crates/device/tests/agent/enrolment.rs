//! Enrolling with a gateway, and staying registered.

use std::fs;
use std::time::Duration;

use hallway_api::device::State;
use hallway_device::{AgentError, Settings};
use hallway_evidence::embedding;

use crate::stage::{Stage, names, picture};

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
        told[0].starts_with("to claim this device, type BCDF-GHJK at http"),
        "{told:?}"
    );
    assert!(
        told.contains(&"registered: C-0042, owned by Emily".to_owned()),
        "{told:?}"
    );

    assert_eq!(names(&keep), ["a.jpg", "b.txt", "b.txt.evidence"]);
    let (original, bundle) = embedding::extract(&fs::read(keep.join("a.jpg")).unwrap()).unwrap();
    assert_eq!(original, picture(1));
    // The transaction, and the enrolment that it rests on.
    assert_eq!(bundle.unwrap().receipts().count(), 2);
    assert_eq!(fs::read(keep.join("b.txt")).unwrap(), b"a reading");
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
async fn a_device_of_a_maker_that_the_realm_does_not_accept_waits() {
    let stage = Stage::new().await;
    let other = Stage::new().await;
    // This gateway does not know the maker of the other stage's device.
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
