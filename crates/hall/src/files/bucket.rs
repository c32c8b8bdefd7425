//! A bucket of an S3-compatible object store as a store.
//!
//! A file is an object; a folder is a prefix that objects have in common, and an object `.hallway`
//! in it keeps it when it is empty. Other programs keep a folder by an object whose key ends with a
//! slash: that object goes with its folder and is no file. Objects whose keys no file can have are
//! left out. Uploads that can be resumed are kept as objects of about [`PIECE_BYTES`] bytes until
//! they are whole.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_lc_rs::digest;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload, UpdateVersion};

use self::lists::{Meant, meant};
use self::naming::Naming;
use self::pieces::Pieces;
use self::reading::Opened;
pub use self::settings::BucketSettings;
use self::writer::Writer;
use super::condition::Condition;
use super::property::{Properties, PropertyChanges};
use super::store::{
    ByteStream, Depth, Entry, Kind, OpenFile, Page, Placed, Plan, Store, StoreError, Transfer,
    UPLOAD_LIFETIME, UploadId, Written, may_go,
};
use super::turns::Turns;
use crate::dav::path::{FilePath, RESERVED};

mod lists;
mod naming;
mod pieces;
mod properties;
mod reading;
mod settings;
mod transfer;
mod writer;

/// The size of the parts in which big objects are written, in bytes; S3 wants at least 5 MiB.
pub const PIECE_BYTES: usize = 8 * 1024 * 1024;
/// Objects that are copied at a time.
const COPIES_AT_A_TIME: usize = 8;
/// How often abandoned uploads are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(24 * 3600);

/// The objects of a folder.
struct Below {
    keys: Vec<Path>,
    /// Whether there are others, which no request can name.
    unnameable: bool,
}

impl Below {
    /// The keys of all objects, for a change that must leave none behind.
    fn whole(self) -> Result<Vec<Path>, StoreError> {
        if self.unnameable {
            return Err(StoreError::Unsupported(
                "objects in the folder have keys that no file can have, such as a//b: rename or \
                 remove them with another program",
            ));
        }
        Ok(self.keys)
    }
}

/// What a name stands for, and its object if that is a file.
type Found = (Entry, Option<ObjectMeta>);

/// A bucket as a store.
pub struct BucketStore {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    turns: Turns<()>,
    naming: Naming,
    /// Whether the object store judges conditions, as far as is known.
    judges: AtomicBool,
    swept: Mutex<Option<Instant>>,
}

impl BucketStore {
    /// Prepares the store; the object store is not asked yet. A request that it does not answer, or
    /// answers with 5xx, is tried again for up to 20 seconds.
    ///
    /// # Errors
    /// The settings contradict one another, or the prefix is no path.
    pub fn new(settings: &BucketSettings) -> Result<Self, StoreError> {
        Self::patient(
            settings,
            Duration::from_millis(200),
            Duration::from_secs(20),
        )
    }

    /// Tries again first after `pause`, then after twice as long, until `end`.
    fn patient(
        settings: &BucketSettings,
        pause: Duration,
        end: Duration,
    ) -> Result<Self, StoreError> {
        let objects = settings.connect(pause, end)?;
        let prefix = settings.prefix.as_deref().unwrap_or_default();
        Self::over(objects, prefix)
    }

    /// Over any object store.
    ///
    /// # Errors
    /// The prefix is no path.
    pub fn over(objects: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self, StoreError> {
        let prefix = Path::parse(prefix).map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(Self {
            objects,
            prefix,
            turns: Turns::default(),
            naming: Naming::default(),
            judges: AtomicBool::new(true),
            swept: Mutex::default(),
        })
    }

    fn key(&self, path: &FilePath) -> Result<Path, StoreError> {
        if path.is_root() {
            return Ok(self.prefix.clone());
        }
        let key = if self.prefix.as_ref().is_empty() {
            path.to_string()
        } else {
            format!("{}/{path}", self.prefix)
        };
        Path::parse(key).map_err(|_| StoreError::Unsupported("objects cannot have that name"))
    }

    /// The key of the object that keeps an empty folder.
    fn marker(&self, folder: &FilePath) -> Result<Path, StoreError> {
        Ok(self.key(folder)?.join(RESERVED))
    }

    fn uploads(&self) -> Path {
        self.prefix.clone().join(RESERVED).join("uploads")
    }

    fn pieces(&self, id: &UploadId) -> Pieces {
        Pieces::new(Arc::clone(&self.objects), self.uploads().join(id.as_str()))
    }

    /// Throws away uploads that nobody continued for a week, when the first upload of a day begins.
    async fn sweep(&self) {
        {
            let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
            if swept.is_some_and(|at| at.elapsed() < SWEEP_EVERY) {
                return;
            }
            *swept = Some(Instant::now());
        }
        let old = pieces::older_than(&*self.objects, &self.uploads(), UPLOAD_LIFETIME).await;
        let swept = match old {
            Ok(keys) => self.delete_all(keys).await,
            Err(error) => Err(error),
        };
        if let Err(error) = swept {
            tracing::warn!(%error, "old uploads cannot be thrown away");
        }
    }

    async fn present(&self, path: &FilePath) -> Result<Option<Entry>, StoreError> {
        Ok(self.look(path).await?.map(|(entry, _)| entry))
    }

    /// What there is at `path`, and its object if it is a file.
    async fn look(&self, path: &FilePath) -> Result<Option<Found>, StoreError> {
        if path.is_root() {
            return Ok(Some((folder(""), None)));
        }
        let key = self.key(path)?;
        match self.objects.head(&key).await {
            Ok(object) => return Ok(Some((describe(path.name(), &object), Some(object)))),
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        match self.objects.list(Some(&key)).next().await {
            Some(Ok(_)) => Ok(Some((folder(path.name()), None))),
            Some(Err(error)) => Err(error.into()),
            None => Ok(None),
        }
    }

    /// All objects of a folder.
    async fn below(&self, folder: &FilePath) -> Result<Below, StoreError> {
        let key = self.key(folder)?;
        let mut found = self.objects.list(Some(&key));
        let (mut keys, mut unnameable) = (Vec::new(), false);
        while let Some(object) = found.try_next().await? {
            match meant(object.location) {
                Meant::Object(key) => keys.push(key),
                Meant::Unnameable => unnameable = true,
            }
        }
        Ok(Below { keys, unnameable })
    }

    async fn delete_all(&self, keys: Vec<Path>) -> Result<(), StoreError> {
        let keys = stream::iter(keys.into_iter().map(Ok)).boxed();
        let mut deleted = self.objects.delete_stream(keys);
        while let Some(result) = deleted.next().await {
            match result {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            object_store::Error::AlreadyExists { .. }
            | object_store::Error::Precondition { .. } => Self::Precondition,
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => {
                tracing::warn!(%error, "the object store denies");
                Self::Denied
            }
            object_store::Error::NotSupported { .. }
            | object_store::Error::NotImplemented { .. } => {
                tracing::warn!(%error, "the object store can't");
                Self::Unsupported("the object store does not support it")
            }
            object_store::Error::InvalidPath { .. } => {
                tracing::warn!(%error, "an object has a key that cannot be read");
                Self::Unsupported("an object has a key that no file can have")
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

fn describe(name: &str, object: &ObjectMeta) -> Entry {
    let modified_ms = object.last_modified.timestamp_millis();
    // Without the quotes of S3; a store without entity tags still has times and sizes.
    let etag = object.e_tag.as_ref().map_or_else(
        || format!("{modified_ms:x}-{:x}", object.size),
        |etag| etag.trim_matches('"').to_owned(),
    );
    Entry {
        name: name.to_owned(),
        kind: Kind::File,
        bytes: object.size,
        modified_ms: Some(modified_ms),
        etag: Some(etag),
    }
}

fn folder(name: &str) -> Entry {
    Entry {
        name: name.to_owned(),
        kind: Kind::Folder,
        bytes: 0,
        modified_ms: None,
        etag: None,
    }
}

#[async_trait]
impl Store for BucketStore {
    async fn entry(&self, path: &FilePath) -> Result<Entry, StoreError> {
        self.present(path).await?.ok_or(StoreError::NotFound)
    }

    async fn list(
        &self,
        path: &FilePath,
        after: Option<&str>,
        most: usize,
    ) -> Result<Page, StoreError> {
        let key = self.key(path)?;
        let found = self.objects.list_with_delimiter(Some(&key)).await?;
        // A folder may hold only objects whose keys no file can have.
        if found.objects.is_empty()
            && found.common_prefixes.is_empty()
            && self.entry(path).await?.kind == Kind::File
        {
            return Err(StoreError::IsFile);
        }
        let files = found.objects.iter().filter_map(|object| {
            let mut below = object.location.prefix_match(&key)?;
            let name = below.next()?;
            let is_here = below.next().is_none();
            is_here.then(|| describe(name.as_ref(), object))
        });
        let folders = found.common_prefixes.iter().filter_map(|prefix| {
            let name = prefix.filename()?;
            Some(folder(name))
        });
        let mut entries: Vec<Entry> = files
            .chain(folders)
            .filter(|entry| path.join(&entry.name).is_ok())
            .filter(|entry| after.is_none_or(|after| entry.name.as_str() > after))
            .collect();
        // An object may have the name of a folder: then the name stands for the object.
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries.dedup_by(|later, first| later.name == first.name);
        let more = entries.len() > most;
        entries.truncate(most);
        let next = if more {
            entries.last().map(|entry| entry.name.clone())
        } else {
            None
        };
        Ok(Page { entries, next })
    }

    async fn open(&self, path: &FilePath) -> Result<Box<dyn OpenFile>, StoreError> {
        let object = match self.objects.head(&self.key(path)?).await {
            Err(object_store::Error::NotFound { .. }) => {
                self.entry(path).await?;
                return Err(StoreError::IsFolder);
            }
            object => object?,
        };
        Ok(Box::new(Opened {
            objects: Arc::clone(&self.objects),
            entry: describe(path.name(), &object),
            object,
        }))
    }

    async fn put(
        &self,
        path: &FilePath,
        plan: Plan,
        mut body: ByteStream,
    ) -> Result<Written, StoreError> {
        if path.is_root() {
            return Err(StoreError::IsFolder);
        }
        let (present, parent) = tokio::join!(self.present(path), self.need_parent(path));
        let present = present?;
        match present.as_ref().map(|entry| entry.kind) {
            Some(Kind::Folder) => return Err(StoreError::IsFolder),
            Some(Kind::File) => {}
            None => parent?,
        }
        plan.condition.check(present.as_ref())?;
        let key = self.key(path)?;
        let mut writer = Writer::new(Arc::clone(&self.objects), key.clone());
        while let Some(bytes) = body.next().await {
            writer.write(&bytes.map_err(StoreError::Body)?).await?;
        }
        let _naming = self.naming.one(path).await;
        // Judged again: others may have changed it during a long upload.
        let present = self.look(path).await?;
        plan.condition
            .check(present.as_ref().map(|(entry, _)| entry))?;
        let mode = match &present {
            _ if plan.condition.is_any() => PutMode::Overwrite,
            None => PutMode::Create,
            Some((_, Some(object))) => PutMode::Update(UpdateVersion {
                e_tag: object.e_tag.clone(),
                version: None,
            }),
            Some((_, None)) => return Err(StoreError::IsFolder),
        };
        let sha256 = writer.finish(&plan, mode, &self.judges).await?;
        Ok(Written {
            entry: describe(path.name(), &self.objects.head(&key).await?),
            sha256,
            replaced: present.is_some(),
        })
    }

    async fn offset(&self, id: &UploadId) -> Result<u64, StoreError> {
        let _turn = self.turns.take(id).await;
        self.pieces(id).length().await?.ok_or(StoreError::NotFound)
    }

    async fn append(
        &self,
        id: &UploadId,
        offset: u64,
        body: ByteStream,
    ) -> Result<u64, StoreError> {
        let turn = self.turns.take(id).await;
        let pieces = self.pieces(id);
        match pieces.length().await? {
            None if offset > 0 => return Err(StoreError::NotFound),
            Some(length) if length != offset => return Err(StoreError::Offset(length)),
            None => self.sweep().await,
            Some(_) => {}
        }
        let body = body.take_until(turn.cut.clone().cancelled_owned());
        let reached = pieces.append(offset, body.boxed()).await?;
        if turn.cut.is_cancelled() {
            let newer = "a newer request took over the upload";
            return Err(StoreError::Body(std::io::Error::other(newer)));
        }
        Ok(reached)
    }

    async fn finish(
        &self,
        id: &UploadId,
        path: &FilePath,
        plan: Plan,
    ) -> Result<Written, StoreError> {
        let _turn = self.turns.take(id).await;
        let pieces = self.pieces(id);
        let length = pieces.length().await?.ok_or(StoreError::NotFound)?;
        if plan.length.is_some_and(|planned| planned != length) {
            return Err(StoreError::Length);
        }
        let written = self.put(path, plan, pieces.read().await?).await;
        // The sender has sent everything: it is the object store that fails to return it.
        let written = written.map_err(|error| match error {
            StoreError::Body(error) => StoreError::Unavailable(error.to_string()),
            other => other,
        });
        if matches!(written, Ok(_) | Err(StoreError::Checksum)) {
            self.delete_all(pieces.keys().await?).await?;
        }
        written
    }

    async fn abandon(&self, id: &UploadId) -> Result<(), StoreError> {
        let _turn = self.turns.take(id).await;
        let keys = self.pieces(id).keys().await?;
        if keys.is_empty() {
            return Err(StoreError::NotFound);
        }
        self.delete_all(keys).await
    }

    async fn make_folder(&self, path: &FilePath) -> Result<(), StoreError> {
        if path.is_root() || self.present(path).await?.is_some() {
            return Err(StoreError::Exists);
        }
        self.need_parent(path).await?;
        let marker = self.marker(path)?;
        self.objects.put(&marker, PutPayload::new()).await?;
        Ok(())
    }

    async fn remove(&self, path: &FilePath, condition: &Condition) -> Result<(), StoreError> {
        if path.is_root() {
            return Err(StoreError::Unsupported("the top folder cannot be removed"));
        }
        let _alone = self.naming.all().await;
        let entry = self.judged(path, condition).await?;
        match entry.kind {
            Kind::File => self.objects.delete(&self.key(path)?).await?,
            Kind::Folder => self.delete_all(self.below(path).await?.whole()?).await?,
        }
        self.forget_properties(path).await?;
        self.leave_parent(path).await
    }

    async fn rename(
        &self,
        from: &FilePath,
        to: &FilePath,
        how: &Transfer,
    ) -> Result<Placed, StoreError> {
        may_go(from, to)?;
        let _alone = self.naming.all().await;
        let source = self.judged(from, &how.condition).await?;
        if source.kind == Kind::Folder {
            // Known before anything is copied.
            self.below(from).await?.whole()?;
        }
        let whole = Transfer {
            depth: Depth::Everything,
            ..how.clone()
        };
        let (copied, replaced) = self.transfer((from, &source), to, &whole).await?;
        self.delete_all(copied).await?;
        self.forget_properties(from).await?;
        self.leave_parent(from).await?;
        let entry = self.entry(to).await?;
        Ok(Placed { entry, replaced })
    }

    async fn copy(
        &self,
        from: &FilePath,
        to: &FilePath,
        how: &Transfer,
    ) -> Result<Placed, StoreError> {
        may_go(from, to)?;
        let _alone = self.naming.all().await;
        let source = self.judged(from, &how.condition).await?;
        let (_, replaced) = self.transfer((from, &source), to, how).await?;
        let entry = self.entry(to).await?;
        Ok(Placed { entry, replaced })
    }

    async fn properties(&self, path: &FilePath) -> Result<Properties, StoreError> {
        self.kept_properties(path).await
    }

    async fn with_properties(&self, folder: &FilePath) -> Result<BTreeSet<String>, StoreError> {
        self.names_with_properties(folder).await
    }

    async fn set_properties(
        &self,
        path: &FilePath,
        condition: &Condition,
        changes: PropertyChanges,
    ) -> Result<(), StoreError> {
        let _alone = self.naming.all().await;
        condition.check(Some(&self.entry(path).await?))?;
        let mut properties = self.kept_properties(path).await?;
        properties.apply(changes)?;
        self.keep_properties(path, &properties).await
    }
}

/// A SHA-256 that has seen no bytes yet.
fn fresh_hash() -> digest::Context {
    digest::Context::new(&digest::SHA256)
}

/// The bytes of the next piece.
type Collected = Vec<Bytes>;

#[cfg(test)]
mod tests;
