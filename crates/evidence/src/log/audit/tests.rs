use std::collections::BTreeMap;

use super::*;
use crate::log::{Appender, SigningKey};

/// A log in memory.
struct Memory(BTreeMap<String, Vec<u8>>);

impl TileSource for Memory {
    fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>> {
        Ok(self.0.get(path).cloned())
    }
}

fn key() -> SigningKey {
    SigningKey::from_seed("gate.example/log", &[1; 32]).unwrap()
}

fn entry(n: u64) -> Hash {
    crate::hash::sha256(&n.to_be_bytes())
}

fn log(entries: &[Hash]) -> (Memory, Checkpoint) {
    let appended = Appender::new().append(entries);
    let head = Checkpoint::new(key().name(), appended.size, appended.root).unwrap();
    let mut files: BTreeMap<String, Vec<u8>> = appended
        .tiles
        .into_iter()
        .map(|(tile, bytes)| (tile.to_string(), bytes))
        .collect();
    files.insert("checkpoint".into(), head.sign(&key()).into_bytes());
    (Memory(files), head)
}

fn long_log() -> (Memory, Checkpoint) {
    log(&(0..700).map(entry).collect::<Vec<_>>())
}

fn run(memory: &mut Memory, earlier: Option<&Checkpoint>) -> Audit {
    audit(memory, &key().verifier(), earlier, &mut |_, _| {}).unwrap()
}

fn only_fault(memory: &mut Memory) -> Fault {
    let audit = run(memory, None);
    assert_eq!(audit.fault_count, 1, "{:?}", audit.faults);
    audit.faults[0].clone()
}

#[test]
fn a_sound_log_passes() {
    for size in [0u64, 1, 255, 256, 257, 700] {
        let (mut memory, _) = log(&(0..size).map(entry).collect::<Vec<_>>());
        let mut told = 0;
        let audit = audit(&mut memory, &key().verifier(), None, &mut |done, _| {
            told = done
        })
        .unwrap();
        assert!(audit.is_sound(), "{size}: {:?}", audit.faults);
        assert_eq!((audit.size, told), (size, size));
    }
}

#[test]
fn one_changed_byte_is_found_where_it_is() {
    for (path, offset, what) in [
        (
            "tile/entries/000",
            34 * 17 + 2,
            "entry 17 was changed: the log committed to another",
        ),
        (
            "tile/entries/002.p/188",
            34 * 3 + 33,
            "entry 515 was changed: the log committed to another",
        ),
        (
            "tile/0/001",
            32 * 5,
            "hash 5 was changed: it is not that of entry 261",
        ),
        (
            "tile/0/002.p/188",
            32 * 9 + 31,
            "hash 9 was changed: it is not that of entry 521",
        ),
        ("tile/1/000.p/2", 33, "hash 1 is not the root of tile/0/001"),
    ] {
        let (mut memory, _) = long_log();
        memory.0.get_mut(path).unwrap()[offset] ^= 1;
        let fault = only_fault(&mut memory);
        assert_eq!((fault.at.as_str(), fault.what.as_str()), (path, what));
    }
}

#[test]
fn lengths_missing_tiles_and_odd_entries_are_told() {
    let (mut memory, _) = long_log();
    memory.0.remove("tile/0/001");
    assert_eq!(
        only_fault(&mut memory).to_string(),
        "tile/0/001: is missing"
    );

    let (mut memory, _) = long_log();
    memory.0.get_mut("tile/0/001").unwrap().pop();
    assert_eq!(
        only_fault(&mut memory).to_string(),
        "tile/0/001: has 8191 bytes instead of 8192"
    );

    let (mut memory, _) = long_log();
    memory.0.get_mut("tile/entries/001").unwrap()[34 * 7 + 1] = 31;
    let fault = only_fault(&mut memory);
    assert_eq!(fault.at, "tile/entries/001");
    assert!(fault.what.contains("bundle"), "{fault}");
}

#[test]
fn a_partial_tile_may_have_become_full() {
    let (mut memory, head) = log(&(0..200).map(entry).collect::<Vec<_>>());
    let (longer, _) = log(&(0..256).map(entry).collect::<Vec<_>>());
    memory.0 = longer.0;
    memory
        .0
        .insert("checkpoint".into(), head.sign(&key()).into_bytes());
    assert!(run(&mut memory, None).is_sound());
}

#[test]
fn the_same_evidence_twice_is_told() {
    let mut entries: Vec<Hash> = (0..300).map(entry).collect();
    entries[299] = entries[4];
    let (mut memory, _) = log(&entries);
    let fault = only_fault(&mut memory);
    assert_eq!(fault.entry, Some(299));
    assert_eq!(fault.what, "entry 299 is the same evidence as entry 4");
}

#[test]
fn history_cannot_be_rewritten_or_cut() {
    let (mut memory, head) = long_log();
    let (_, before) = log(&(0..300).map(entry).collect::<Vec<_>>());
    assert!(run(&mut memory, Some(&before)).is_sound());
    assert!(run(&mut memory, Some(&head)).is_sound());

    let (_, other) = log(&(1..301).map(entry).collect::<Vec<_>>());
    let audit = run(&mut memory, Some(&other));
    assert!(audit.faults[0].what.ends_with("it was rewritten"));

    let (mut short, _) = log(&(0..10).map(entry).collect::<Vec<_>>());
    let audit = run(&mut short, Some(&before));
    assert!(audit.faults[0].what.ends_with("it was cut"));
}

#[test]
fn a_rewritten_log_does_not_fit_its_checkpoint() {
    let (_, head) = long_log();
    let (mut forged, _) = log(&(1..701).map(entry).collect::<Vec<_>>());
    forged
        .0
        .insert("checkpoint".into(), head.sign(&key()).into_bytes());
    let fault = only_fault(&mut forged);
    assert_eq!(fault.at, "checkpoint");
}

#[test]
fn a_log_that_signs_for_missing_entries_is_read_to_its_last_entry() {
    let (mut memory, head) = log(&(0..300).map(entry).collect::<Vec<_>>());
    let boast = Checkpoint::new(key().name(), 1 << 40, head.root).unwrap();
    memory
        .0
        .insert("checkpoint".into(), boast.sign(&key()).into_bytes());
    let audit = run(&mut memory, None);
    assert!(audit.tiles < 20, "{}", audit.tiles);
    let ends = audit.faults.iter().find(|fault| fault.entry == Some(256));
    assert!(
        ends.unwrap()
            .what
            .starts_with("nothing is there from entry 256 on"),
        "{ends:?}"
    );
}

#[test]
fn no_checkpoint_or_another_keys_is_an_error() {
    let (mut memory, head) = long_log();
    let other = SigningKey::from_seed("gate.example/log", &[2; 32]).unwrap();
    memory
        .0
        .insert("checkpoint".into(), head.sign(&other).into_bytes());
    let verdict = audit(&mut memory, &key().verifier(), None, &mut |_, _| {});
    assert!(matches!(verdict, Err(AuditError::Checkpoint(_))));
    memory.0.clear();
    let verdict = audit(&mut memory, &key().verifier(), None, &mut |_, _| {});
    assert!(matches!(verdict, Err(AuditError::NoCheckpoint)));
}

#[test]
fn many_faults_are_counted_but_not_all_told() {
    let (mut memory, _) = long_log();
    for byte in memory
        .0
        .get_mut("tile/0/000")
        .unwrap()
        .iter_mut()
        .step_by(32)
    {
        *byte ^= 1;
    }
    let audit = run(&mut memory, None);
    assert_eq!(
        (audit.faults.len(), audit.fault_count),
        (MAX_TOLD_FAULTS, 256)
    );
}
