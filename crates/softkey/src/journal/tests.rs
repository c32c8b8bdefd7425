use super::*;

fn operator() -> Protection {
    Protection::OperatorKey(Zeroizing::new([7; 32]))
}

const A: RecordKey = RecordKey::from_number(1);
const B: RecordKey = RecordKey::from_number(2);

fn new_file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    Journal::create(&path, &operator(), &[Change::Put(A, b"first")]).unwrap();
    (folder, path)
}

#[test]
fn committed_changes_are_there_after_opening_again() {
    let (_folder, path) = new_file();
    let mut journal = Journal::open(&path, &operator()).unwrap();
    journal
        .commit(&[Change::Put(B, b"second"), Change::Remove(A)])
        .unwrap();
    drop(journal);
    let journal = Journal::open(&path, &operator()).unwrap();
    assert_eq!(journal.read(A), Ok(None));
    assert_eq!(journal.read(B).unwrap().unwrap()[..], *b"second");
    assert_eq!(journal.dropped(), 0);
}

#[test]
fn a_file_cut_at_any_byte_is_as_before_or_as_after() {
    let (_folder, path) = new_file();
    let before = std::fs::metadata(&path).unwrap().len() as usize;
    let mut journal = Journal::open(&path, &operator()).unwrap();
    journal
        .commit(&[Change::Put(A, b"changed"), Change::Put(B, b"second")])
        .unwrap();
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    for end in before..=whole.len() {
        for tail in [&[][..], &[0; 9]] {
            std::fs::write(&path, [&whole[..end], tail].concat()).unwrap();
            let journal = Journal::open(&path, &operator()).unwrap();
            let pair = (
                journal.read(A).unwrap().unwrap().to_vec(),
                journal.read(B).unwrap().is_some(),
            );
            let expected = if end == whole.len() {
                (b"changed".to_vec(), true)
            } else {
                (b"first".to_vec(), false)
            };
            assert_eq!(pair, expected, "cut at {end}");
            // What is left is a file like any other.
            drop(journal);
            let mut journal = Journal::open(&path, &operator()).unwrap();
            assert_eq!(journal.dropped(), 0);
            journal.commit(&[Change::Put(B, b"again")]).unwrap();
        }
    }
}

#[test]
fn a_change_before_the_last_batch_is_damage() {
    let (_folder, path) = new_file();
    let first = std::fs::metadata(&path).unwrap().len() as usize;
    let mut journal = Journal::open(&path, &operator()).unwrap();
    journal.commit(&[Change::Put(B, b"second")]).unwrap();
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    for at in HEADER_BYTES + 4..first {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&path, changed).unwrap();
        assert!(matches!(
            Journal::open(&path, &operator()),
            Err(KeyFileError::Damaged { offset }) if offset == HEADER_BYTES as u64
        ));
    }
}

#[test]
fn batches_cannot_change_places() {
    let (_folder, path) = new_file();
    let start = std::fs::metadata(&path).unwrap().len() as usize;
    let mut journal = Journal::open(&path, &operator()).unwrap();
    journal.commit(&[Change::Put(B, b"1")]).unwrap();
    let middle = journal.length as usize;
    journal.commit(&[Change::Put(B, b"2")]).unwrap();
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    let swapped = [&whole[..start], &whole[middle..], &whole[start..middle]].concat();
    std::fs::write(&path, swapped).unwrap();
    assert!(Journal::open(&path, &operator()).is_err());
}

#[test]
fn the_wrong_key_or_passphrase_opens_nothing() {
    let (_folder, path) = new_file();
    let wrong = Protection::OperatorKey(Zeroizing::new([8; 32]));
    assert!(matches!(
        Journal::open(&path, &wrong),
        Err(KeyFileError::WrongProtection)
    ));
    let passphrase = Protection::Passphrase(Zeroizing::new("p".into()));
    assert!(matches!(
        Journal::open(&path, &passphrase),
        Err(KeyFileError::WantsOperatorKey)
    ));
}

#[test]
fn a_passphrase_opens_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let right = Protection::Passphrase(Zeroizing::new("correct horse".into()));
    Journal::create(&path, &right, &[]).unwrap();
    assert!(Journal::open(&path, &right).is_ok());
    let wrong = Protection::Passphrase(Zeroizing::new("correct horsf".into()));
    assert!(matches!(
        Journal::open(&path, &wrong),
        Err(KeyFileError::WrongProtection)
    ));
}

#[test]
fn a_file_in_use_is_not_opened_twice_and_never_overwritten() {
    let (_folder, path) = new_file();
    let _open = Journal::open(&path, &operator()).unwrap();
    assert!(matches!(
        Journal::open(&path, &operator()),
        Err(KeyFileError::InUse(_))
    ));
    assert!(matches!(
        Journal::create(&path, &operator(), &[]),
        Err(KeyFileError::Exists(_))
    ));
}

#[test]
fn history_is_dropped_and_nothing_else() {
    let (folder, path) = new_file();
    let mut journal = Journal::open(&path, &operator()).unwrap();
    for i in 0..300u32 {
        let mut record = vec![1; 2000];
        record.extend(i.to_be_bytes());
        journal.commit(&[Change::Put(B, &record)]).unwrap();
    }
    assert!(journal.length < REWRITE_FROM_BYTES, "{}", journal.length);
    drop(journal);
    let journal = Journal::open(&path, &operator()).unwrap();
    assert_eq!(journal.read(A).unwrap().unwrap()[..], *b"first");
    assert_eq!(
        journal.read(B).unwrap().unwrap()[2000..],
        299u32.to_be_bytes()
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn only_the_owner_may_read_the_file() {
    let (_folder, path) = new_file();
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn other_files_than_key_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    for bytes in [&b""[..], &b"hallway key\n"[..], &[0x41; 4096]] {
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(
            Journal::open(&path, &operator()),
            Err(KeyFileError::NotAKeyFile)
        ));
    }
}

#[test]
fn an_older_copy_in_its_place_is_not_written_to_and_changes_nothing() {
    for put_back in [
        // As a restored backup is: another file under the same name.
        (|old: &Path, path: &Path| std::fs::rename(old, path)) as fn(&Path, &Path) -> _,
        // Or the same file with other content.
        |old, path| std::fs::copy(old, path).map(|_| ()),
        |_, path| std::fs::remove_file(path),
    ] {
        let (folder, path) = new_file();
        let old = folder.path().join("old");
        std::fs::copy(&path, &old).unwrap();
        let mut journal = Journal::open(&path, &operator()).unwrap();
        journal.commit(&[Change::Put(A, b"newer")]).unwrap();
        put_back(&old, &path).unwrap();
        let refused = journal.commit(&[Change::Put(A, b"newest")]);
        assert_eq!(refused, Err(StorageError::Fault));
        assert_eq!(journal.read(A).unwrap().unwrap()[..], *b"newer");
    }
}

#[test]
fn an_older_copy_is_behind_its_witness() {
    let (folder, path) = new_file();
    let witness = folder.path().join("witness");
    let old = folder.path().join("old");
    let open = |path: &Path| {
        Journal::open(path, &operator())
            .unwrap()
            .watched_by(&witness)
    };
    std::fs::copy(&path, &old).unwrap();
    let mut journal = open(&path).unwrap();
    journal.commit(&[Change::Put(A, b"newer")]).unwrap();
    drop(journal);
    assert!(matches!(open(&old), Err(KeyFileError::OlderCopy(_))));
    // Rewrites, and commits that the witness did not see, leave the file ahead of it.
    let mut journal = open(&path).unwrap();
    for _ in 0..30 {
        journal.commit(&[Change::Put(B, &[1; 10_000])]).unwrap();
    }
    assert!(journal.length < REWRITE_FROM_BYTES, "{}", journal.length);
    let commits = journal.commits();
    assert_eq!(commits, 32);
    drop(journal);
    let mut journal = Journal::open(&path, &operator()).unwrap();
    assert_eq!(journal.commits(), commits);
    journal.commit(&[Change::Remove(B)]).unwrap();
    drop(journal);
    drop(open(&path).unwrap());
    // Another key's witness, or something else, is not believed.
    let (_other, path) = new_file();
    assert!(matches!(open(&path), Err(KeyFileError::OtherWitness(_))));
    std::fs::write(&witness, "1").unwrap();
    assert!(matches!(open(&path), Err(KeyFileError::OtherWitness(_))));
}

#[test]
fn a_change_that_the_witness_cannot_note_is_not_committed() {
    let (folder, path) = new_file();
    let elsewhere = folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let mut journal = Journal::open(&path, &operator())
        .unwrap()
        .watched_by(&elsewhere.join("witness"))
        .unwrap();
    std::fs::remove_dir_all(&elsewhere).unwrap();
    let refused = journal.commit(&[Change::Put(A, b"newer")]);
    assert_eq!(refused, Err(StorageError::Fault));
    drop(journal);
    let journal = Journal::open(&path, &operator()).unwrap();
    assert_eq!(journal.read(A).unwrap().unwrap()[..], *b"first");
    assert_eq!(journal.dropped(), 0);
}
