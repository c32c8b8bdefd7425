use hallway_evidence::statement::Statement;
use hallway_evidence::statement::device::{Delivery, Payload, Transaction};
use hallway_evidence::{CredentialId, Line, Response, SignedStatement, Timestamp};
use hallway_webauthn::wire::Base64Url;

use super::*;
use std::os::unix::fs::{PermissionsExt as _, symlink};

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
        signed_statement: Base64Url(signed.encode()),
        seal: None,
    }
}

/// A pipe that nobody writes to: opening it as a file waits for ever.
fn pipe(path: &Path) {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, path, mode).unwrap();
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
            spool.path_of_own(&entry_name(ticket, State::Signed)),
            spool.path_of_own(&entry_name(ticket, State::Done)),
        )
        .unwrap();
        if file_is_gone {
            fs::remove_file(folder.path().join("a.jpg")).unwrap();
        }
        drop(spool);
        let spool = Spool::open(folder.path()).unwrap();
        assert!(spool.first().is_none());
        assert!(!folder.path().join("a.jpg").exists());
        assert!(!spool.path_of_own(&entry_name(ticket, State::Done)).exists());
    }
}

#[test]
fn half_written_entries_are_swept_and_damaged_ones_are_told_and_hold_up_nothing() {
    let folder = watched();
    let mut spool = Spool::open(folder.path()).unwrap();
    let half = spool.path_of_own("hallway-0123456789abcdef.writing");
    fs::write(&half, b"{\"file\":").unwrap();
    spool.push(entry("b.jpg", b"bb", 1)).unwrap();
    drop(spool);
    let spool = Spool::open(folder.path()).unwrap();
    assert!(!half.exists());
    fs::write(spool.path_of_own(&entry_name(8, State::Signed)), b"{}").unwrap();
    drop(spool);
    for told in [1, 0] {
        let mut spool = Spool::open(folder.path()).unwrap();
        assert_eq!(spool.take_damaged().len(), told);
        assert!(spool.path_of_own(&entry_name(8, State::Damaged)).exists());
        assert!(spool.holds("b.jpg"));
        assert_eq!(
            spool.push(entry("a.jpg", b"aa", 2)).unwrap(),
            9 + 1 - told as u64
        );
    }
}

#[test]
fn an_accepted_file_that_cannot_be_removed_is_not_taken_again() {
    let folder = watched();
    let mut spool = Spool::open(folder.path()).unwrap();
    // As on a card that was pulled out half way: the file system says no.
    let name = "x".repeat(300);
    let unremovable = Entry {
        file: name.clone(),
        ..entry("a.jpg", b"aa", 1)
    };
    let ticket = spool.push(unremovable).unwrap();
    spool.finish(ticket).unwrap_err();
    assert!(spool.holds(&name) && spool.first().is_none());
    drop(spool);
    let spool = Spool::open(folder.path()).unwrap();
    assert!(spool.holds(&name) && spool.first().is_none());
}

#[test]
fn a_new_file_with_the_name_of_an_accepted_file_stays() {
    let folder = watched();
    let mut spool = Spool::open(folder.path()).unwrap();
    for name in ["a.jpg", "b.jpg"] {
        let bytes = fs::read(folder.path().join(name)).unwrap();
        spool.push(entry(name, &bytes, 1)).unwrap();
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    pipe(&folder.path().join("a.jpg"));
    let victim = folder.path().join("victim");
    fs::write(&victim, b"bb").unwrap();
    symlink(&victim, folder.path().join("b.jpg")).unwrap();
    while let Some(ticket) = spool.first().map(|(ticket, _)| ticket) {
        spool.finish(ticket).unwrap();
    }
    for name in ["a.jpg", "b.jpg"] {
        assert!(fs::symlink_metadata(folder.path().join(name)).is_ok());
        assert!(!spool.holds(name));
    }
    assert_eq!(fs::read(&victim).unwrap(), b"bb");
}

#[test]
fn nothing_is_touched_where_a_link_leads() {
    let (folder, elsewhere) = (watched(), watched());
    let files = [
        "2024.txt",
        "20240101.jpg",
        "00000000000000000001.done",
        "lock",
    ];
    for name in files {
        fs::write(elsewhere.path().join(name), "precious").unwrap();
    }
    fs::set_permissions(elsewhere.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let own = folder.path().join(FOLDER);
    symlink(elsewhere.path(), &own).unwrap();
    let error = Spool::open(folder.path()).unwrap_err();
    assert!(matches!(error, SpoolError::NotAFolder(_)), "{error}");
    assert!(error.to_string().contains("move it away"), "{error}");
    let mode = fs::metadata(elsewhere.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    fs::remove_file(&own).unwrap();
    // Nor where one lies in the agent's own folder.
    fs::create_dir(&own).unwrap();
    for name in files {
        symlink(elsewhere.path().join(name), own.join(name)).unwrap();
    }
    let error = Spool::open(folder.path()).unwrap_err();
    assert!(matches!(error, SpoolError::Damaged { .. }), "{error}");
    fs::remove_file(own.join(LOCK)).unwrap();
    assert_eq!(Spool::open(folder.path()).unwrap().take_damaged().len(), 1);
    for name in files {
        let kept = fs::read_to_string(elsewhere.path().join(name));
        assert_eq!(kept.unwrap(), "precious", "{name}");
    }
}

#[test]
fn files_that_the_agent_did_not_make_are_left_alone() {
    let folder = watched();
    let own = folder.path().join(FOLDER);
    fs::create_dir(&own).unwrap();
    let last = format!("{}.signed", u64::MAX);
    let files = ["2024.txt", "20240101.jpg", "7.signed", "7.writing", &last];
    for name in files {
        fs::write(own.join(name), "theirs").unwrap();
    }
    pipe(&own.join(RESERVE_NAME));
    let mut spool = Spool::open(folder.path()).unwrap();
    for name in files {
        assert_eq!(fs::read_to_string(own.join(name)).unwrap(), "theirs");
    }
    assert!(spool.take_damaged().is_empty());
    assert_eq!(spool.push(entry("a.jpg", b"aa", 1)).unwrap(), 1);
    let reserve = fs::symlink_metadata(own.join(RESERVE_NAME)).unwrap();
    assert_eq!(reserve.len(), RESERVE_BYTES as u64);
}

#[test]
fn an_entry_about_a_file_elsewhere_is_damaged() {
    let folder = watched();
    let inner = folder.path().join("inner");
    fs::create_dir_all(inner.join(FOLDER)).unwrap();
    let forged = serde_json::to_vec(&entry("../a.jpg", b"aa", 1)).unwrap();
    fs::write(inner.join(FOLDER).join(entry_name(1, State::Done)), forged).unwrap();
    let mut spool = Spool::open(&inner).unwrap();
    assert_eq!(spool.take_damaged().len(), 1);
    assert_eq!(fs::read(folder.path().join("a.jpg")).unwrap(), b"aa");
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
