//! What was signed but not yet acknowledged, on disk beside the files that it is about.
//!
//! The folder `.hallway` in the watched folder holds:
//!
//! | file | what |
//! |---|---|
//! | `lock` | held by the agent that runs |
//! | `registration.json` | with which gateway the device is registered ([`crate::registration`]) |
//! | `<ticket>.signed` | a signed statement that waits for its receipt |
//! | `<ticket>.done` | one whose receipt is in hand, but whose file may still be there |
//! | `<ticket>.damaged` | one that could not be read back; its file is signed again |
//! | `reserve` | room that is given up when the disk is full, so that one more can be signed |
//!
//! The folder `refused` beside it holds what is not sent ([`crate::refused`]).
//!
//! Every step is one rename, so whatever moment the power goes, a file is either still there with
//! its signed statement, or acknowledged.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use hallway_evidence::statement::device::Payload;
use hallway_evidence::{SignedStatement, Timestamp};
use serde::{Deserialize, Serialize};

use crate::atomic_file;
use crate::protocol::Bytes;

/// The name of the agent's folder in the watched folder.
pub(crate) const FOLDER: &str = ".hallway";

/// How much room is kept for a full disk: enough for a few dozen signed statements.
const RESERVE: usize = 256 * 1024;

/// The longest entry that is read back, in bytes.
const MAX_ENTRY: u64 = 256 * 1024;

/// Why the spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another agent holds the lock.
    #[error("another agent watches {} already", .0.display())]
    Locked(PathBuf),
    /// The disk is full, even after giving up the reserve.
    #[error("the disk is full; free some space, and {} is signed then", .0.display())]
    Full(PathBuf),
    /// The file system failed.
    #[error("{} could not be {did}: {why}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        did: &'static str,
        /// What the system says.
        why: io::Error,
    },
    /// A file of the spool that this program did not write.
    #[error("{} is damaged: {why}; move it away to go on without it", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// A signed statement about a file, waiting for its receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The file's name in the watched folder.
    pub file: String,
    /// Its length when it was signed, in bytes.
    pub length: u64,
    /// The transaction's sequence number.
    pub sequence: u64,
    /// When the bytes were taken.
    pub taken_ms: Timestamp,
    /// Whether the file got its time from this device's clock, shortly before it was signed: that
    /// time is corrected when the clock turns out to be wrong. Any other is the file's own.
    #[serde(default)]
    pub by_our_clock: bool,
    /// Their media type.
    pub media_type: String,
    /// The signed statement, CBOR.
    pub signed_statement: Bytes,
    /// The seal of the gateway's challenge, if it asked for none there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Bytes>,
}

impl Entry {
    /// What was signed.
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

/// The spool of one watched folder.
#[derive(Debug)]
pub(crate) struct Spool {
    watched: PathBuf,
    folder: PathBuf,
    /// Held while the agent runs.
    _lock: File,
    queue: BTreeMap<u64, Entry>,
    /// Those whose receipt is in hand, and whose file can't be removed.
    finished: BTreeMap<u64, Entry>,
    /// What could not be read back, and why, until somebody is told.
    damaged: Vec<(PathBuf, String)>,
    next_ticket: u64,
}

impl Spool {
    /// Opens the spool of `watched`, and finishes what an earlier agent was in the middle of.
    ///
    /// # Errors
    /// [`SpoolError::Locked`] when another agent runs, or a failing file system.
    pub(crate) fn open(watched: &Path) -> Result<Self, SpoolError> {
        let folder = watched.join(FOLDER);
        fs::create_dir_all(&folder).map_err(io_error(&folder, "made"))?;
        // What waits here is for this user alone, whatever the umask.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))
            .map_err(io_error(&folder, "closed to others"))?;
        let lock_path = folder.join("lock");
        let lock = atomic_file::create(&lock_path).map_err(io_error(&lock_path, "made"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SpoolError::Locked(watched.to_owned())),
            Err(TryLockError::Error(why)) => return Err(io_error(&lock_path, "locked")(why)),
        }
        let mut spool = Self {
            watched: watched.to_owned(),
            folder,
            _lock: lock,
            queue: BTreeMap::new(),
            finished: BTreeMap::new(),
            damaged: Vec::new(),
            next_ticket: 1,
        };
        spool.recover()?;
        spool.restore_reserve();
        Ok(spool)
    }

    /// The agent's folder.
    #[must_use]
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What waits, in the order in which it was signed: tickets and entries.
    pub(crate) fn queue(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.queue.iter().map(|(ticket, entry)| (*ticket, entry))
    }

    /// The entry that goes next.
    #[must_use]
    pub(crate) fn first(&self) -> Option<(u64, &Entry)> {
        self.queue().next()
    }

    /// Whether a file of this name waits, or was accepted and can't be removed.
    #[must_use]
    pub(crate) fn holds(&self, file: &str) -> bool {
        let mut all = self.queue.values().chain(self.finished.values());
        all.any(|entry| entry.file == file)
    }

    /// Entries that could not be read back when the spool was opened, and why: each is told once.
    pub(crate) fn take_damaged(&mut self) -> Vec<(PathBuf, String)> {
        std::mem::take(&mut self.damaged)
    }

    /// The watched folder.
    #[must_use]
    pub(crate) fn watched(&self) -> &Path {
        &self.watched
    }

    /// The path of a file in the watched folder.
    #[must_use]
    pub(crate) fn path_of(&self, file: &str) -> PathBuf {
        self.watched.join(file)
    }

    /// Puts a new entry at the end. When it returns, the entry survives a power cut.
    ///
    /// # Errors
    /// [`SpoolError::Full`], or a failing file system; the entry is then not there.
    pub(crate) fn push(&mut self, entry: Entry) -> Result<u64, SpoolError> {
        let ticket = self.next_ticket;
        self.replace(ticket, entry)?;
        self.next_ticket += 1;
        Ok(ticket)
    }

    /// Writes an entry in the place of the one with this ticket, for a statement that had to be
    /// signed again.
    ///
    /// # Errors
    /// As [`Spool::push`]; the old entry is then still there.
    pub(crate) fn replace(&mut self, ticket: u64, entry: Entry) -> Result<(), SpoolError> {
        let path = self.entry_path(ticket, "signed");
        let json = serde_json::to_vec(&entry).map_err(|error| SpoolError::Damaged {
            path: path.clone(),
            why: error.to_string(),
        })?;
        self.write(&path, &json)?;
        self.queue.insert(ticket, entry);
        Ok(())
    }

    /// The receipt is in hand: the local file goes, then the entry. From the first rename on, a
    /// restart ends the same way.
    ///
    /// # Errors
    /// A failing file system; a restart finishes it. What was accepted is not taken again.
    pub(crate) fn finish(&mut self, ticket: u64) -> Result<(), SpoolError> {
        let Some(entry) = self.queue.remove(&ticket) else {
            return Ok(());
        };
        let done = self.entry_path(ticket, "done");
        let cleared = atomic_file::rename(&self.entry_path(ticket, "signed"), &done)
            .map_err(io_error(&done, "written"))
            .and_then(|()| self.clear(&done, &entry));
        if let Err(error) = cleared {
            self.finished.insert(ticket, entry);
            return Err(error);
        }
        self.restore_reserve();
        Ok(())
    }

    /// Forgets an entry and leaves its file where it is.
    ///
    /// # Errors
    /// A failing file system.
    pub(crate) fn drop_entry(&mut self, ticket: u64) -> Result<(), SpoolError> {
        let path = self.entry_path(ticket, "signed");
        atomic_file::remove(&path).map_err(io_error(&path, "removed"))?;
        self.queue.remove(&ticket);
        Ok(())
    }

    /// Writes a file of the agent's, giving up the reserve if the disk is full.
    ///
    /// # Errors
    /// [`SpoolError::Full`], or a failing file system.
    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), SpoolError> {
        give_way(
            || atomic_file::write(path, bytes),
            || atomic_file::remove(&self.reserve_path()),
        )
        .map_err(|why| {
            if is_full(&why) {
                SpoolError::Full(path.to_owned())
            } else {
                io_error(path, "written")(why)
            }
        })
    }

    fn entry_path(&self, ticket: u64, state: &str) -> PathBuf {
        self.folder.join(format!("{ticket:020}.{state}"))
    }

    fn reserve_path(&self) -> PathBuf {
        self.folder.join("reserve")
    }

    /// Makes the reserve if there is room for it. While the disk is full there is none, and the
    /// next finished transaction tries again.
    fn restore_reserve(&self) {
        let path = self.reserve_path();
        if fs::metadata(&path).is_ok_and(|found| found.len() == RESERVE as u64) {
            return;
        }
        if let Err(error) = atomic_file::write(&path, &vec![0xa5; RESERVE]) {
            tracing::debug!(%error, "no room for the reserve");
        }
    }

    /// Reads the queue back and finishes what was acknowledged.
    fn recover(&mut self) -> Result<(), SpoolError> {
        let read = fs::read_dir(&self.folder).map_err(io_error(&self.folder, "read"))?;
        for found in read {
            let path = found.map_err(io_error(&self.folder, "read"))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let Some((ticket, state)) = name.and_then(|name| name.split_once('.')) else {
                continue;
            };
            let Ok(ticket) = ticket.parse::<u64>() else {
                continue;
            };
            match state {
                "signed" | "done" => match read_entry(&path) {
                    Ok(entry) if state == "signed" => {
                        self.queue.insert(ticket, entry);
                    }
                    Ok(entry) => {
                        if let Err(error) = self.clear(&path, &entry) {
                            tracing::warn!(%error, "was accepted, and cannot be removed");
                            self.finished.insert(ticket, entry);
                        }
                    }
                    // Of the others each is as good as it was.
                    Err(SpoolError::Damaged { path, why }) => {
                        let aside = self.entry_path(ticket, "damaged");
                        atomic_file::rename(&path, &aside).map_err(io_error(&aside, "written"))?;
                        self.damaged.push((aside, why));
                    }
                    Err(error) => return Err(error),
                },
                "damaged" => {}
                // Was being written when the power went; whatever it replaced is still there.
                _ => atomic_file::remove(&path).map_err(io_error(&path, "removed"))?,
            }
            self.next_ticket = self.next_ticket.max(ticket + 1);
        }
        Ok(())
    }

    /// Removes the file of an acknowledged entry, unless another file has its name by now, and
    /// then the entry.
    fn clear(&self, done: &Path, entry: &Entry) -> Result<(), SpoolError> {
        let file = self.path_of(&entry.file);
        let same = match fs::read(&file) {
            Ok(bytes) => entry
                .payload()
                .is_some_and(|payload| payload.matches(&bytes)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => false,
            Err(why) => return Err(io_error(&file, "read")(why)),
        };
        if same {
            atomic_file::remove(&file).map_err(io_error(&file, "removed"))?;
        }
        atomic_file::remove(done).map_err(io_error(done, "removed"))
    }
}

/// Tries to write; if the disk is full, makes way and tries once more.
fn give_way(
    mut write: impl FnMut() -> io::Result<()>,
    make_way: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    match write() {
        Err(error) if is_full(&error) => {
            make_way()?;
            write()
        }
        result => result,
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn read_entry(path: &Path) -> Result<Entry, SpoolError> {
    let damaged = |why: String| SpoolError::Damaged {
        path: path.to_owned(),
        why,
    };
    let length = fs::metadata(path).map_err(io_error(path, "read"))?.len();
    if length > MAX_ENTRY {
        return Err(damaged(format!("it has {length} bytes")));
    }
    let bytes = fs::read(path).map_err(io_error(path, "read"))?;
    let entry: Entry =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if entry.payload().is_none() {
        return Err(damaged("it holds no signed transaction".to_owned()));
    }
    Ok(entry)
}

pub(crate) fn io_error(path: &Path, did: &'static str) -> impl FnOnce(io::Error) -> SpoolError {
    let path = path.to_owned();
    move |why| SpoolError::Io { path, did, why }
}

#[cfg(test)]
mod tests;
