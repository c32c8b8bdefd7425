//! A folder in which others put what they like: links, pipes, odd names, nothing at all.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use hallway_device::agent::Misplaced;
use hallway_device::{AgentError, Settings, SpoolError};
use serde_json::json;

use crate::gateway::World;
use crate::stage::{Stage, names, picture};

/// A pipe that nobody writes to: opening it as a file waits for ever.
fn pipe(path: &Path) {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, path, mode).unwrap();
}

#[tokio::test]
async fn copies_are_not_kept_in_the_watched_folder() {
    let stage = Stage::registered().await;
    let way_round = stage.folder.path().join("way-round");
    symlink(stage.photos(), &way_round).unwrap();
    for keep in [stage.photos(), way_round] {
        let settings = Settings {
            keep: Some(keep),
            ..stage.settings()
        };
        let refused = stage.agent(settings).err().unwrap();
        assert!(matches!(refused, AgentError::Keep(Misplaced::Watched(_))));
        let told = refused.to_string();
        assert!(told.contains("keep them in another folder"), "{told}");
    }
}

#[tokio::test]
async fn a_folder_that_comes_to_lead_to_the_watched_one_gets_no_copies() {
    let stage = Stage::registered().await;
    let keep = stage.folder.path().join("kept");
    let settings = Settings {
        keep: Some(keep.clone()),
        ..stage.settings()
    };
    let agent = stage.agent(settings).unwrap();
    fs::remove_dir(&keep).unwrap();
    symlink(stage.photos(), &keep).unwrap();
    stage.drop_file("a.txt", b"a");
    let mended = async {
        stage.until_told("keep them in another folder").await;
        assert_eq!(stage.left(), ["a.txt"]);
        fs::remove_file(&keep).unwrap();
    };
    let (ended, ()) = tokio::join!(agent.run(std::future::pending()), mended);
    ended.unwrap();
    assert_eq!(names(&keep), ["a.txt", "a.txt.evidence"]);
    assert!(stage.left().is_empty());
}

#[tokio::test]
async fn pipes_and_links_in_the_folder_for_copies_are_passed_by() {
    let stage = Stage::registered().await;
    let keep = stage.folder.path().join("kept");
    let victim = stage.folder.path().join("victim");
    fs::create_dir(&keep).unwrap();
    fs::write(&victim, "precious").unwrap();
    pipe(&keep.join("a.txt.evidence"));
    pipe(&keep.join("b.jpg"));
    for name in ["c.txt", "c.writing", "c.txt.writing"] {
        symlink(&victim, keep.join(name)).unwrap();
    }
    for name in ["a.txt", "b.jpg", "c.txt"] {
        stage.drop_file(name, &picture(name.as_bytes()[0]));
    }
    let settings = Settings {
        keep: Some(keep.clone()),
        ..stage.settings()
    };
    stage.run(settings).await.unwrap();
    assert!(stage.left().is_empty());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    let copies = names(&keep);
    let copies = copies.iter().filter(|name| name.contains('-'));
    assert_eq!(copies.count(), 3);
}

#[tokio::test]
async fn an_agents_folder_that_is_a_link_is_not_followed() {
    let stage = Stage::new().await;
    let elsewhere = stage.folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("20240101.jpg"), "precious").unwrap();
    symlink(&elsewhere, stage.photos().join(".hallway")).unwrap();
    let refused = stage.agent(stage.settings()).err().unwrap();
    assert!(matches!(
        refused,
        AgentError::Spool(SpoolError::NotAFolder(_))
    ));
    assert_eq!(names(&elsewhere), ["20240101.jpg"]);
}

#[tokio::test]
async fn names_that_are_not_utf_8_are_set_aside_and_hold_up_nothing() {
    let stage = Stage::registered().await;
    for name in [&b"\xfe.jpg"[..], b"\xff.jpg"] {
        fs::write(stage.photos().join(OsStr::from_bytes(name)), name).unwrap();
    }
    stage.drop_file("\u{fffd}.jpg", &picture(1));
    stage.drain().await;
    assert_eq!(stage.left(), ["refused"]);
    assert_eq!(stage.accepted_names(), ["\u{fffd}.jpg"]);
    assert_eq!(stage.refused().len(), 4, "{:?}", stage.refused());
}

#[tokio::test]
async fn an_empty_file_is_set_aside_and_told() {
    let stage = Stage::registered().await;
    stage.drop_file("a.txt", b"");
    stage.drain().await;
    assert_eq!(stage.refused(), ["a.txt", "a.txt.reason"]);
    let told = stage.told().join("\n");
    assert!(told.contains("a.txt is not sent: it is empty"), "{told}");
}

#[tokio::test]
async fn a_file_that_cannot_be_set_aside_now_is_set_aside_later() {
    let stage = Stage::registered().await;
    let refused = stage.photos().join("refused");
    // Like a full disk, the link keeps every file from being set aside, until it is removed.
    symlink(stage.folder.path(), &refused).unwrap();
    stage.drop_file("refused-by-name\u{202e}.txt", b"a");
    stage.drop_file("b.txt", b"too large, says the gateway");
    let too_large = json!({ "code": "too-large", "detail": "at most 5 bytes" });
    let disliked = |world: &mut World| world.disliked.insert("b.txt".to_owned(), (413, too_large));
    disliked(&mut stage.world.lock().unwrap());
    stage
        .run_during(async {
            stage.until_told("cannot be set aside").await;
            stage
                .until_told("b.txt is not sent: at most 5 bytes; it stays")
                .await;
            // It fails again before the link is removed.
            let start = stage.clock.read();
            while stage.clock.read().distance(start) < Duration::from_secs(60) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            fs::remove_file(&refused).unwrap();
            stage
                .until_told("b.txt is not sent: at most 5 bytes; it is set aside")
                .await;
            stage
                .until_told("misleading characters; rename it; it is set aside")
                .await;
        })
        .await;
    assert_eq!(stage.left(), ["refused"]);
    assert_eq!(stage.refused().len(), 4);
    assert!(stage.accepted().is_empty());
}
