//! A folder of this machine as a store.
//!
//! Every path is resolved below one open directory (cap-std): neither `..` nor a link leads out of
//! it, even if somebody changes the folder meanwhile. A new file is written aside, made durable,
//! and renamed into its place.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use self::partial::Partial;
use self::tree::Tree;
use super::condition::Condition;
use super::property::{Properties, PropertyChanges};
use super::store::{
    ByteStream, Entry, OpenFile, Page, Placed, Plan, SmallFile, Store, StoreError, Transfer,
    UploadId, Written,
};
use super::turns::Turns;
use crate::dav::path::FilePath;

mod modes;
mod partial;
mod properties;
mod reading;
mod together;
mod transfer;
mod tree;

/// Bytes read from a file at once.
const READ_BYTES: usize = 256 * 1024;
/// Bytes collected before they are written.
const BATCH_BYTES: usize = 512 * 1024;

/// The folder can't be used as a store.
#[derive(Debug, thiserror::Error)]
#[error("the folder {folder} cannot be used as a store: {source}")]
pub struct FolderError {
    folder: PathBuf,
    source: io::Error,
}

/// A folder as a store.
#[derive(Clone)]
pub struct FolderStore {
    tree: Arc<Tree>,
    turns: Arc<Turns<partial::Hashed>>,
}

impl FolderStore {
    /// Opens `folder`, and throws away uploads that nobody continued for a week.
    ///
    /// # Errors
    /// The folder is missing, or can't be written.
    pub fn open(folder: &Path) -> Result<Self, FolderError> {
        let tree = Tree::open(folder).map_err(|source| FolderError {
            folder: folder.to_owned(),
            source,
        })?;
        Ok(Self {
            tree: Arc::new(tree),
            turns: Arc::default(),
        })
    }

    /// Runs `work` on a thread that may block, in the span of the request that needs it.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tree) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (tree, span) = (Arc::clone(&self.tree), Span::current());
        spawn_blocking(move || span.in_scope(|| work(&tree)))
            .await
            .map_err(|error| StoreError::Failed(error.to_string()))?
    }

    /// Appends `body` to `partial`, in batches: while one is written and hashed, the next arrives.
    /// What arrived before a failure of the sender is written.
    async fn fill(
        &self,
        mut partial: Partial,
        mut body: ByteStream,
    ) -> (Partial, Result<(), StoreError>) {
        loop {
            let (mut batch, mut size, mut end) = (Vec::new(), 0, None);
            while size < BATCH_BYTES {
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

/// Removes the partial file when it is dropped, as when the connection is cut. Once the file has
/// taken its place there is nothing left to remove.
struct Unfinished {
    tree: Arc<Tree>,
    id: UploadId,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        partial::discard(&self.tree.uploads, &self.id);
    }
}

#[async_trait]
impl Store for FolderStore {
    async fn entry(&self, path: &FilePath) -> Result<Entry, StoreError> {
        let path = path.clone();
        self.blocking(move |tree| tree.entry(&path)).await
    }

    async fn list(
        &self,
        folder: &FilePath,
        after: Option<&str>,
        most: usize,
    ) -> Result<Page, StoreError> {
        let (folder, after) = (folder.clone(), after.map(ToOwned::to_owned));
        self.blocking(move |tree| tree.list(&folder, after.as_deref(), most))
            .await
    }

    async fn open(&self, path: &FilePath) -> Result<Box<dyn OpenFile>, StoreError> {
        let path = path.clone();
        self.blocking(move |tree| tree.open_file(&path)).await
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
            tree: Arc::clone(&self.tree),
            id: id.clone(),
        };
        let (target, planned, making) = (path.clone(), plan.clone(), id.clone());
        let partial = self
            .blocking(move |tree| {
                tree.may_write(&target, &planned)?;
                Partial::create(&tree.uploads, &making)
            })
            .await?;
        let (partial, filled) = self.fill(partial, body).await;
        filled?;
        self.blocking(move |tree| {
            let _unfinished = unfinished;
            tree.place(&id, partial, &path, &plan)
        })
        .await
    }

    async fn put_all(&self, files: Vec<SmallFile>) -> Vec<Result<(), StoreError>> {
        let number = files.len();
        let put = self.blocking(move |tree| Ok(tree.put_all(&files))).await;
        put.unwrap_or_else(|error| {
            let lost = |_| Err(StoreError::Failed(error.to_string()));
            (0..number).map(lost).collect()
        })
    }

    async fn get_all(&self, paths: Vec<FilePath>) -> Vec<Result<(Entry, Bytes), StoreError>> {
        let number = paths.len();
        let got = self.blocking(move |tree| Ok(tree.get_all(&paths))).await;
        got.unwrap_or_else(|error| {
            let lost = |_| Err(StoreError::Failed(error.to_string()));
            (0..number).map(lost).collect()
        })
    }

    async fn offset(&self, id: &UploadId) -> Result<u64, StoreError> {
        let (turn, asked) = (self.turns.take(id).await, id.clone());
        self.blocking(move |tree| {
            let _turn = turn;
            partial::length(&tree.uploads, &asked)
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
            .blocking(move |tree| {
                let uploads = &tree.uploads;
                match partial::length(uploads, &going_on) {
                    Err(StoreError::NotFound) if offset == 0 => {
                        tree.sweep();
                        Partial::create(uploads, &going_on)
                    }
                    Err(error) => Err(error),
                    Ok(length) if length != offset => Err(StoreError::Offset(length)),
                    Ok(length) => Partial::open(uploads, &going_on, length, kept),
                }
            })
            .await?;
        let body = body.take_until(turn.cut.clone().cancelled_owned());
        let (partial, filled) = self.fill(partial, body.boxed()).await;
        if turn.cut.is_cancelled() {
            let newer = "a newer request took over the upload";
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
        self.blocking(move |tree| {
            let length = partial::length(&tree.uploads, &finishing)?;
            let partial = Partial::open(&tree.uploads, &finishing, length, kept)?;
            let placed = tree.place(&finishing, partial, &path, &plan);
            // With the right length and a wrong checksum, the upload can't become right any more.
            if matches!(placed, Err(StoreError::Checksum)) {
                partial::discard(&tree.uploads, &finishing);
            }
            placed
        })
        .await
    }

    async fn abandon(&self, id: &UploadId) -> Result<(), StoreError> {
        let mut turn = self.turns.take(id).await;
        *turn.kept = None;
        let abandoned = id.clone();
        self.blocking(move |tree| {
            partial::length(&tree.uploads, &abandoned)?;
            partial::discard(&tree.uploads, &abandoned);
            Ok(())
        })
        .await
    }

    async fn make_folder(&self, path: &FilePath) -> Result<(), StoreError> {
        let path = path.clone();
        self.blocking(move |tree| tree.make_folder(&path)).await
    }

    async fn remove(&self, path: &FilePath, condition: &Condition) -> Result<(), StoreError> {
        let (path, condition) = (path.clone(), condition.clone());
        self.blocking(move |tree| tree.remove(&path, &condition))
            .await
    }

    async fn rename(
        &self,
        from: &FilePath,
        to: &FilePath,
        how: &Transfer,
    ) -> Result<Placed, StoreError> {
        let (from, to, how) = (from.clone(), to.clone(), how.clone());
        self.blocking(move |tree| tree.rename(&from, &to, &how))
            .await
    }

    async fn copy(
        &self,
        from: &FilePath,
        to: &FilePath,
        how: &Transfer,
    ) -> Result<Placed, StoreError> {
        let (from, to, how) = (from.clone(), to.clone(), how.clone());
        // Stops the copy when the client is gone.
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let _waiting = stop.drop_guard();
        self.blocking(move |tree| tree.copy(&from, &to, &how, &stopped))
            .await
    }

    async fn properties(&self, path: &FilePath) -> Result<Properties, StoreError> {
        let path = path.clone();
        self.blocking(move |tree| tree.properties(&path)).await
    }

    async fn with_properties(&self, folder: &FilePath) -> Result<BTreeSet<String>, StoreError> {
        let folder = folder.clone();
        self.blocking(move |tree| tree.with_properties(&folder))
            .await
    }

    async fn set_properties(
        &self,
        path: &FilePath,
        condition: &Condition,
        changes: PropertyChanges,
    ) -> Result<(), StoreError> {
        let (path, condition) = (path.clone(), condition.clone());
        self.blocking(move |tree| tree.set_properties(&path, &condition, changes))
            .await
    }
}
