//! A folder of this machine as a store.
//!
//! Every path is resolved below one open directory (cap-std): neither `..` nor a link leads out of
//! it, also when somebody changes the folder meanwhile. A new file is written beside, made durable,
//! and renamed into its place.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, MetadataExt};
use futures_util::{StreamExt, stream};
use tokio::task::spawn_blocking;

use self::partial::Partial;
use super::path::{FilePath, RESERVED};
use super::store::{
    ByteStream, Condition, Entry, Kind, OpenFile, Page, Plan, Store, StoreError, UploadId, Written,
};
use super::turns::Turns;

mod partial;

/// Bytes read from a file at once.
const READ: usize = 256 * 1024;
/// Bytes collected before they are written.
const BATCH: usize = 512 * 1024;

/// The folder can't be used as a store.
#[derive(Debug, thiserror::Error)]
#[error("the folder {folder} cannot be used as a store: {source}")]
pub struct FolderError {
    folder: PathBuf,
    source: io::Error,
}

struct Inner {
    root: Dir,
    /// `.hallway/uploads` in it: on the same file system, so that renaming is atomic.
    uploads: Dir,
    /// One change of names at a time, so that a condition holds while it is acted on.
    naming: Mutex<()>,
}

/// A folder as a store.
#[derive(Clone)]
pub struct FolderStore {
    inner: Arc<Inner>,
    turns: Arc<Turns<partial::Hashed>>,
}

impl FolderStore {
    /// Opens `folder`, and throws away uploads that nobody went on with for a week.
    ///
    /// # Errors
    /// It is not there, or can't be written.
    pub fn open(folder: &Path) -> Result<Self, FolderError> {
        let open = || {
            let root = Dir::open_ambient_dir(folder, ambient_authority())?;
            let uploads = format!("{RESERVED}/uploads");
            root.create_dir_all(&uploads)?;
            let uploads = root.open_dir(&uploads)?;
            partial::sweep(&uploads)?;
            Ok(Inner {
                root,
                uploads,
                naming: Mutex::new(()),
            })
        };
        let inner = open().map_err(|source| FolderError {
            folder: folder.to_owned(),
            source,
        })?;
        Ok(Self {
            inner: Arc::new(inner),
            turns: Arc::default(),
        })
    }

    /// Runs `work` on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        spawn_blocking(move || work(&inner))
            .await
            .map_err(|error| StoreError::Failed(error.to_string()))?
    }

    /// Writes what comes to the end of `partial`, in batches: while one is written and hashed, the
    /// next arrives. What arrived before a failure of the sender is written.
    async fn fill(
        &self,
        mut partial: Partial,
        mut body: ByteStream,
    ) -> (Partial, Result<(), StoreError>) {
        loop {
            let (mut batch, mut size, mut end) = (Vec::new(), 0, None);
            while size < BATCH {
                match body.next().await {
                    Some(Ok(bytes)) => {
                        size += bytes.len();
                        batch.push(bytes);
                    }
                    Some(Err(error)) => {
                        end = Some(Err(StoreError::Body(error)));
                        break;
                    }
                    None => {
                        end = Some(Ok(()));
                        break;
                    }
                }
            }
            if !batch.is_empty() {
                let writing = spawn_blocking(move || {
                    let written = partial.write(&batch);
                    (partial, written)
                });
                let written = match writing.await {
                    Ok((back, written)) => {
                        partial = back;
                        written.map_err(StoreError::from)
                    }
                    Err(error) => {
                        let error = StoreError::Failed(error.to_string());
                        return (Partial::lost(), Err(error));
                    }
                };
                if written.is_err() {
                    return (partial, written);
                }
            }
            if let Some(end) = end {
                return (partial, end);
            }
        }
    }
}

impl Inner {
    fn naming(&self) -> std::sync::MutexGuard<'_, ()> {
        self.naming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn present(&self, path: &FilePath) -> Result<Option<Entry>, StoreError> {
        match self.entry(path) {
            Ok(entry) => Ok(Some(entry)),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn entry(&self, path: &FilePath) -> Result<Entry, StoreError> {
        let metadata = if path.is_root() {
            self.root.dir_metadata()?
        } else {
            match self.root.metadata(path.as_str()) {
                // A file in the middle of the path: nothing is below it.
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                    return Err(StoreError::NotFound);
                }
                metadata => metadata?,
            }
        };
        describe(path.name(), &metadata).ok_or(StoreError::NotFound)
    }

    fn list(
        &self,
        folder: &FilePath,
        after: Option<&str>,
        most: usize,
    ) -> Result<Page, StoreError> {
        let dir = self.dir(folder)?;
        let mut names = Vec::new();
        for entry in dir.entries()? {
            // A name that is not UTF-8, or that a path can't have, can't be asked for either.
            let Ok(name) = entry?.file_name().into_string() else {
                continue;
            };
            if after.is_none_or(|after| name.as_str() > after) && folder.join(&name).is_ok() {
                names.push(name);
            }
        }
        names.sort_unstable();
        let more = names.len() > most;
        names.truncate(most);
        let next = if more { names.last().cloned() } else { None };
        // Links that lead out, sockets, and what went away meanwhile are left out.
        let entries = names
            .iter()
            .filter_map(|name| describe(name, &dir.metadata(name).ok()?))
            .collect();
        Ok(Page { entries, next })
    }

    fn dir(&self, folder: &FilePath) -> Result<Dir, StoreError> {
        if folder.is_root() {
            return Ok(self.root.try_clone()?);
        }
        match self.entry(folder)?.kind {
            Kind::File => Err(StoreError::IsFile),
            Kind::Folder => Ok(self.root.open_dir(folder.as_str())?),
        }
    }

    /// The folder that `path` is or will be in.
    fn parent(&self, path: &FilePath) -> Result<Dir, StoreError> {
        if path.is_root() {
            return Err(StoreError::IsFolder);
        }
        self.dir(&path.parent()).map_err(|error| match error {
            StoreError::NotFound | StoreError::IsFile => StoreError::NoParent,
            other => other,
        })
    }

    fn open(&self, path: &FilePath) -> Result<Box<dyn OpenFile>, StoreError> {
        // Looked at first: opening a pipe would wait for its writer.
        if self.entry(path)?.kind == Kind::Folder {
            return Err(StoreError::IsFolder);
        }
        let file = self.root.open(path.as_str())?;
        let entry = describe(path.name(), &file.metadata()?).ok_or(StoreError::NotFound)?;
        Ok(Box::new(Opened { file, entry }))
    }

    fn make_folder(&self, path: &FilePath) -> Result<(), StoreError> {
        let parent = self.parent(path)?;
        parent.create_dir(path.name())?;
        sync(&parent)
    }

    fn remove(&self, path: &FilePath, condition: &Condition) -> Result<(), StoreError> {
        if path.is_root() {
            return Err(StoreError::Unsupported("the store itself stays"));
        }
        let _naming = self.naming();
        let entry = self.entry(path)?;
        condition.check(Some(&entry))?;
        let parent = self.parent(path)?;
        match entry.kind {
            // Of a link, the link goes and not what it leads to.
            Kind::Folder if !parent.symlink_metadata(path.name())?.is_symlink() => {
                parent.remove_dir_all(path.name())?;
            }
            _ => parent.remove_file(path.name())?,
        }
        sync(&parent)
    }

    fn rename(
        &self,
        from: &FilePath,
        to: &FilePath,
        condition: &Condition,
    ) -> Result<(), StoreError> {
        if from.is_root() || to.is_within(from) {
            return Err(StoreError::Unsupported(
                "a folder cannot be moved into itself",
            ));
        }
        let _naming = self.naming();
        let source = self.entry(from)?;
        let (near, far) = (self.parent(from)?, self.parent(to)?);
        let present = self.present(to)?;
        condition.check(present.as_ref())?;
        match (source.kind, present.map(|entry| entry.kind)) {
            (_, None) | (Kind::File, Some(Kind::File)) => {}
            (_, Some(Kind::Folder)) => return Err(StoreError::IsFolder),
            (Kind::Folder, Some(Kind::File)) => return Err(StoreError::IsFile),
        }
        near.rename(from.name(), &far, to.name())?;
        sync(&far)?;
        sync(&near)
    }
}

/// Makes a change of names durable.
fn sync(dir: &Dir) -> Result<(), StoreError> {
    // The directory's own handle is for resolving paths only.
    Ok(dir.open(".")?.sync_all()?)
}

/// Files and folders; anything else is not there.
fn describe(name: &str, metadata: &Metadata) -> Option<Entry> {
    let modified = metadata
        .modified()
        .ok()
        .map(cap_std::time::SystemTime::into_std);
    let modified_ms = modified
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .and_then(|elapsed| u64::try_from(elapsed.as_millis()).ok())
        .unwrap_or(0);
    let (kind, bytes, etag) = if metadata.is_dir() {
        (Kind::Folder, 0, None)
    } else if metadata.is_file() {
        // A file that takes another's place has another inode or another time of its change,
        // whatever time it shows as its last modification.
        let etag = format!(
            "{:x}-{:x}-{:x}.{:x}",
            metadata.ino(),
            metadata.len(),
            metadata.ctime(),
            metadata.ctime_nsec()
        );
        (Kind::File, metadata.len(), Some(etag))
    } else {
        return None;
    };
    Some(Entry {
        name: name.to_owned(),
        kind,
        bytes,
        modified_ms,
        etag,
    })
}

/// Removes what was written of a file when it is dropped, as with a connection that is cut. Once
/// the file has taken its place there is nothing left to remove.
struct Unfinished {
    inner: Arc<Inner>,
    id: UploadId,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        partial::discard(&self.inner.uploads, &self.id);
    }
}

struct Opened {
    file: File,
    entry: Entry,
}

impl OpenFile for Opened {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn read(self: Box<Self>, range: Range<u64>) -> ByteStream {
        struct Reading {
            file: File,
            range: Range<u64>,
            placed: bool,
        }
        let reading = Reading {
            file: self.file,
            range,
            placed: false,
        };
        let chunks = stream::try_unfold(reading, |mut reading| async move {
            if reading.range.is_empty() {
                return Ok(None);
            }
            let chunk = spawn_blocking(move || {
                if !reading.placed {
                    reading.file.seek(SeekFrom::Start(reading.range.start))?;
                    reading.placed = true;
                }
                let left = reading.range.end - reading.range.start;
                let wanted = usize::try_from(left).map_or(READ, |left| left.min(READ));
                let mut buffer = BytesMut::zeroed(wanted);
                let read = reading.file.read(&mut buffer)?;
                if read == 0 {
                    // It was cut short while it was read.
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                buffer.truncate(read);
                reading.range.start += read as u64;
                Ok::<_, io::Error>((buffer.freeze(), reading))
            });
            chunk.await.map_err(io::Error::other)?.map(Some)
        });
        chunks.boxed()
    }
}

#[async_trait]
impl Store for FolderStore {
    async fn entry(&self, path: &FilePath) -> Result<Entry, StoreError> {
        let path = path.clone();
        self.blocking(move |inner| inner.entry(&path)).await
    }

    async fn list(
        &self,
        folder: &FilePath,
        after: Option<&str>,
        most: usize,
    ) -> Result<Page, StoreError> {
        let (folder, after) = (folder.clone(), after.map(ToOwned::to_owned));
        self.blocking(move |inner| inner.list(&folder, after.as_deref(), most))
            .await
    }

    async fn open(&self, path: &FilePath) -> Result<Box<dyn OpenFile>, StoreError> {
        let path = path.clone();
        self.blocking(move |inner| inner.open(&path)).await
    }

    async fn put(
        &self,
        path: &FilePath,
        plan: Plan,
        body: ByteStream,
    ) -> Result<Written, StoreError> {
        let path = path.clone();
        let id = UploadId::random()?;
        let unfinished = Unfinished {
            inner: Arc::clone(&self.inner),
            id: id.clone(),
        };
        let (target, planned, making) = (path.clone(), plan.clone(), id.clone());
        let partial = self
            .blocking(move |inner| {
                inner.may_write(&target, &planned)?;
                Partial::create(&inner.uploads, &making)
            })
            .await?;
        let (partial, filled) = self.fill(partial, body).await;
        filled?;
        self.blocking(move |inner| {
            let _unfinished = unfinished;
            inner.place(&id, partial, &path, &plan)
        })
        .await
    }

    async fn offset(&self, id: &UploadId) -> Result<u64, StoreError> {
        let (turn, asked) = (self.turns.take(id).await, id.clone());
        self.blocking(move |inner| {
            let _turn = turn;
            partial::length(&inner.uploads, &asked)
        })
        .await
    }

    async fn append(
        &self,
        id: &UploadId,
        offset: u64,
        body: ByteStream,
    ) -> Result<u64, StoreError> {
        let mut turn = self.turns.take(id).await;
        let (kept, going_on) = (turn.kept.take(), id.clone());
        let partial = self
            .blocking(move |inner| {
                let uploads = &inner.uploads;
                match partial::length(uploads, &going_on) {
                    Err(StoreError::NotFound) if offset == 0 => Partial::create(uploads, &going_on),
                    Err(error) => Err(error),
                    Ok(length) if length != offset => Err(StoreError::Offset(length)),
                    Ok(length) => Partial::open(uploads, &going_on, length, kept),
                }
            })
            .await?;
        let body = body.take_until(turn.cut.clone().cancelled_owned());
        let (partial, filled) = self.fill(partial, body.boxed()).await;
        if turn.cut.is_cancelled() {
            let newer = "a newer request went on with the upload";
            *turn.kept = partial.into_hashed();
            return Err(StoreError::Body(io::Error::other(newer)));
        }
        let offset = partial.length();
        *turn.kept = partial.into_hashed();
        filled.map(|()| offset)
    }

    async fn finish(
        &self,
        id: &UploadId,
        path: &FilePath,
        plan: Plan,
    ) -> Result<Written, StoreError> {
        let mut turn = self.turns.take(id).await;
        let (kept, finishing, path) = (turn.kept.take(), id.clone(), path.clone());
        self.blocking(move |inner| {
            let length = partial::length(&inner.uploads, &finishing)?;
            let partial = Partial::open(&inner.uploads, &finishing, length, kept)?;
            let placed = inner.place(&finishing, partial, &path, &plan);
            // What has the right length and is wrong can't become right any more.
            if matches!(placed, Err(StoreError::Checksum)) {
                partial::discard(&inner.uploads, &finishing);
            }
            placed
        })
        .await
    }

    async fn abandon(&self, id: &UploadId) -> Result<(), StoreError> {
        let _turn = self.turns.take(id).await;
        let abandoned = id.clone();
        self.blocking(move |inner| {
            partial::length(&inner.uploads, &abandoned)?;
            partial::discard(&inner.uploads, &abandoned);
            Ok(())
        })
        .await
    }

    async fn make_folder(&self, path: &FilePath) -> Result<(), StoreError> {
        let path = path.clone();
        self.blocking(move |inner| inner.make_folder(&path)).await
    }

    async fn remove(&self, path: &FilePath, condition: &Condition) -> Result<(), StoreError> {
        let (path, condition) = (path.clone(), condition.clone());
        self.blocking(move |inner| inner.remove(&path, &condition))
            .await
    }

    async fn rename(
        &self,
        from: &FilePath,
        to: &FilePath,
        condition: &Condition,
    ) -> Result<(), StoreError> {
        let (from, to, condition) = (from.clone(), to.clone(), condition.clone());
        self.blocking(move |inner| inner.rename(&from, &to, &condition))
            .await
    }
}

/// A chunk as files give and take it.
type Chunk = Bytes;
