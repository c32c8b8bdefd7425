//! Files that are being written: `.hallway/uploads/ID.part`.

use std::io::{self, Read, Write};
use std::time::SystemTime;

use aws_lc_rs::digest;
use bytes::Bytes;
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt};

use super::modes::PRIVATE_FILE;
use super::tree::{Tree, describe, sync};
use crate::dav::date;
use crate::dav::path::FilePath;
use crate::files::store::{Kind, Plan, Sha256, StoreError, UPLOAD_LIFETIME, UploadId, Written};

/// The hash of what is there so far.
pub(super) struct Hashed {
    context: digest::Context,
    length: u64,
}

/// An open `ID.part`.
pub(super) struct Partial {
    /// `None` if the thread that had it was lost.
    open: Option<(File, Hashed)>,
}

pub(super) fn part(id: &UploadId) -> String {
    format!("{}.part", id.as_str())
}

impl Partial {
    pub(super) fn create(uploads: &Dir, id: &UploadId) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(PRIVATE_FILE);
        let file = uploads.open_with(part(id), &options)?;
        Ok(Self {
            open: Some((file, Hashed::new())),
        })
    }

    /// Opens it to append at `length`, its end. What is there is hashed, unless `kept` is its hash.
    pub(super) fn open(
        uploads: &Dir,
        id: &UploadId,
        length: u64,
        kept: Option<Hashed>,
    ) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        options.read(true).append(true);
        let mut file = uploads.open_with(part(id), &options)?;
        let hashed = match kept {
            Some(kept) if kept.length == length => kept,
            _ => Hashed::read(&mut file)?,
        };
        Ok(Self {
            open: Some((file, hashed)),
        })
    }

    pub(super) fn lost() -> Self {
        Self { open: None }
    }

    pub(super) fn length(&self) -> u64 {
        self.open.as_ref().map_or(0, |(_, hashed)| hashed.length)
    }

    pub(super) fn into_hashed(self) -> Option<Hashed> {
        self.open.map(|(_, hashed)| hashed)
    }

    pub(super) fn write(&mut self, batch: &[Bytes]) -> io::Result<()> {
        let (file, hashed) = self.open.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        for chunk in batch {
            file.write_all(chunk)?;
            hashed.update(chunk);
        }
        Ok(())
    }
}

impl Hashed {
    fn new() -> Self {
        Self {
            context: digest::Context::new(&digest::SHA256),
            length: 0,
        }
    }

    fn read(file: &mut File) -> io::Result<Self> {
        let mut hashed = Self::new();
        let mut buffer = vec![0; super::READ_BYTES];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hashed),
                read => hashed.update(&buffer[..read]),
            }
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
        self.length += bytes.len() as u64;
    }

    fn finish(self) -> Sha256 {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.context.finish().as_ref());
        sha256
    }
}

impl Tree {
    /// Checks what can be known before the bytes come, so that a refusal does not come after a
    /// gigabyte.
    pub(super) fn may_write(&self, path: &FilePath, plan: &Plan) -> Result<(), StoreError> {
        self.parent(path)?;
        let present = self.present(path)?;
        plan.condition.check(present.as_ref())?;
        match present {
            Some(entry) if entry.kind == Kind::Folder => Err(StoreError::IsFolder),
            _ => Ok(()),
        }
    }

    /// Checks a partial file, makes it durable and renames it to `path`.
    pub(super) fn place(
        &self,
        id: &UploadId,
        partial: Partial,
        path: &FilePath,
        plan: &Plan,
    ) -> Result<Written, StoreError> {
        let Some((file, hashed)) = partial.open else {
            return Err(StoreError::Failed("the partial file was lost".to_owned()));
        };
        let length = hashed.length;
        let sha256 = hashed.finish();
        plan.check(length, &sha256)?;
        let file = file.into_std();
        set_modified(&file, plan)?;
        self.modes().open_up(&file);
        file.sync_all()?;

        let (parent, replaced) = self.take_place(id, path, plan)?;
        sync(&parent)?;
        let metadata = parent.metadata(path.name())?;
        let entry = describe(path.name(), &metadata).ok_or(StoreError::NotFound)?;
        Ok(Written {
            entry,
            sha256,
            replaced,
        })
    }

    /// Renames a partial file that is durable to `path`. Returns the folder, whose names are not
    /// durable yet, and whether there was a file before.
    pub(super) fn take_place(
        &self,
        id: &UploadId,
        path: &FilePath,
        plan: &Plan,
    ) -> Result<(Dir, bool), StoreError> {
        let parent = self.parent(path)?;
        let _naming = self.naming();
        let present = self.present(path)?;
        plan.condition.check(present.as_ref())?;
        if present.is_none() {
            self.forget_properties(path)?;
        }
        if present.is_none() && !plan.condition.is_any() {
            // The condition was judged for a place where nothing is. Unlike renaming, linking never
            // replaces what another program put there.
            self.uploads
                .hard_link(part(id), &parent, path.name())
                .map_err(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => StoreError::Precondition,
                    _ => error.into(),
                })?;
            self.uploads.remove_file(part(id))?;
        } else {
            self.uploads.rename(part(id), &parent, path.name())?;
        }
        Ok((parent, present.is_some()))
    }
}

/// Gives a file the time that was planned for it.
pub(super) fn set_modified(file: &std::fs::File, plan: &Plan) -> io::Result<()> {
    match plan.modified_ms.and_then(date::from_ms) {
        Some(time) => file.set_modified(time),
        None => Ok(()),
    }
}

/// The length of a partial file, in bytes.
pub(super) fn length(uploads: &Dir, id: &UploadId) -> Result<u64, StoreError> {
    Ok(uploads.metadata(part(id))?.len())
}

/// Removes the partial file of an upload.
pub(super) fn discard(uploads: &Dir, id: &UploadId) {
    match uploads.remove_file(part(id)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "a partial file cannot be removed");
        }
        _ => {}
    }
}

/// Removes uploads that nobody continued for [`UPLOAD_LIFETIME`].
pub(super) fn sweep(uploads: &Dir) -> io::Result<()> {
    let now = SystemTime::now();
    for entry in uploads.entries()? {
        let entry = entry?;
        let modified = entry.metadata()?.modified()?.into_std();
        if now
            .duration_since(modified)
            .is_ok_and(|age| age > UPLOAD_LIFETIME)
        {
            if entry.file_type()?.is_dir() {
                uploads.remove_dir_all(entry.file_name())?;
            } else {
                uploads.remove_file(entry.file_name())?;
            }
        }
    }
    Ok(())
}
