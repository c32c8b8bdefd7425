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
        let mut bundle = Bundle(vec![receipt.clone()]);
        let grounds = self
            .registration
            .as_ref()
            .and_then(crate::registration::Registration::grounds);
        if let Some(grounds) = grounds {
            bundle.0.extend(grounds.0);
        }
        write_copy(folder, entry, payload, &bundle)
            .map(Some)
            .map_err(|why| format!("the signed copy of {} was not kept: {why}", entry.file))
    }
}

fn write_copy(
    folder: &Path,
    entry: &Entry,
    payload: &[u8],
    bundle: &Bundle,
) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = free_path(folder, entry);
    match jpeg::embed(payload, bundle) {
        Ok(signed) if entry.media_type == "image/jpeg" => atomic_file::write(&path, &signed)?,
        _ => {
            let mut evidence = path.clone().into_os_string();
            evidence.push(".evidence");
            atomic_file::write(Path::new(&evidence), &bundle.encode())?;
            atomic_file::write(&path, payload)?;
        }
    }
    Ok(path)
}

/// The file's own name, or one with its number when another file has that name.
fn free_path(folder: &Path, entry: &Entry) -> PathBuf {
    let plain = folder.join(&entry.file);
    if !plain.exists() {
        return plain;
    }
    match entry.file.rsplit_once('.') {
        Some((stem, ending)) => folder.join(format!("{stem}-{}.{ending}", entry.sequence)),
        None => folder.join(format!("{}-{}", entry.file, entry.sequence)),
    }
}
