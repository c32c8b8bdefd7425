//! Keeps signed copies, if the settings name a folder for them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hallway_evidence::{Bundle, MAX_BUNDLE_BYTES, Receipt, embedding};

use super::Agent;
use crate::file_name::{EVIDENCE, MAX_NAME_BYTES, with_infix, with_suffix};
use crate::folder::{FileError, Folder};
use crate::signer::Signer;
use crate::spool::{self, Entry};
use crate::{refused, registration};

/// How many names are tried for a copy.
const MAX_NAMES_TRIED: u32 = 100;

/// How much longer a file may become with its evidence inside: the bundle, and the framing of its
/// pieces.
const MAX_EVIDENCE_BYTES: u64 = 2 * MAX_BUNDLE_BYTES as u64;

/// Why signed copies are not kept in a folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// The device watches the folder.
    #[error(
        "copies cannot be kept in {}, which is the watched folder: each would be signed again as a \
         new file, without end; keep them in another folder",
        .0.display()
    )]
    Watched(PathBuf),
    /// The folder is the agent's own, or lies in it.
    #[error(
        "copies cannot be kept in {}, where the agent has files of its own; keep them in another \
         folder",
        .0.display()
    )]
    Own(PathBuf),
}

/// Why a signed copy was not kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotKept {
    /// The folder cannot be written now: it is full, away or closed. That may pass.
    #[error("{0}")]
    Folder(io::Error),
    /// The folder must not be used for copies.
    #[error(transparent)]
    Misplaced(#[from] Misplaced),
    /// No copy of this file can be written.
    #[error("{0}")]
    File(String),
}

impl<S: Signer> Agent<S> {
    /// Writes the signed copy, if copies are kept, with its evidence inside or beside it, and
    /// returns its path. After an error the file is not removed.
    pub(super) fn keep(
        &self,
        entry: &Entry,
        payload: &[u8],
        receipt: &Receipt,
    ) -> Result<Option<PathBuf>, NotKept> {
        let Some(folder) = &self.settings.keep else {
            return Ok(None);
        };
        let grounds = self
            .registration
            .as_ref()
            .and_then(registration::Registration::grounds);
        let grounds = grounds.iter().flat_map(Bundle::receipts).cloned();
        let bundle =
            Bundle::of(receipt.clone(), grounds).map_err(|why| NotKept::File(why.to_string()))?;
        fs::create_dir_all(folder).map_err(NotKept::Folder)?;
        let folder = Folder::open(folder).map_err(NotKept::Folder)?;
        if let Some(misplaced) =
            misplaced(&folder, self.spool.watched()).map_err(NotKept::Folder)?
        {
            return Err(misplaced.into());
        }
        write_copy(&folder, entry, payload, &bundle).map(Some)
    }
}

/// Makes the folder for copies ready.
///
/// # Errors
/// [`Misplaced`]. Other errors show with each copy: the folder may lie on a card that is not there
/// yet.
pub(super) fn prepare(watched: &Path, keep: &Path) -> Result<(), Misplaced> {
    let ready = || -> io::Result<Option<Misplaced>> {
        fs::create_dir_all(keep)?;
        let folder = Folder::open(keep)?;
        let misplaced = misplaced(&folder, watched)?;
        if misplaced.is_none() {
            folder.sweep()?;
        }
        Ok(misplaced)
    };
    match ready() {
        Ok(Some(misplaced)) => Err(misplaced),
        Ok(None) => Ok(()),
        Err(error) => {
            tracing::warn!(%error, "the folder for copies is not ready");
            Ok(())
        }
    }
}

/// Why a folder must not be used for copies; `None` if it may. The watcher does not look below its
/// folder, so any other folder in it may be used.
fn misplaced(keep: &Folder, watched: &Path) -> io::Result<Option<Misplaced>> {
    let path = || keep.path().to_owned();
    let watched = Folder::open(watched)?;
    if keep.is(&fs::metadata(watched.path())?)? {
        return Ok(Some(Misplaced::Watched(path())));
    }
    let resolved = fs::canonicalize(keep.path())?;
    for own in [spool::FOLDER, refused::FOLDER] {
        // One that is missing or a link is not the agent's.
        let Ok(own) = watched.enter(own) else {
            continue;
        };
        for folder in resolved.ancestors() {
            if own.is(&fs::metadata(folder)?)? {
                return Ok(Some(Misplaced::Own(path())));
            }
        }
    }
    Ok(None)
}

/// Writes the copy under the first name that is free and that the file system accepts. A copy of
/// the same transaction, from before a restart, is overwritten.
fn write_copy(
    folder: &Folder,
    entry: &Entry,
    payload: &[u8],
    bundle: &Bundle,
) -> Result<PathBuf, NotKept> {
    let mut refused = None;
    for name in names(entry) {
        let is_ours =
            is_free(folder, &name) || is_copy(folder, &name, payload.len() as u64, bundle);
        if !is_ours {
            continue;
        }
        match write_at(folder, &name, payload, bundle) {
            Ok(()) => return Ok(folder.path().join(name)),
            Err(error) if is_about_the_name(&error) => refused = Some(error),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                return Err(NotKept::File(error.to_string()));
            }
            Err(error) => return Err(NotKept::Folder(error)),
        }
    }
    Err(NotKept::File(refused.map_or_else(
        || "other files have all its names".to_owned(),
        |error| error.to_string(),
    )))
}

fn write_at(folder: &Folder, name: &str, payload: &[u8], bundle: &Bundle) -> io::Result<()> {
    match embedding::embed(payload, bundle) {
        Ok(signed) => folder.write(name, &signed),
        Err(_) => {
            folder.write(&beside(name), &bundle.encode())?;
            folder.write(name, payload)
        }
    }
}

/// The file's own name, then names with its sequence number, and one that every file system
/// accepts. All leave room for the name of evidence beside them, and none looks like such a name.
fn names(entry: &Entry) -> impl Iterator<Item = String> {
    let most = MAX_NAME_BYTES - EVIDENCE.len();
    let (file, sequence) = (entry.file.as_str(), entry.sequence);
    let file = match file.strip_suffix(EVIDENCE) {
        Some(stem) => with_suffix(stem, "-evidence", most),
        None => file.to_owned(),
    };
    let own = (file.len() <= most).then(|| file.clone());
    let numbered = (1..MAX_NAMES_TRIED).map(move |number| match number {
        1 => with_infix(&file, &format!("-{sequence}"), most),
        _ => with_infix(&file, &format!("-{sequence}-{number}"), most),
    });
    let plain = format!("transaction-{sequence}");
    own.into_iter().chain(numbered).chain([plain])
}

/// Whether nothing, not even a dangling link, has this name or the name of its evidence. A name
/// that the file system does not accept counts as free: writing to it fails.
fn is_free(folder: &Folder, name: &str) -> bool {
    [name, &beside(name)]
        .iter()
        .all(|name| !matches!(folder.kind_of(name), Ok(Some(_))))
}

/// Whether the file is a copy of the transaction that `bundle` is about, whose bytes are `length`
/// long. Evidence beside a file counts before evidence inside.
fn is_copy(folder: &Folder, name: &str, length: u64, bundle: &Bundle) -> bool {
    let kept = match folder.read(beside(name), MAX_BUNDLE_BYTES as u64) {
        Ok(evidence) => Bundle::decode(&evidence.bytes).ok(),
        Err(FileError::Gone) => folder
            .read(name, length.saturating_add(MAX_EVIDENCE_BYTES))
            .ok()
            .and_then(|file| embedding::extract(&file.bytes).ok()?.1),
        Err(FileError::NotAFile | FileError::TooLong(_) | FileError::System(_)) => None,
    };
    kept.is_some_and(|kept| kept.subject().evidence == bundle.subject().evidence)
}

/// Whether the file system does not accept the name: it is too long, or has a reserved character.
fn is_about_the_name(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput
    )
}

fn beside(name: &str) -> String {
    format!("{name}{EVIDENCE}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn copies_are_kept_where_the_agent_does_not_find_them() {
        let place = tempfile::tempdir().unwrap();
        let watched = place.path().join("watched");
        for own in [spool::FOLDER, refused::FOLDER, "inner"] {
            fs::create_dir_all(watched.join(own)).unwrap();
        }
        symlink(&watched, place.path().join("link")).unwrap();
        symlink(watched.join(refused::FOLDER), watched.join("there")).unwrap();
        let prepare = |keep: &str| prepare(&watched, &place.path().join(keep));
        for keep in ["watched", "watched/", "watched/inner/..", "link", "link/."] {
            let said = prepare(keep);
            assert!(matches!(said, Err(Misplaced::Watched(_))), "{keep}");
        }
        for keep in ["watched/.hallway", "link/refused/deep", "watched/there"] {
            let said = prepare(keep);
            assert!(matches!(said, Err(Misplaced::Own(_))), "{keep}");
        }
        for keep in ["watched/inner", "watched/new", ".", "kept/new"] {
            assert_eq!(prepare(keep), Ok(()), "{keep}");
        }
    }
}
