//! Signed copies, for whoever wants to keep them.

use std::path::{Path, PathBuf};

use hallway_evidence::{Bundle, Receipt, jpeg};

use super::Agent;
use crate::atomic_file;
use crate::signer::Signer;
use crate::spool::Entry;

impl<S: Signer> Agent<S> {
    /// Writes the signed copy, if copies are kept: a JPEG with its evidence inside, anything else
    /// beside its evidence. Says where it is, or what went wrong; the file is then not removed.
    pub(super) fn keep(
        &self,
        entry: &Entry,
        payload: &[u8],
        receipt: &Receipt,
    ) -> Result<Option<PathBuf>, String> {
        let Some(folder) = &self.settings.keep else {
            return Ok(None);
        };
        let grounds = self
            .registration
            .as_ref()
            .and_then(crate::registration::Registration::grounds);
        let grounds = grounds.iter().flat_map(Bundle::receipts).cloned();
        let not_kept = |why: &dyn std::fmt::Display| {
            format!("the signed copy of {} was not kept: {why}", entry.file)
        };
        let bundle = Bundle::of(receipt.clone(), grounds).map_err(|why| not_kept(&why))?;
        write_copy(folder, entry, payload, &bundle)
            .map(Some)
            .map_err(|why| not_kept(&why))
    }
}

fn write_copy(
    folder: &Path,
    entry: &Entry,
    payload: &[u8],
    bundle: &Bundle,
) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = path_for(folder, entry, bundle);
    match jpeg::embed(payload, bundle) {
        Ok(signed) if entry.media_type == "image/jpeg" => atomic_file::write(&path, &signed)?,
        _ => {
            atomic_file::write(&beside(&path), &bundle.encode())?;
            atomic_file::write(&path, payload)?;
        }
    }
    Ok(path)
}

/// The file's own name, or one with its number when another file has that name. A copy of the same
/// transaction, from before a restart, is written over.
fn path_for(folder: &Path, entry: &Entry, bundle: &Bundle) -> PathBuf {
    let plain = folder.join(&entry.file);
    if !plain.exists() || is_copy(&plain, bundle) {
        return plain;
    }
    match entry.file.rsplit_once('.') {
        Some((stem, ending)) => folder.join(format!("{stem}-{}.{ending}", entry.sequence)),
        None => folder.join(format!("{}-{}", entry.file, entry.sequence)),
    }
}

/// Whether the file is a copy of the transaction that `bundle` is about.
fn is_copy(path: &Path, bundle: &Bundle) -> bool {
    let inside = || jpeg::extract(&std::fs::read(path).ok()?).ok()?.1;
    let outside = || Bundle::decode(&std::fs::read(beside(path)).ok()?).ok();
    let kept = inside().or_else(outside);
    kept.is_some_and(|kept| kept.subject().evidence == bundle.subject().evidence)
}

fn beside(path: &Path) -> PathBuf {
    let mut evidence = path.to_owned().into_os_string();
    evidence.push(".evidence");
    evidence.into()
}
