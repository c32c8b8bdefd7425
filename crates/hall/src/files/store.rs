//! The interface of a store of files. Every implementation passes one contract suite.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest;
use bytes::Bytes;
use futures_util::future::ready;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::pack::LONGEST_PACKED_BYTES;
use super::property::{LONGEST_PROPERTIES_BYTES, MOST_PROPERTIES, Properties, PropertyChanges};
use crate::dav::path::FilePath;
use crate::problem::{Code, Problem};

/// Bytes as they come.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// How many files of a pack are written or read at a time, in a store that has no better way.
const FILES_AT_A_TIME: usize = 8;

/// How long an upload is kept that nobody continues.
pub(crate) const UPLOAD_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// A SHA-256, as bytes.
pub type Sha256 = [u8; 32];

/// The SHA-256 of `content`.
pub(crate) fn sha256(content: &[u8]) -> Sha256 {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest::digest(&digest::SHA256, content).as_ref());
    sha256
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
}

/// A file or folder, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The last segment of its path; empty for the store itself.
    pub name: String,
    /// File or folder.
    pub kind: Kind,
    /// Size in bytes; 0 for a folder.
    pub bytes: u64,
    /// When it was last changed, unix milliseconds, negative before 1970; absent where a store does
    /// not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_ms: Option<i64>,
    /// Changes with every change of the content. Files have one. Without quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// A part of a folder's list, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// At most as many as were asked for.
    pub entries: Vec<Entry>,
    /// The last name of this page, if there are more after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Whether anything can be moved or copied from `from` to `to` at all: neither into itself, nor to
/// the place of a folder that it is in.
pub(crate) fn may_go(from: &FilePath, to: &FilePath) -> Result<(), StoreError> {
    if from == to {
        return Err(StoreError::Itself);
    }
    if from.is_root() || to.is_within(from) || from.is_within(to) {
        return Err(StoreError::Unsupported(
            "a folder cannot go into itself, nor take the place of one that it is in",
        ));
    }
    Ok(())
}

/// What may be replaced at the new place (RFC 4918, 10.6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overwrite {
    /// Nothing: the place must be empty.
    #[default]
    Never,
    /// A file, by a file.
    Files,
    /// Anything, a folder with all that is in it.
    Anything,
}

impl Overwrite {
    /// Whether `source` may take the place of `present`.
    pub(crate) fn allows(self, source: &Entry, present: Option<&Entry>) -> Result<(), StoreError> {
        let Some(present) = present else {
            return Ok(());
        };
        let files = source.kind == Kind::File && present.kind == Kind::File;
        match self {
            Self::Never => Err(StoreError::Precondition),
            Self::Files if !files => Err(StoreError::WouldRemove),
            Self::Files | Self::Anything => Ok(()),
        }
    }
}

/// How much of a folder is meant (RFC 4918, 10.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Depth {
    /// The folder without what is in it.
    #[serde(rename = "0")]
    Itself,
    /// All of it.
    #[default]
    #[serde(rename = "infinity")]
    Everything,
}

/// How a file or folder is renamed or copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transfer {
    /// What has to hold for the file or folder that is renamed or copied.
    pub condition: Condition,
    /// What may be replaced at the new place.
    pub overwrite: Overwrite,
    /// How much of a folder is copied; all of it is renamed.
    pub depth: Depth,
    /// The time to show as the last change of a file, unix milliseconds; otherwise it keeps its
    /// own. Buckets can't set it.
    pub modified_ms: Option<i64>,
}

/// A file or folder that was renamed or copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its entry at the new place.
    pub entry: Entry,
    /// Whether something that was there before was replaced.
    pub replaced: bool,
}

/// What is announced about a new file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What has to hold when it takes its place.
    pub condition: Condition,
    /// The time to show as its last change, unix milliseconds. Buckets can't set it.
    pub modified_ms: Option<i64>,
    /// Its size in bytes.
    pub length: Option<u64>,
    /// Its SHA-256.
    pub sha256: Option<Sha256>,
}

impl Plan {
    /// Whether what arrived is what was planned.
    pub(crate) fn check(&self, length: u64, sha256: &Sha256) -> Result<(), StoreError> {
        if self.length.is_some_and(|planned| planned != length) {
            return Err(StoreError::Length);
        }
        if self.sha256.is_some_and(|planned| planned != *sha256) {
            return Err(StoreError::Checksum);
        }
        Ok(())
    }
}

/// An upload that can be resumed: the SHA-256 of the path that it is for and of the name that the
/// sender gave it, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UploadId(String);

/// A name that no upload can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an upload's name must have 16 to 64 characters of A-Z, a-z, 0-9, '-' and '_'")]
pub struct UploadNameError;

impl UploadId {
    /// The upload of `path` that its sender calls `name`.
    ///
    /// # Errors
    /// [`UploadNameError`].
    pub fn new(path: &FilePath, name: &str) -> Result<Self, UploadNameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !(16..=64).contains(&name.len()) || !name.bytes().all(allowed) {
            return Err(UploadNameError);
        }
        // No path has a NUL, so no two pairs are the same text.
        Ok(Self::hash(&format!("{path}\0{name}")))
    }

    /// An id that no sender can name, for what is written in one go.
    pub(crate) fn random() -> io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(hex::encode(bytes)))
    }

    fn hash(text: &str) -> Self {
        Self(hex::encode(digest::digest(
            &digest::SHA256,
            text.as_bytes(),
        )))
    }

    /// The 64 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A file that took its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub entry: Entry,
    /// Its SHA-256.
    pub sha256: Sha256,
    /// Whether there was one of that name before.
    pub replaced: bool,
}

/// A small file that is in memory as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmallFile {
    /// Its path in the store.
    pub path: FilePath,
    /// What is announced about it.
    pub plan: Plan,
    /// Its content.
    pub content: Bytes,
}

/// Why a store does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing has that name.
    #[error("there is no such file or folder")]
    NotFound,
    /// The folder to write into is missing.
    #[error("there is no such folder: make it first")]
    NoParent,
    /// A folder where a file is needed.
    #[error("the path names a folder, not a file")]
    IsFolder,
    /// A file where a folder is needed.
    #[error("the path names a file, not a folder")]
    IsFile,
    /// Something has that name already.
    #[error("a file or folder has that name already")]
    Exists,
    /// A [`Condition`] does not hold.
    #[error("the file or folder was changed in the meantime: look at it again")]
    Precondition,
    /// An append that does not begin where the upload ends, which is at this byte.
    #[error("the upload is at byte {0}: go on from there")]
    Offset(u64),
    /// More or fewer bytes than announced.
    #[error("the content has another length than was announced")]
    Length,
    /// Another SHA-256 than announced.
    #[error("the content has another SHA-256 than was announced: send it again")]
    Checksum,
    /// It would be renamed or copied to its own place.
    #[error("a file or folder cannot be moved or copied to its own place")]
    Itself,
    /// [`Overwrite::Files`] does not allow it.
    #[error("this would replace what is there, which needs the right to delete")]
    WouldRemove,
    /// More dead properties than a file or folder may have.
    #[error(
        "a file or folder has at most {MOST_PROPERTIES} properties of {LONGEST_PROPERTIES_BYTES} \
         bytes in all"
    )]
    Properties,
    /// No space, or a quota.
    #[error("the store is full")]
    Full,
    /// The store's owner does not let the gateway do it, or a link that leads out would be
    /// replaced.
    #[error("the store does not allow that")]
    Denied,
    /// The store can't do this at all.
    #[error("this store cannot do that: {0}")]
    Unsupported(&'static str),
    /// The sender broke off or was too slow.
    #[error("the upload broke off: {0}")]
    Body(io::Error),
    /// The store does not answer as it should; it may later.
    #[error("the store is out of order: try again later")]
    Unavailable(String),
    /// Any other failure.
    #[error("the store failed")]
    Failed(String),
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::AlreadyExists => Self::Exists,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Denied,
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full,
            io::ErrorKind::IsADirectory => Self::IsFolder,
            io::ErrorKind::NotADirectory => Self::IsFile,
            io::ErrorKind::CrossesDevices => {
                Self::Unsupported("the folder and what is in it are on different file systems")
            }
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::NotFound => Code::NotFound,
            StoreError::NoParent => Code::NoSuchFolder,
            StoreError::IsFolder => Code::IsAFolder,
            StoreError::IsFile => Code::IsAFile,
            StoreError::Exists => Code::FileExists,
            StoreError::Precondition => Code::Changed,
            StoreError::Offset(_) => Code::MismatchingUploadOffset,
            StoreError::Length => Code::WrongLength,
            StoreError::Checksum => Code::DigestMismatch,
            StoreError::Itself => Code::SamePlace,
            StoreError::WouldRemove => Code::NotGranted,
            StoreError::Properties => Code::TooManyProperties,
            StoreError::Full => Code::StoreFull,
            StoreError::Denied => Code::StoreDenies,
            StoreError::Unsupported(_) => Code::StoreCannot,
            StoreError::Body(error) if error.kind() == io::ErrorKind::TimedOut => Code::TooSlow,
            StoreError::Body(_) => Code::BrokenOff,
            StoreError::Unavailable(cause) => {
                tracing::warn!(cause, "a store is out of order");
                Code::StoreDown
            }
            StoreError::Failed(cause) => {
                tracing::error!(cause, "a store failed");
                Code::StoreFailed
            }
        };
        Self::new(code, error.to_string())
    }
}

/// A file that is open: its content stays the same while it is read, or reading fails.
pub trait OpenFile: Send {
    /// The entry of the file.
    fn entry(&self) -> &Entry;

    /// Reads bytes `range`, which lies within it.
    fn read(self: Box<Self>, range: Range<u64>) -> ByteStream;
}

/// A folder of files. A file is there whole or not at all, whatever happens while it is written.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// What `path` is.
    async fn entry(&self, path: &FilePath) -> Result<Entry, StoreError>;

    /// At most `most` entries of a folder in the order of their names' bytes, beginning after the
    /// name `after`.
    async fn list(
        &self,
        folder: &FilePath,
        after: Option<&str>,
        most: usize,
    ) -> Result<Page, StoreError>;

    /// Opens a file for reading.
    async fn open(&self, path: &FilePath) -> Result<Box<dyn OpenFile>, StoreError>;

    /// Writes a file in one go. Nothing of it is seen before all of it is there.
    async fn put(
        &self,
        path: &FilePath,
        plan: Plan,
        body: ByteStream,
    ) -> Result<Written, StoreError>;

    /// Writes files, each as [`Store::put`] does; says of each, in their order, whether it took its
    /// place. A store that can make many durable at once does.
    async fn put_all(&self, files: Vec<SmallFile>) -> Vec<Result<(), StoreError>> {
        let putting: Vec<_> = files
            .into_iter()
            .map(|file| async move {
                let content = stream::once(ready(Ok(file.content))).boxed();
                self.put(&file.path, file.plan, content).await.map(drop)
            })
            .collect();
        stream::iter(putting)
            .buffered(FILES_AT_A_TIME)
            .collect()
            .await
    }

    /// Reads small files, each as [`Store::open`] does, in their order. One that is longer than
    /// [`LONGEST_PACKED_BYTES`] is refused.
    async fn get_all(&self, paths: Vec<FilePath>) -> Vec<Result<(Entry, Bytes), StoreError>> {
        let getting: Vec<_> = paths
            .into_iter()
            .map(|path| async move {
                let file = self.open(&path).await?;
                let entry = file.entry().clone();
                if entry.bytes > LONGEST_PACKED_BYTES {
                    return Err(StoreError::Unsupported("it is too long for a pack"));
                }
                let content: Vec<Bytes> = file.read(0..entry.bytes).try_collect().await?;
                Ok((entry, content.concat().into()))
            })
            .collect();
        stream::iter(getting)
            .buffered(FILES_AT_A_TIME)
            .collect()
            .await
    }

    /// How far an upload is. An append that is still open is broken off, and what arrived of it
    /// counts.
    async fn offset(&self, id: &UploadId) -> Result<u64, StoreError>;

    /// Adds to an upload from `offset` on, and returns where it ends then. An append at 0 begins
    /// it. What arrives before `body` breaks off is kept.
    async fn append(&self, id: &UploadId, offset: u64, body: ByteStream)
    -> Result<u64, StoreError>;

    /// Puts an upload in its place at `path`. A wrong checksum ends the upload.
    async fn finish(
        &self,
        id: &UploadId,
        path: &FilePath,
        plan: Plan,
    ) -> Result<Written, StoreError>;

    /// Throws an upload away.
    async fn abandon(&self, id: &UploadId) -> Result<(), StoreError>;

    /// Makes a folder in one that exists.
    async fn make_folder(&self, path: &FilePath) -> Result<(), StoreError>;

    /// Removes a file, or a folder with all that is in it.
    async fn remove(&self, path: &FilePath, condition: &Condition) -> Result<(), StoreError>;

    /// Gives a file or folder another name, with its properties. It is there whole or not at all,
    /// and so is what was there before.
    async fn rename(
        &self,
        from: &FilePath,
        to: &FilePath,
        how: &Transfer,
    ) -> Result<Placed, StoreError>;

    /// Makes a copy of a file or folder, with its properties and its time. It is there whole or not
    /// at all, and so is what was there before.
    async fn copy(
        &self,
        from: &FilePath,
        to: &FilePath,
        how: &Transfer,
    ) -> Result<Placed, StoreError>;

    /// The dead properties of a file or folder (RFC 4918, 4.2).
    async fn properties(&self, path: &FilePath) -> Result<Properties, StoreError>;

    /// The names in a folder that may have dead properties.
    async fn with_properties(&self, folder: &FilePath) -> Result<BTreeSet<String>, StoreError>;

    /// Changes the dead properties of a file or folder: all of `changes`, or none.
    async fn set_properties(
        &self,
        path: &FilePath,
        condition: &Condition,
        changes: PropertyChanges,
    ) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_as_such() {
        for kind in [
            io::ErrorKind::StorageFull,
            io::ErrorKind::QuotaExceeded,
            io::ErrorKind::FileTooLarge,
        ] {
            let problem = Problem::from(StoreError::from(io::Error::from(kind)));
            assert_eq!((problem.status, problem.code.as_str()), (507, "store-full"));
        }
    }

    #[test]
    fn uploads_are_named_well_and_are_of_one_path() {
        let (a, b): (FilePath, FilePath) = ("a".parse().unwrap(), "b".parse().unwrap());
        let name = "0123456789-_ABCz";
        assert_ne!(UploadId::new(&a, name), UploadId::new(&b, name));
        assert_eq!(UploadId::new(&a, name), UploadId::new(&a, name));
        for wrong in [
            "",
            "short",
            "0123456789abcde/",
            "../../../../../../x",
            &"x".repeat(65),
        ] {
            assert_eq!(UploadId::new(&a, wrong), Err(UploadNameError), "{wrong}");
        }
    }
}
