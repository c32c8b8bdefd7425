//! Signed statements without a receipt yet, on disk beside the files that they are about.
//!
//! The folder `.hallway` in the watched folder holds:
//!
//! | file | what |
//! |---|---|
//! | `lock` | held by the agent that runs |
//! | `registration.json` | the registration with a gateway ([`crate::registration`]) |
//! | `<ticket>.signed` | a signed statement that waits for its receipt |
//! | `<ticket>.done` | one whose receipt has arrived, but whose file may still be there |
//! | `<ticket>.damaged` | one that could not be read back; its file is signed again |
//! | `reserve` | room that is given up when the disk is full, so that one more can be signed |
//!
//! Others may write in the watched folder: a link, a pipe or a folder may lie in the place of any
//! of these ([`crate::folder`]). Files of other names are left alone.
//!
//! The folder `refused` beside it holds files that are not sent ([`crate::refused`]).
//!
//! Every step is one rename, so at whatever moment the power fails, a file is either still there
//! with its signed statement, or acknowledged.

mod entry;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use entry::Entry;
use entry::{State, entry_name, read_entry, read_entry_name};

use crate::folder::{EnterError, FileError, Folder};

/// The name of the agent's folder in the watched folder.
pub(crate) const FOLDER: &str = ".hallway";

/// The name of the file whose lock an agent holds while it runs.
const LOCK: &str = "lock";

const RESERVE_NAME: &str = "reserve";

/// The room that is kept for a full disk: enough for a few dozen signed statements.
const RESERVE_BYTES: usize = 256 * 1024;

/// Why the spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another agent holds the lock.
    #[error("another agent already watches {}", .0.display())]
    Locked(PathBuf),
    /// The disk is full, even after giving up the reserve.
    #[error("the disk is full, so {} cannot be written; free some space", .0.display())]
    Full(PathBuf),
    /// The file system failed.
    #[error("{} could not be {did}: {why}", .path.display())]
    Io {
        /// The path of the file or folder.
        path: PathBuf,
        /// The operation that failed, such as "read" or "written".
        did: &'static str,
        /// The system's error.
        why: io::Error,
    },
    /// A link, or something else that is not a folder, has the name of the agent's folder.
    #[error(
        "{} is a link or not a folder, and the agent needs a folder of its own there; move it away",
        .0.display()
    )]
    NotAFolder(PathBuf),
    /// A file of the spool that this program did not write.
    #[error("{} is damaged: {why}; move it away to continue without it", .path.display())]
    Damaged {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong with the file.
        why: String,
    },
}

/// The spool of one watched folder.
#[derive(Debug)]
pub(crate) struct Spool {
    watched: PathBuf,
    /// Held while the agent runs.
    _lock: File,
    queue: BTreeMap<u64, Entry>,
    /// Entries whose receipt has arrived, and whose file can't be removed.
    finished: BTreeMap<u64, Entry>,
    /// Entries that could not be read back, and why, until that is reported.
    damaged: Vec<(PathBuf, String)>,
    next_ticket: u64,
}

impl Spool {
    /// Opens the spool of `watched`, and finishes the work of an earlier agent.
    ///
    /// # Errors
    /// [`SpoolError::Locked`] when another agent runs, or a failing file system.
    pub(crate) fn open(watched: &Path) -> Result<Self, SpoolError> {
        fs::create_dir_all(watched).map_err(io_error(watched, "made"))?;
        let path = watched.join(FOLDER);
        let folder = Folder::open(watched)
            .map_err(EnterError::from)
            .and_then(|watched| watched.enter_or_make(FOLDER))
            .map_err(not_entered(&path))?;
        // The folder is for this user alone, whatever the umask.
        folder
            .close_to_others()
            .map_err(io_error(&path, "closed to others"))?;
        let lock_path = path.join(LOCK);
        let lock = folder.open_lock(LOCK).map_err(not_read(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SpoolError::Locked(watched.to_owned())),
            Err(TryLockError::Error(why)) => return Err(io_error(&lock_path, "locked")(why)),
        }
        folder.sweep().map_err(io_error(&path, "swept"))?;
        let mut spool = Self {
            watched: watched.to_owned(),
            _lock: lock,
            queue: BTreeMap::new(),
            finished: BTreeMap::new(),
            damaged: Vec::new(),
            next_ticket: 1,
        };
        spool.recover(&folder)?;
        restore_reserve(&folder);
        Ok(spool)
    }

    /// The agent's folder as it is now: a card may have been put back.
    fn folder(&self) -> Result<Folder, SpoolError> {
        self.open_watched()
            .map_err(EnterError::from)
            .and_then(|watched| watched.enter(FOLDER))
            .map_err(not_entered(&self.watched.join(FOLDER)))
    }

    /// The path of a file in the agent's folder, for people to read.
    #[must_use]
    pub(crate) fn path_of_own(&self, name: &str) -> PathBuf {
        self.watched.join(FOLDER).join(name)
    }

    /// The tickets and entries that wait, in the order in which they were signed.
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
    pub(crate) fn holds(&self, file: impl AsRef<OsStr>) -> bool {
        let file = file.as_ref();
        let mut all = self.queue.values().chain(self.finished.values());
        all.any(|entry| file == entry.file.as_str())
    }

    /// Entries that could not be read back when the spool was opened, and why: each is returned
    /// once.
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

    /// Opens the watched folder as it is now.
    ///
    /// # Errors
    /// The folder is away, or the file system failed.
    pub(crate) fn open_watched(&self) -> io::Result<Folder> {
        Folder::open(&self.watched)
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
        let name = entry_name(ticket, State::Signed);
        let json = serde_json::to_vec(&entry).map_err(|error| SpoolError::Damaged {
            path: self.path_of_own(&name),
            why: error.to_string(),
        })?;
        self.write(&name, &json)?;
        self.queue.insert(ticket, entry);
        Ok(())
    }

    /// Removes the local file and then the entry, when the receipt has arrived. From the first
    /// rename on, a restart ends the same way.
    ///
    /// # Errors
    /// A failing file system; a restart finishes the work. The accepted file is not signed again.
    pub(crate) fn finish(&mut self, ticket: u64) -> Result<(), SpoolError> {
        let Some(entry) = self.queue.remove(&ticket) else {
            return Ok(());
        };
        let (signed, done) = (
            entry_name(ticket, State::Signed),
            entry_name(ticket, State::Done),
        );
        let cleared = self.folder().and_then(|folder| {
            folder
                .rename(&signed, &folder, &done)
                .map_err(io_error(&self.path_of_own(&done), "written"))?;
            self.clear(&folder, &done, &entry)?;
            Ok(folder)
        });
        match cleared {
            Ok(folder) => restore_reserve(&folder),
            Err(error) => {
                self.finished.insert(ticket, entry);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Forgets an entry and leaves its file where it is.
    ///
    /// # Errors
    /// A failing file system.
    pub(crate) fn drop_entry(&mut self, ticket: u64) -> Result<(), SpoolError> {
        self.discard(&entry_name(ticket, State::Signed))?;
        self.queue.remove(&ticket);
        Ok(())
    }

    /// Reads a file of at most `limit` bytes in the agent's folder, if it is there.
    ///
    /// # Errors
    /// [`SpoolError::Damaged`] when something else has its name or the file is longer, or a failing
    /// file system.
    pub(crate) fn load(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, SpoolError> {
        match self.folder()?.read(name, limit) {
            Ok(content) => Ok(Some(content.bytes)),
            Err(FileError::Gone) => Ok(None),
            Err(why) => Err(not_read(&self.path_of_own(name))(why)),
        }
    }

    /// Writes a file in the agent's folder, giving up the reserve if the disk is full.
    ///
    /// # Errors
    /// [`SpoolError::Full`], or a failing file system.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), SpoolError> {
        let folder = self.folder()?;
        give_way(|| folder.write(name, bytes), || folder.remove(RESERVE_NAME)).map_err(|why| {
            let path = self.path_of_own(name);
            if is_full(&why) {
                SpoolError::Full(path)
            } else {
                io_error(&path, "written")(why)
            }
        })
    }

    /// Removes a file in the agent's folder, if it is there.
    ///
    /// # Errors
    /// A failing file system.
    pub(crate) fn discard(&self, name: &str) -> Result<(), SpoolError> {
        self.folder()?
            .remove(name)
            .map_err(io_error(&self.path_of_own(name), "removed"))
    }

    /// Reads the queue back and finishes entries that were acknowledged. Files with other names are
    /// left alone.
    fn recover(&mut self, folder: &Folder) -> Result<(), SpoolError> {
        for name in folder.names().map_err(io_error(folder.path(), "read"))? {
            let name = name.map_err(io_error(folder.path(), "read"))?;
            let Some(name) = name.to_str() else {
                continue;
            };
            let Some((ticket, state)) = read_entry_name(name) else {
                continue;
            };
            self.next_ticket = self.next_ticket.max(ticket + 1);
            if state == State::Damaged {
                continue;
            }
            match read_entry(folder, name) {
                Ok(entry) if state == State::Signed => {
                    self.queue.insert(ticket, entry);
                }
                Ok(entry) => {
                    if let Err(error) = self.clear(folder, name, &entry) {
                        tracing::warn!(%error, "was accepted, and cannot be removed");
                        self.finished.insert(ticket, entry);
                    }
                }
                // The other entries are still good.
                Err(SpoolError::Damaged { why, .. }) => {
                    let aside = entry_name(ticket, State::Damaged);
                    let path = self.path_of_own(&aside);
                    folder
                        .rename(name, folder, &aside)
                        .map_err(io_error(&path, "written"))?;
                    self.damaged.push((path, why));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes the file of an acknowledged entry, unless another file has its name by now, and then
    /// removes the entry.
    fn clear(&self, folder: &Folder, done: &str, entry: &Entry) -> Result<(), SpoolError> {
        let path = self.path_of(&entry.file);
        let watched = self.open_watched().map_err(io_error(&path, "read"))?;
        let same = match watched.read(&entry.file, entry.length) {
            Ok(content) => entry
                .payload()
                .is_some_and(|payload| payload.matches(&content.bytes)),
            // The file that has the name now is not the one that was accepted.
            Err(FileError::Gone | FileError::TooLong(_) | FileError::NotAFile) => false,
            Err(FileError::System(why)) => return Err(io_error(&path, "read")(why)),
        };
        if same {
            // On the disk before the entry goes: after a power cut between the two, the file would
            // be taken for a new one and sent again.
            watched
                .remove(&entry.file)
                .and_then(|()| watched.sync())
                .map_err(io_error(&path, "removed"))?;
        }
        folder
            .remove(done)
            .map_err(io_error(&self.path_of_own(done), "removed"))
    }
}

/// Writes the reserve if there is room for it. While the disk is full there is none, and the next
/// finished transaction tries again.
fn restore_reserve(folder: &Folder) {
    let length = folder.length_of(RESERVE_NAME);
    if length.is_ok_and(|length| length == RESERVE_BYTES as u64) {
        return;
    }
    if let Err(error) = folder.write(RESERVE_NAME, &vec![0xa5; RESERVE_BYTES]) {
        tracing::debug!(%error, "no room for the reserve");
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

fn io_error(path: &Path, did: &'static str) -> impl FnOnce(io::Error) -> SpoolError {
    let path = path.to_owned();
    move |why| SpoolError::Io { path, did, why }
}

fn not_entered(path: &Path) -> impl FnOnce(EnterError) -> SpoolError {
    let path = path.to_owned();
    move |why| match why {
        EnterError::NotAFolder => SpoolError::NotAFolder(path),
        EnterError::System(why) => io_error(&path, "opened")(why),
    }
}

fn not_read(path: &Path) -> impl FnOnce(FileError) -> SpoolError {
    let path = path.to_owned();
    move |why| match why {
        FileError::NotAFile | FileError::TooLong(_) => SpoolError::Damaged {
            path,
            why: why.to_string(),
        },
        FileError::Gone => io_error(&path, "read")(io::ErrorKind::NotFound.into()),
        FileError::System(why) => io_error(&path, "read")(why),
    }
}

#[cfg(test)]
mod tests;
