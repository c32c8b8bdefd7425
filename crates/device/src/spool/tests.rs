use hallway_evidence::statement::Statement;
use hallway_evidence::statement::device::{Delivery, Transaction};
use hallway_evidence::{CredentialId, Line, Response};

use super::*;

fn line(text: &str) -> Line {
    Line::new(text).unwrap()
}

pub(crate) fn entry(file: &str, bytes: &[u8], sequence: u64) -> Entry {
    let statement = Statement {
        realm: line("gate.example"),
        issued: Timestamp::from_ms(1),
        nonce: [0; 16],
        act: Transaction {
            sequence,
            taken: Timestamp::from_ms(1),
            delivery: Delivery::Live,
            payload: Payload::of(bytes, line("image/jpeg"), line(file)),
            challenge: None,
        }
        .into(),
    };
    let signed = SignedStatement {
        statement: statement.encode(),
        credential_id: CredentialId::new(*b"key").unwrap(),
        response: Response::Assertion {
            client_data_json: b"{}".to_vec(),
            authenticator_data: vec![0; 37],
            signature: vec![1; 70],
        },
    };
    Entry {
        file: file.to_owned(),
        length: bytes.len() as u64,
        sequence,
        taken_ms: Timestamp::from_ms(1),
        by_our_clock: false,
        media_type: "image/jpeg".to_owned(),
        signed_statement: Bytes(signed.encode()),
        seal: None,
    }
}

fn watched() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.jpg"), b"aa").unwrap();
    fs::write(folder.path().join("b.jpg"), b"bb").unwrap();
    folder
}

#[test]
fn the_queue_survives_a_restart_in_order() {
    let folder = watched();
    let mut spool = Spool::open(folder.path()).unwrap();
    spool.push(entry("b.jpg", b"bb", 1)).unwrap();
    let second = spool.push(entry("a.jpg", b"aa", 2)).unwrap();
    spool.replace(second, entry("a.jpg", b"aa", 5)).unwrap();
    drop(spool);
    let spool = Spool::open(folder.path()).unwrap();
    let queue: Vec<_> = spool
        .queue()
        .map(|(_, entry)| (entry.file.as_str(), entry.sequence))
        .collect();
    assert_eq!(queue, [("b.jpg", 1), ("a.jpg", 5)]);
    assert!(spool.holds("a.jpg") && !spool.holds("c.jpg"));
}

#[test]
fn finishing_removes_the_file_and_only_that() {
    let folder = watched();
    let mut spool = Spool::open(folder.path()).unwrap();
    let ticket = spool.push(entry("a.jpg", b"aa", 1)).unwrap();
    spool.finish(ticket).unwrap();
    assert!(!folder.path().join("a.jpg").exists());
    assert!(folder.path().join("b.jpg").exists());
    assert!(spool.first().is_none());
    // A file that changed since it was signed stays.
    let ticket = spool.push(entry("b.jpg", b"other", 2)).unwrap();
    spool.finish(ticket).unwrap();
    assert!(folder.path().join("b.jpg").exists());
}

#[test]
fn a_power_cut_between_any_two_steps_of_finishing_ends_the_same_way() {
    for file_is_gone in [false, true] {
        let folder = watched();
        let mut spool = Spool::open(folder.path()).unwrap();
        let ticket = spool.push(entry("a.jpg", b"aa", 1)).unwrap();
        // As far as `finish` got: renamed, and perhaps the file removed.
        fs::rename(
            spool.entry_path(ticket, "signed"),
            spool.entry_path(ticket, "done"),
        )
        .unwrap();
        if file_is_gone {
            fs::remove_file(folder.path().join("a.jpg")).unwrap();
        }
        drop(spool);
        let spool = Spool::open(folder.path()).unwrap();
        assert!(spool.first().is_none());
        assert!(!folder.path().join("a.jpg").exists());
        assert!(!spool.entry_path(ticket, "done").exists());
    }
}

#[test]
fn half_written_entries_are_swept_and_damaged_ones_are_told_and_hold_up_nothing() {
    let folder = watched();
    let mut spool = Spool::open(folder.path()).unwrap();
    let half = spool.folder().join("00000000000000000007.writing");
    fs::write(&half, b"{\"file\":").unwrap();
    spool.push(entry("b.jpg", b"bb", 1)).unwrap();
    drop(spool);
    let spool = Spool::open(folder.path()).unwrap();
    assert!(!half.exists());
    fs::write(spool.entry_path(8, "signed"), b"{}").unwrap();
    drop(spool);
    for told in [1, 0] {
        let mut spool = Spool::open(folder.path()).unwrap();
        assert_eq!(spool.take_damaged().len(), told);
        assert!(spool.entry_path(8, "damaged").exists());
        assert!(spool.holds("b.jpg"));
        assert_eq!(
            spool.push(entry("a.jpg", b"aa", 2)).unwrap(),
            9 + 1 - told as u64
        );
    }
}

#[test]
fn what_was_accepted_and_cannot_be_removed_is_not_taken_again() {
    let folder = watched();
    let mut spool = Spool::open(folder.path()).unwrap();
    let ticket = spool.push(entry("a.jpg", b"aa", 1)).unwrap();
    // As on a card that was pulled out half way: what has the file's name can't be read.
    fs::remove_file(folder.path().join("a.jpg")).unwrap();
    fs::create_dir(folder.path().join("a.jpg")).unwrap();
    spool.finish(ticket).unwrap_err();
    assert!(spool.holds("a.jpg") && spool.first().is_none());
    drop(spool);
    let spool = Spool::open(folder.path()).unwrap();
    assert!(spool.holds("a.jpg") && spool.first().is_none());
    drop(spool);
    fs::remove_dir(folder.path().join("a.jpg")).unwrap();
    assert!(!Spool::open(folder.path()).unwrap().holds("a.jpg"));
}

#[test]
fn one_agent_at_a_time() {
    let folder = watched();
    let first = Spool::open(folder.path()).unwrap();
    assert!(matches!(
        Spool::open(folder.path()),
        Err(SpoolError::Locked(_))
    ));
    drop(first);
    Spool::open(folder.path()).unwrap();
}

#[test]
fn a_full_disk_makes_way_once() {
    let full = || io::Error::from(io::ErrorKind::StorageFull);
    let mut attempts = 0;
    let freed = std::cell::Cell::new(false);
    let written = give_way(
        || {
            attempts += 1;
            if freed.get() { Ok(()) } else { Err(full()) }
        },
        || {
            freed.set(true);
            Ok(())
        },
    );
    assert!(written.is_ok());
    assert_eq!(attempts, 2);
    let still_full = give_way(|| Err(full()), || Ok(())).unwrap_err();
    assert!(is_full(&still_full));
    // Other failures give nothing up.
    let denied = give_way(
        || Err(io::ErrorKind::PermissionDenied.into()),
        || panic!("gave the reserve up"),
    );
    assert!(denied.is_err());
}
