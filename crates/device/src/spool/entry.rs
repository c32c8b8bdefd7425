//! The entry on disk for a signed file, and its name, which says how far it got.

use hallway_evidence::statement::device::Payload;
use hallway_evidence::{SignedStatement, Timestamp};
use hallway_webauthn::wire::Base64Url;
use serde::{Deserialize, Serialize};

use super::{SpoolError, not_read};
use crate::folder::{Folder, is_single};

/// The longest entry that is read back.
const MAX_ENTRY_BYTES: u64 = 256 * 1024;

/// How many digits a ticket has in the name of an entry.
const TICKET_DIGITS: usize = 20;

/// Higher tickets are not entries: no device ever counts so far.
const MAX_TICKET: u64 = u64::MAX / 2;

/// A signed statement about a file, waiting for its receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The file's name in the watched folder.
    pub file: String,
    /// Its length when it was signed, in bytes.
    pub length: u64,
    /// The transaction's sequence number.
    pub sequence: u64,
    /// When the file's bytes were taken.
    pub taken_ms: Timestamp,
    /// Whether the file got its time from this device's clock, shortly before it was signed: that
    /// time is corrected when the clock turns out to be wrong. Any other time is the file's own.
    #[serde(default)]
    pub by_our_clock: bool,
    /// The file's media type.
    pub media_type: String,
    /// The signed statement, CBOR.
    pub signed_statement: Base64Url,
    /// The seal of the gateway's challenge; `None` for a statement without a challenge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Base64Url>,
}

impl Entry {
    /// The signed statement, decoded.
    ///
    /// # Errors
    /// When the entry on disk was damaged.
    pub(crate) fn signed(&self) -> Result<SignedStatement, hallway_evidence::DecodeError> {
        SignedStatement::decode(&self.signed_statement.0)
    }

    /// The bytes that the statement is about; `None` when the entry was damaged.
    #[must_use]
    pub(crate) fn payload(&self) -> Option<Payload> {
        use hallway_evidence::statement::Act;
        match self.signed().ok()?.read_statement().ok()?.act {
            Act::DeviceTransaction(terms) => Some(terms.payload),
            _ => None,
        }
    }
}

/// How far an entry got, as the ending of its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The entry waits for its receipt.
    Signed,
    /// The receipt has arrived.
    Done,
    /// The entry could not be read back.
    Damaged,
}

impl State {
    const ALL: [Self; 3] = [Self::Signed, Self::Done, Self::Damaged];

    const fn ending(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Done => "done",
            Self::Damaged => "damaged",
        }
    }
}

/// The name of an entry in the agent's folder.
#[must_use]
pub(super) fn entry_name(ticket: u64, state: State) -> String {
    format!("{ticket:0TICKET_DIGITS$}.{}", state.ending())
}

/// The ticket and the state in the name of an entry; `None` for any other name.
#[must_use]
pub(super) fn read_entry_name(name: &str) -> Option<(u64, State)> {
    let (digits, ending) = name.split_once('.')?;
    let ticket: u64 = digits.parse().ok()?;
    let state = State::ALL
        .into_iter()
        .find(|state| state.ending() == ending)?;
    let is_entry = ticket <= MAX_TICKET && entry_name(ticket, state) == name;
    is_entry.then_some((ticket, state))
}

/// Reads an entry back.
///
/// # Errors
/// [`SpoolError::Damaged`] when this program did not write it, or a failing file system.
pub(super) fn read_entry(folder: &Folder, name: &str) -> Result<Entry, SpoolError> {
    let path = folder.path().join(name);
    let content = folder
        .read(name, MAX_ENTRY_BYTES)
        .map_err(not_read(&path))?;
    let damaged = |why: String| SpoolError::Damaged { path, why };
    let entry: Entry = match serde_json::from_slice(&content.bytes) {
        Ok(entry) => entry,
        Err(error) => return Err(damaged(error.to_string())),
    };
    if !is_single(entry.file.as_ref()) {
        return Err(damaged("it is about a file in another folder".to_owned()));
    }
    if entry.payload().is_none() {
        return Err(damaged("it holds no signed transaction".to_owned()));
    }
    Ok(entry)
}
