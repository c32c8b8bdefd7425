//! One batch of changes as bytes.

use std::collections::HashMap;

use hallway_authenticator::{Change, RecordKey};
use zeroize::Zeroizing;

const PUT: u8 = 1;
const REMOVE: u8 = 2;
const KEEP_ONLY: u8 = 3;
const COMMITS: u8 = 4;

/// The records of a key, by their keys.
pub(crate) type Records = HashMap<RecordKey, Zeroizing<Vec<u8>>>;

/// The records that result from all batches.
#[derive(Default)]
pub(crate) struct Replayed {
    pub(crate) records: Records,
    /// How many commits came before the first batch of the file.
    pub(crate) commits_before: u64,
}

/// Encodes how many commits came before the first batch of a file; goes in front of that batch.
pub(crate) fn commits_before(commits: u64) -> Vec<u8> {
    let mut out = vec![COMMITS, 0, 0];
    out.extend(8_u32.to_be_bytes());
    out.extend(commits.to_be_bytes());
    out
}

/// Encodes a batch: for each change its kind, its key, and its value after the value's length.
pub(crate) fn encode(changes: &[Change<'_>]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::new());
    for change in changes {
        let (kind, key, value) = match change {
            Change::Put(key, value) => (PUT, key.number(), value.to_vec()),
            Change::Remove(key) => (REMOVE, key.number(), Vec::new()),
            Change::KeepOnly(keys) => {
                let keys = keys.iter().flat_map(|key| key.number().to_be_bytes());
                (KEEP_ONLY, 0, keys.collect())
            }
        };
        let value = Zeroizing::new(value);
        out.push(kind);
        out.extend(key.to_be_bytes());
        out.extend((value.len() as u32).to_be_bytes());
        out.extend_from_slice(&value);
    }
    out
}

/// Makes the changes to the records.
pub(crate) fn apply(records: &mut Records, changes: &[Change<'_>]) {
    for change in changes {
        match change {
            Change::Put(key, value) => {
                records.insert(*key, Zeroizing::new(value.to_vec()));
            }
            Change::Remove(key) => {
                records.remove(key);
            }
            Change::KeepOnly(keys) => records.retain(|key, _| keys.contains(key)),
        }
    }
}

/// Makes the changes of an encoded batch; `None` if it is malformed.
pub(crate) fn replay(replayed: &mut Replayed, mut bytes: &[u8]) -> Option<()> {
    let records = &mut replayed.records;
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_first_chunk::<7>()?;
        let [kind, a, b, c, d, e, f] = *head;
        let key = RecordKey::from_number(u16::from_be_bytes([a, b]));
        let length = u32::from_be_bytes([c, d, e, f]) as usize;
        let (value, rest) = rest.split_at_checked(length)?;
        match kind {
            PUT => apply(records, &[Change::Put(key, value)]),
            REMOVE => apply(records, &[Change::Remove(key)]),
            KEEP_ONLY => {
                let keys: Vec<RecordKey> = value
                    .chunks_exact(2)
                    .map(|pair| RecordKey::from_number(u16::from_be_bytes([pair[0], pair[1]])))
                    .collect();
                apply(records, &[Change::KeepOnly(&keys)]);
            }
            COMMITS => replayed.commits_before = u64::from_be_bytes(value.try_into().ok()?),
            _ => return None,
        }
        bytes = rest;
    }
    Some(())
}
