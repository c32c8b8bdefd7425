//! What a device does when its owner or its gateway changes its state.

use std::time::Duration;

use hallway_api::device::State;
use hallway_device::AgentError;
use hallway_evidence::statement::device::Delivery;

use crate::gateway;
use crate::stage::Stage;

#[tokio::test]
async fn a_suspended_device_signs_and_waits() {
    let stage = Stage::registered().await;
    stage.world.lock().unwrap().state = State::Suspended;
    stage.drop_file("a.txt", b"a");
    stage
        .run_during(async {
            stage.until_told("suspended by its owner").await;
            stage.until_told("signed a.txt").await;
        })
        .await;
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
    let owner_gone = async {
        stage.until_told("reported stolen").await;
        stage.drop_file("a.txt", b"a");
        tokio::time::sleep(Duration::from_millis(400)).await;
    };
    stage.run_during(owner_gone).await;
    let told = stage.told().join("\n");
    assert!(told.contains("reported stolen"), "{told}");
    assert!(!told.contains("signed a.txt"), "{told}");
    assert_eq!(stage.left(), ["a.txt"]);
}

#[tokio::test]
async fn after_a_release_it_enrols_again_and_sets_aside_what_was_not_sent() {
    let stage = Stage::registered().await;
    stage.world.lock().unwrap().state = State::Suspended;
    stage.drop_file("private.txt", b"for the old owner only");
    stage
        .run_during(stage.until_told("signed private.txt"))
        .await;
    stage.world.lock().unwrap().state = State::Released;
    stage.world.lock().unwrap().announced = 0;
    stage.claim_when_announced();
    stage.drain().await;
    assert!(stage.accepted().is_empty());
    assert_eq!(stage.refused(), ["private.txt", "private.txt.reason"]);
    let told = stage.told().join("\n");
    assert!(told.contains("released by its owner"), "{told}");
    assert!(
        told.contains("private.txt is not sent: the device was released"),
        "{told}"
    );
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
