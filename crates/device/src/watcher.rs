//! Which files of the folder are whole.
//!
//! Polled, not told by the kernel: folders on memory cards and network shares tell nothing, and a
//! file that is told of is not yet written to its end anyway.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hallway_evidence::{Timestamp, jpeg};

/// How long a file must not change before it counts as written.
const SETTLED: Duration = Duration::from_millis(1000);

/// How long a JPEG may be incomplete before it counts as broken.
const BROKEN: Duration = Duration::from_secs(60);

/// The endings of files that some program still writes.
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

/// Why a file is not taken, although it does not change any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// The name is not UTF-8, or could deceive a reader.
    #[error("its name cannot be stated; rename it")]
    Name,
    /// Longer than the agent sends.
    #[error("it has {length} bytes; at most {limit} are sent")]
    TooLong {
        /// Its length.
        length: u64,
        /// The agent's limit.
        limit: u64,
    },
    /// A JPEG that does not end.
    #[error("it is not a whole picture: {0}")]
    Broken(jpeg::JpegError),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

/// A file as it was seen.
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
    /// What each file was like, and since when it is like that.
    seen: HashMap<String, (Seen, Timestamp)>,
    /// Files that are not taken as they are.
    unfit: HashMap<String, Seen>,
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

    /// Looks once. Gives the names of files that do not change any more, oldest first, without
    /// those that `skip` names. Hidden files, folders and links are never taken.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(crate) fn look(
        &mut self,
        now: Timestamp,
        mut skip: impl FnMut(&str) -> bool,
    ) -> io::Result<Vec<Result<String, (String, Unfit)>>> {
        let mut settled = Vec::new();
        let mut present = HashSet::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // A file that vanishes while the folder is read is none of ours.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if !metadata.is_file() {
                continue;
            }
            let os_name = entry.file_name();
            let name = os_name.to_string_lossy().into_owned();
            if is_unfinished(&name) || skip(&name) {
                continue;
            }
            let modified = metadata.modified().map(Timestamp::from).unwrap_or(now);
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
            let quiet = now.distance(*since);
            if seen.length == 0 || quiet < SETTLED || self.unfit.get(&name) == Some(&seen) {
                continue;
            }
            let unfit = if os_name.to_str().is_none()
                || hallway_evidence::Line::new(name.as_str()).is_err()
            {
                Some(Unfit::Name)
            } else if seen.length > self.limit {
                Some(Unfit::TooLong {
                    length: seen.length,
                    limit: self.limit,
                })
            } else {
                None
            };
            settled.push((modified, name, unfit));
        }
        self.seen.retain(|name, _| present.contains(name));
        self.unfit.retain(|name, _| present.contains(name));
        settled.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        Ok(settled
            .into_iter()
            .map(|(_, name, unfit)| match unfit {
                None => Ok(name),
                Some(unfit) => {
                    self.set_aside(&name);
                    Err((name, unfit))
                }
            })
            .collect())
    }

    /// Reads a settled file. `None` when it is not whole yet, or changed while it was read: look
    /// again later.
    ///
    /// # Errors
    /// [`Unfit`]; the file is not looked at again until it changes.
    pub(crate) fn read(&mut self, name: &str, now: Timestamp) -> Result<Option<Found>, Unfit> {
        let path = self.folder.join(name);
        let Some((seen, since)) = self.seen.get(name).copied() else {
            return Ok(None);
        };
        if open_for_writing(&path) {
            return Ok(None);
        }
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => {
                self.set_aside(name);
                return Err(Unfit::Unreadable(why.to_string()));
            }
        };
        let unchanged = fs::symlink_metadata(&path).is_ok_and(|after| {
            after.is_file()
                && after.len() == seen.length
                && after.modified().map(Timestamp::from).ok() == Some(seen.modified)
        });
        if !unchanged || bytes.len() as u64 != seen.length {
            return Ok(None);
        }
        let whole = match media_type(name) {
            "image/jpeg" => jpeg::check(&bytes),
            _ => Ok(()),
        };
        if let Err(error) = whole {
            if now.distance(since) < BROKEN {
                return Ok(None);
            }
            self.set_aside(name);
            return Err(Unfit::Broken(error));
        }
        Ok(Some(Found {
            name: name.to_owned(),
            bytes,
            modified: seen.modified,
        }))
    }

    /// Does not look at this file again until it changes.
    fn set_aside(&mut self, name: &str) {
        if let Some((seen, _)) = self.seen.get(name) {
            self.unfit.insert(name.to_owned(), *seen);
        }
    }

    /// Does not take this file, which was signed before, again until it changes.
    pub(crate) fn ignore(&mut self, name: &str) {
        let Ok(metadata) = fs::symlink_metadata(self.folder.join(name)) else {
            return;
        };
        if let Ok(modified) = metadata.modified() {
            let seen = Seen {
                length: metadata.len(),
                modified: modified.into(),
            };
            self.unfit.insert(name.to_owned(), seen);
        }
    }

    /// Whether a file is there that is neither taken nor set aside: one that is being written.
    #[must_use]
    pub(crate) fn expects_more(&self) -> bool {
        self.seen
            .iter()
            .any(|(name, (seen, _))| seen.length > 0 && self.unfit.get(name) != Some(seen))
    }

    /// Forgets a file that is gone or taken.
    pub(crate) fn forget(&mut self, name: &str) {
        self.seen.remove(name);
    }
}

fn is_unfinished(name: &str) -> bool {
    name.starts_with('.')
        || name.ends_with('~')
        || name
            .rsplit_once('.')
            .is_some_and(|(_, ending)| UNFINISHED.contains(&ending.to_ascii_lowercase().as_str()))
}

/// The media type that a file's ending stands for.
#[must_use]
pub(crate) fn media_type(name: &str) -> &'static str {
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("mp4") => "video/mp4",
        Some("wav") => "audio/wav",
        Some("json") => "application/json",
        Some("csv") => "text/csv",
        Some("txt" | "log") => "text/plain",
        Some("pdf") => "application/pdf",
        _ => "application/octet-stream",
    }
}

/// Whether a process that this one may look at has the file open for writing. Best effort: Linux
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

/// Whether the flags in an `fdinfo` file (octal) say that the descriptor writes.
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
