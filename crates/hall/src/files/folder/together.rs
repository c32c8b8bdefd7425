//! Many small files, read together, and written and made durable together.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use bytes::Bytes;
use cap_std::fs::{OpenOptions, OpenOptionsExt};

use super::modes::PRIVATE_FILE;
use super::partial::{discard, part, set_modified};
use super::tree::{Tree, sync};
use crate::dav::path::FilePath;
use crate::files::pack::LONGEST_PACKED_BYTES;
use crate::files::store::{Entry, SmallFile, StoreError, UploadId, sha256};

/// From this many files on, one flush of the whole file system costs less than one for each.
const FEWEST_FOR_ONE_FLUSH: usize = 16;

impl Tree {
    /// Writes files aside, makes all of them durable, gives each its name, and makes the names
    /// durable: so none is seen before it is whole, and none is acknowledged that a power cut could
    /// take. An error with one does not affect the others.
    pub(super) fn put_all(&self, files: &[SmallFile]) -> Vec<Result<(), StoreError>> {
        let many = files.len() >= FEWEST_FOR_ONE_FLUSH;
        let mut parts: Vec<Result<UploadId, StoreError>> = files
            .iter()
            .map(|file| self.write_beside(file, many))
            .collect();
        if many && let Err(error) = self.sync_file_system() {
            for part in &mut parts {
                if let Ok(id) = part {
                    discard(&self.uploads, id);
                    *part = Err(StoreError::Failed(error.to_string()));
                }
            }
        }
        let mut outcomes: Vec<Result<(), StoreError>> = files
            .iter()
            .zip(parts)
            .map(|(file, part)| self.name(file, &part?))
            .collect();
        let placed = files.iter().zip(&outcomes).filter(|(_, done)| done.is_ok());
        let folders: BTreeSet<FilePath> = placed.map(|(file, _)| file.path.parent()).collect();
        for folder in folders {
            if let Err(error) = self.dir(&folder).and_then(|dir| sync(&dir)) {
                let lost = error.to_string();
                for (file, outcome) in files.iter().zip(&mut outcomes) {
                    if outcome.is_ok() && file.path.parent() == folder {
                        *outcome = Err(StoreError::Failed(lost.clone()));
                    }
                }
            }
        }
        outcomes
    }

    /// Reads files whole.
    pub(super) fn get_all(&self, paths: &[FilePath]) -> Vec<Result<(Entry, Bytes), StoreError>> {
        paths.iter().map(|path| self.get(path)).collect()
    }

    fn get(&self, path: &FilePath) -> Result<(Entry, Bytes), StoreError> {
        let (file, entry) = self.file(path)?;
        if entry.bytes > LONGEST_PACKED_BYTES {
            return Err(StoreError::Unsupported("it is too long for a pack"));
        }
        let mut content = Vec::with_capacity(usize::try_from(entry.bytes).unwrap_or_default());
        file.take(entry.bytes).read_to_end(&mut content)?;
        if content.len() as u64 != entry.bytes {
            // It was truncated while it was read.
            return Err(StoreError::Precondition);
        }
        Ok((entry, content.into()))
    }

    fn write_beside(&self, file: &SmallFile, many: bool) -> Result<UploadId, StoreError> {
        self.may_write(&file.path, &file.plan)?;
        let sha256 = sha256(&file.content);
        file.plan.check(file.content.len() as u64, &sha256)?;
        let id = UploadId::random()?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(PRIVATE_FILE);
        let open = self.uploads.open_with(part(&id), &options)?;
        let write = || {
            let mut open = open.into_std();
            open.write_all(&file.content)?;
            set_modified(&open, &file.plan)?;
            self.modes().open_up(&open);
            if many { Ok(()) } else { open.sync_all() }
        };
        write().map_err(|error| {
            discard(&self.uploads, &id);
            StoreError::from(error)
        })?;
        Ok(id)
    }

    fn name(&self, file: &SmallFile, id: &UploadId) -> Result<(), StoreError> {
        let named = self.take_place(id, &file.path, &file.plan);
        if named.is_err() {
            discard(&self.uploads, id);
        }
        named.map(drop)
    }

    /// Makes everything durable that was written to the store's file system. The kernel also
    /// reports here what went wrong with files that are closed already.
    fn sync_file_system(&self) -> std::io::Result<()> {
        Ok(rustix::fs::syncfs(self.uploads.open(".")?)?)
    }
}
