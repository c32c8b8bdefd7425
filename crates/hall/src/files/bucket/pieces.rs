//! An upload that is not whole yet: objects named by their offset in the file.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::{Collected, PIECE_BYTES};
use crate::files::store::{ByteStream, StoreError};

pub(super) struct Pieces {
    objects: Arc<dyn ObjectStore>,
    folder: Path,
}

impl Pieces {
    pub(super) fn new(objects: Arc<dyn ObjectStore>, folder: Path) -> Self {
        Self { objects, folder }
    }

    /// The pieces in their order, as far as they follow each other.
    async fn all(&self) -> Result<Vec<ObjectMeta>, StoreError> {
        let found = self.objects.list(Some(&self.folder));
        let mut found: Vec<ObjectMeta> = found.try_collect().await?;
        found.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        let mut end = 0;
        found.retain(|piece| {
            let follows = self.place(end) == piece.location;
            if follows {
                end += piece.size;
            }
            follows
        });
        Ok(found)
    }

    pub(super) async fn keys(&self) -> Result<Vec<Path>, StoreError> {
        let found = self.objects.list(Some(&self.folder));
        Ok(found.map_ok(|piece| piece.location).try_collect().await?)
    }

    /// Bytes that are there; `None` if the upload has not begun.
    pub(super) async fn length(&self) -> Result<Option<u64>, StoreError> {
        let pieces = self.all().await?;
        Ok((!pieces.is_empty()).then(|| pieces.iter().map(|piece| piece.size).sum()))
    }

    /// Adds what comes. If `body` breaks off, what came until then is kept.
    pub(super) async fn append(
        &self,
        mut offset: u64,
        mut body: ByteStream,
    ) -> Result<u64, StoreError> {
        let (mut collected, mut size) = (Collected::new(), 0);
        let end = loop {
            match body.next().await {
                Some(Ok(bytes)) => {
                    size += bytes.len();
                    collected.push(bytes);
                }
                Some(Err(error)) => break Err(StoreError::Body(error)),
                None => break Ok(()),
            }
            if size >= PIECE_BYTES {
                self.keep(offset, std::mem::take(&mut collected)).await?;
                offset += std::mem::take(&mut size) as u64;
            }
        };
        // An upload of no bytes has begun, too.
        if size > 0 || offset == 0 {
            self.keep(offset, collected).await?;
            offset += size as u64;
        }
        end.map(|()| offset)
    }

    async fn keep(&self, offset: u64, collected: Collected) -> Result<(), StoreError> {
        let payload = collected.into_iter().collect();
        self.objects.put(&self.place(offset), payload).await?;
        Ok(())
    }

    fn place(&self, offset: u64) -> Path {
        self.folder.clone().join(format!("{offset:020}"))
    }

    /// All of it, one piece after the other.
    pub(super) async fn read(&self) -> Result<ByteStream, StoreError> {
        let (objects, pieces) = (Arc::clone(&self.objects), self.all().await?);
        let contents = stream::iter(pieces).then(move |piece| {
            let objects = Arc::clone(&objects);
            async move {
                let got = objects
                    .get(&piece.location)
                    .await
                    .map_err(io::Error::from)?;
                Ok::<_, io::Error>(got.into_stream().map_err(io::Error::from))
            }
        });
        Ok(contents.try_flatten().boxed())
    }
}

/// The keys of pieces below `uploads` that were written longer than `age` ago.
pub(super) async fn older_than(
    objects: &dyn ObjectStore,
    uploads: &Path,
    age: Duration,
) -> Result<Vec<Path>, StoreError> {
    let oldest = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .saturating_sub(age)
        .as_millis();
    let found: Vec<ObjectMeta> = objects.list(Some(uploads)).try_collect().await?;
    let is_old =
        |piece: &ObjectMeta| i128::from(piece.last_modified.timestamp_millis()) < oldest as i128;
    Ok(found
        .into_iter()
        .filter(is_old)
        .map(|piece| piece.location)
        .collect())
}
