//! Finds the files of the folder that are whole.
//!
//! The folder is polled. The kernel does not report changes on memory cards and network shares, and
//! a file that it reports is not yet written to its end anyway.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hallway_evidence::{Line, Timestamp, embedding};

use crate::folder::{Content, FileError, Folder};

/// How long a file must not change before it counts as written.
const SETTLED_AFTER: Duration = Duration::from_millis(1000);

/// How long the watcher waits for the end of an incomplete picture or film, and for an empty file
/// to be filled: many programs create a file first and fill it later. Afterwards the picture or
/// film is taken as it is, and the empty file set aside.
const INCOMPLETE_AFTER: Duration = Duration::from_secs(60);

/// The endings of files that a program is still writing.
const UNFINISHED: [&str; 8] = [
    "part",
    "partial",
    "tmp",
    "temp",
    "writing",
    "crdownload",
    "download",
    "swp",
];

/// A file that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its name in the folder.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// When it was last written.
    pub modified: Timestamp,
}

/// Why a file is not signed, although it does not change any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// The name is not UTF-8, or could deceive a reader.
    #[error("its name is not UTF-8, or has invisible or misleading characters; rename it")]
    Name,
    /// The file has no bytes that could be signed.
    #[error("it is empty")]
    Empty,
    /// The file is longer than the agent sends.
    #[error("it has {length} bytes; at most {limit} are sent")]
    TooLong {
        /// The file's length, in bytes.
        length: u64,
        /// The agent's limit, in bytes.
        limit: u64,
    },
    /// A statement cannot carry the file's time.
    #[error("its time is before 1970, after 9999 or missing, and cannot be signed")]
    Time,
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

/// A file that is not signed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// Its name in the folder, as the file system has it.
    pub name: OsString,
    pub why: Unfit,
}

/// The length and the time of a file when it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    length: u64,
    modified: Timestamp,
}

/// Watches one folder, not what is below it.
#[derive(Debug)]
pub(crate) struct Watcher {
    folder: PathBuf,
    limit: u64,
    /// How each file was seen last, and since when it has not changed.
    seen: HashMap<OsString, (Seen, Timestamp)>,
    /// Files that are not signed until they change.
    unfit: HashMap<OsString, Seen>,
}

impl Watcher {
    /// Watches `folder` for files of at most `limit` bytes.
    #[must_use]
    pub(crate) fn new(folder: &Path, limit: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            limit,
            seen: HashMap::new(),
            unfit: HashMap::new(),
        }
    }

    /// Looks once. Returns the names of files that do not change any more, oldest first, without
    /// those that `skip` names. A file that is not signed is not returned again until it changes.
    /// Hidden files, folders and links are ignored.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(crate) fn look(
        &mut self,
        now: Timestamp,
        mut skip: impl FnMut(&OsStr) -> bool,
    ) -> io::Result<Vec<Result<String, Misfit>>> {
        let mut settled = Vec::new();
        let mut present = HashSet::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // The file has vanished while the folder was read.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if !metadata.is_file() {
                continue;
            }
            let name = entry.file_name();
            if is_unfinished(&name) || skip(&name) {
                continue;
            }
            let stated = metadata.modified().ok().and_then(stated_time);
            let modified = stated.unwrap_or_default();
            let seen = Seen {
                length: metadata.len(),
                modified,
            };
            present.insert(name.clone());
            let (_, since) = self
                .seen
                .entry(name.clone())
                .and_modify(|(before, since)| {
                    if *before != seen {
                        (*before, *since) = (seen, now);
                    }
                })
                .or_insert((seen, now));
            let patience = if seen.length == 0 {
                INCOMPLETE_AFTER
            } else {
                SETTLED_AFTER
            };
            let is_quiet = now.distance(*since) >= patience;
            if !is_quiet || self.unfit.get(&name) == Some(&seen) {
                continue;
            }
            let fit = self.fit(&name, seen.length, stated);
            if fit.is_err() {
                if open_for_writing(&self.folder.join(&name)) {
                    continue;
                }
                self.ignore_as_it_is(&name);
            }
            let found = fit.map_err(|why| Misfit {
                name: name.clone(),
                why,
            });
            settled.push((modified, name, found));
        }
        self.seen.retain(|name, _| present.contains(name));
        self.unfit.retain(|name, _| present.contains(name));
        settled.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        Ok(settled.into_iter().map(|(_, _, found)| found).collect())
    }

    /// The name of a file that can be signed, as far as its metadata show.
    fn fit(&self, name: &OsStr, length: u64, time: Option<Timestamp>) -> Result<String, Unfit> {
        let Some(name) = name.to_str().filter(|name| Line::new(*name).is_ok()) else {
            return Err(Unfit::Name);
        };
        if length == 0 {
            return Err(Unfit::Empty);
        }
        if length > self.limit {
            return Err(Unfit::TooLong {
                length,
                limit: self.limit,
            });
        }
        match time {
            Some(_) => Ok(name.to_owned()),
            None => Err(Unfit::Time),
        }
    }

    /// Reads a settled file. `None` when it is not whole yet, or changed while it was read: look
    /// again later.
    ///
    /// # Errors
    /// [`Unfit`]; the file is not looked at again until it changes.
    pub(crate) fn read(&mut self, name: &str, now: Timestamp) -> Result<Option<Found>, Unfit> {
        let path = self.folder.join(name);
        let Some((seen, since)) = self.seen.get(OsStr::new(name)).copied() else {
            return Ok(None);
        };
        if open_for_writing(&path) {
            return Ok(None);
        }
        // If the folder is away, the next look reports that.
        let Ok(folder) = Folder::open(&self.folder) else {
            return Ok(None);
        };
        let Content { bytes, metadata } = match folder.read(name, self.limit) {
            Ok(content) => content,
            // The file that was seen is no longer there: the next look sees what is.
            Err(FileError::Gone | FileError::NotAFile | FileError::TooLong(_)) => return Ok(None),
            Err(FileError::System(why)) => {
                self.ignore_as_it_is(name.as_ref());
                return Err(Unfit::Unreadable(why.to_string()));
            }
        };
        let is_unchanged = metadata.len() == seen.length
            && bytes.len() as u64 == seen.length
            && metadata.modified().ok().and_then(stated_time) == Some(seen.modified);
        if !is_unchanged {
            return Ok(None);
        }
        if !embedding::seems_whole(&bytes) && now.distance(since) < INCOMPLETE_AFTER {
            return Ok(None);
        }
        Ok(Some(Found {
            name: name.to_owned(),
            bytes,
            modified: seen.modified,
        }))
    }

    /// Ignores this file until it changes from how it was seen last.
    fn ignore_as_it_is(&mut self, name: &OsStr) {
        if let Some((seen, _)) = self.seen.get(name) {
            self.unfit.insert(name.to_owned(), *seen);
        }
    }

    /// Ignores this file, which was signed before, until it changes from how it is now.
    pub(crate) fn ignore(&mut self, name: &OsStr) {
        if let Some(seen) = self.as_it_is(name) {
            self.unfit.insert(name.to_owned(), seen);
        }
    }

    /// Whether a file is ignored until it changes, and has not changed. A file that is missing now
    /// may have gone with its memory card, and counts as unchanged.
    #[must_use]
    pub(crate) fn ignores(&self, name: &OsStr) -> bool {
        self.unfit.get(name).is_some_and(|unfit| {
            let now = self.as_it_is(name);
            now.is_none_or(|seen| seen == *unfit)
        })
    }

    fn as_it_is(&self, name: &OsStr) -> Option<Seen> {
        let metadata = fs::symlink_metadata(self.folder.join(name)).ok()?;
        let stated = metadata.modified().ok().and_then(stated_time);
        Some(Seen {
            length: metadata.len(),
            modified: stated.unwrap_or_default(),
        })
    }

    /// Whether there is a file that is neither signed nor set aside: one that is being written.
    #[must_use]
    pub(crate) fn expects_more(&self) -> bool {
        self.seen
            .iter()
            .any(|(name, (seen, _))| self.unfit.get(name) != Some(seen))
    }

    /// Forgets a file that is gone or signed.
    pub(crate) fn forget(&mut self, name: impl AsRef<OsStr>) {
        self.seen.remove(name.as_ref());
    }
}

fn is_unfinished(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    let is_unfinished = |ending: &OsStr| {
        UNFINISHED
            .iter()
            .any(|unfinished| ending.eq_ignore_ascii_case(unfinished))
    };
    bytes.starts_with(b".")
        || bytes.ends_with(b"~")
        || Path::new(name).extension().is_some_and(is_unfinished)
}

/// A file's time, if a statement can carry it.
fn stated_time(modified: SystemTime) -> Option<Timestamp> {
    let since_1970 = modified.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Timestamp::try_from(u64::try_from(since_1970.as_millis()).ok()?).ok()
}

/// Whether a process that this one may inspect has the file open for writing. Best effort: Linux
/// only, and other users' processes are not seen.
fn open_for_writing(path: &Path) -> bool {
    let Ok(target) = fs::canonicalize(path) else {
        return false;
    };
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    processes.flatten().any(|process| {
        let is_process = process
            .file_name()
            .to_str()
            .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        is_process
            && fs::read_dir(process.path().join("fd")).is_ok_and(|descriptors| {
                descriptors.flatten().any(|descriptor| {
                    fs::read_link(descriptor.path()).is_ok_and(|open| open == target)
                        && writes(&process.path().join("fdinfo").join(descriptor.file_name()))
                })
            })
    })
}

/// Whether the flags in an `fdinfo` file (octal) say that the descriptor is open for writing.
fn writes(fdinfo: &Path) -> bool {
    const ACCESS_MODE: u32 = 0o3;
    fs::read_to_string(fdinfo).is_ok_and(|text| {
        text.lines()
            .find_map(|line| line.strip_prefix("flags:"))
            .and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok())
            .is_some_and(|flags| flags & ACCESS_MODE != 0)
    })
}

#[cfg(test)]
mod tests;
