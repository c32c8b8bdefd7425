//! Signed copies, for whoever wants to keep them.

use std::io;
use std::path::{Path, PathBuf};

use hallway_evidence::{Bundle, Receipt, embedding};

use super::Agent;
use crate::atomic_file;
use crate::file_name::{EVIDENCE, MAX_NAME, with_infix, with_suffix};
use crate::signer::Signer;
use crate::spool::Entry;

/// How many names are tried for a copy.
const NAMES: u32 = 100;

/// Why a signed copy was not kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotKept {
    /// The folder takes none now: it is full, away or closed. That may pass.
    #[error("{0}")]
    Folder(io::Error),
    /// Of this file there can be none.
    #[error("{0}")]
    File(String),
}

impl<S: Signer> Agent<S> {
    /// Writes the signed copy, if copies are kept, with its evidence inside or beside it. Says where
    /// it is, or what went wrong; the file is then not removed.
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
            .and_then(crate::registration::Registration::grounds);
        let grounds = grounds.iter().flat_map(Bundle::receipts).cloned();
        let bundle =
            Bundle::of(receipt.clone(), grounds).map_err(|why| NotKept::File(why.to_string()))?;
        std::fs::create_dir_all(folder).map_err(NotKept::Folder)?;
        write_copy(folder, entry, payload, &bundle).map(Some)
    }
}

/// Writes the copy under the first name that is free and that the file system takes. A copy of the
/// same transaction, from before a restart, is written over.
fn write_copy(
    folder: &Path,
    entry: &Entry,
    payload: &[u8],
    bundle: &Bundle,
) -> Result<PathBuf, NotKept> {
    let mut refused = None;
    for path in names(entry).map(|name| folder.join(name)) {
        if !is_free(&path) && !is_copy(&path, bundle) {
            continue;
        }
        match write_at(&path, payload, bundle) {
            Ok(()) => return Ok(path),
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

fn write_at(path: &Path, payload: &[u8], bundle: &Bundle) -> io::Result<()> {
    match embedding::embed(payload, bundle) {
        Ok(signed) => atomic_file::write(path, &signed),
        Err(_) => {
            atomic_file::write(&beside(path), &bundle.encode())?;
            atomic_file::write(path, payload)
        }
    }
}

/// The file's own name, then some with its number, and one that every file system takes. All leave
/// room for the name of evidence beside them, and none looks like such a name.
fn names(entry: &Entry) -> impl Iterator<Item = String> {
    let most = MAX_NAME - EVIDENCE.len();
    let (file, sequence) = (entry.file.as_str(), entry.sequence);
    let file = match file.strip_suffix(EVIDENCE) {
        Some(stem) => with_suffix(stem, "-evidence", most),
        None => file.to_owned(),
    };
    let own = (file.len() <= most).then(|| file.clone());
    let numbered = (1..NAMES).map(move |number| match number {
        1 => with_infix(&file, &format!("-{sequence}"), most),
        _ => with_infix(&file, &format!("-{sequence}-{number}"), most),
    });
    let plain = format!("transaction-{sequence}");
    own.into_iter().chain(numbered).chain([plain])
}

/// Whether nothing has this name or the name of its evidence, be it a link to nothing.
fn is_free(path: &Path) -> bool {
    [path, &beside(path)]
        .iter()
        .all(|path| path.symlink_metadata().is_err())
}

/// Whether the file is a copy of the transaction that `bundle` is about. Evidence beside a file
/// decides over evidence inside.
fn is_copy(path: &Path, bundle: &Bundle) -> bool {
    let kept = match std::fs::read(beside(path)) {
        Ok(evidence) => Bundle::decode(&evidence).ok(),
        Err(_) => std::fs::read(path)
            .ok()
            .and_then(|file| embedding::extract(&file).ok()?.1),
    };
    kept.is_some_and(|kept| kept.subject().evidence == bundle.subject().evidence)
}

/// Whether the file system takes no such name: too long for it, or with a character that it reserves.
fn is_about_the_name(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput
    )
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}{EVIDENCE}"))
}
