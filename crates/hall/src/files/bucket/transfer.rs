//! Operations of several requests: judging a folder, copying, and keeping emptied folders.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::writer::Writer;
use super::{BucketStore, describe};
use crate::dav::path::FilePath;
use crate::files::condition::Condition;
use crate::files::store::{Depth, Entry, Kind, Plan, Store, StoreError, Transfer};

/// The longest object that S3 copies by itself, in bytes.
const LONGEST_COPY_BYTES: u64 = 5 * 1024 * 1024 * 1024;

impl BucketStore {
    /// What `path` is, if `condition` holds for it. A folder has changed when anything in it has.
    pub(super) async fn judged(
        &self,
        path: &FilePath,
        condition: &Condition,
    ) -> Result<Entry, StoreError> {
        let entry = self.entry(path).await?;
        let mut judged = entry.clone();
        if entry.kind == Kind::Folder && condition.asks_when() {
            let mut found = self.objects.list(Some(&self.key(path)?));
            while let Some(object) = found.try_next().await? {
                let changed = describe(path.name(), &object).modified_ms;
                judged.modified_ms = judged.modified_ms.max(changed);
            }
        }
        condition.check(Some(&judged))?;
        Ok(entry)
    }

    /// Refuses unless the folder that `path` is or will be in exists.
    pub(super) async fn need_parent(&self, path: &FilePath) -> Result<(), StoreError> {
        match self.present(&path.parent()).await?.map(|entry| entry.kind) {
            Some(Kind::Folder) => Ok(()),
            Some(Kind::File) | None => Err(StoreError::NoParent),
        }
    }

    /// Keeps the folder that `path` was in: it may have existed only by what was in it.
    pub(super) async fn leave_parent(&self, path: &FilePath) -> Result<(), StoreError> {
        let parent = path.parent();
        if self.present(&parent).await?.is_none() {
            let marker = self.marker(&parent)?;
            self.objects.put(&marker, PutPayload::new()).await?;
        }
        Ok(())
    }

    /// Copies `source` to `to`, where it replaces what may be replaced. Returns the keys that were
    /// copied, and whether something was replaced. All is copied before anything is deleted: a
    /// failure in between loses nothing.
    pub(super) async fn transfer(
        &self,
        (from, source): (&FilePath, &Entry),
        to: &FilePath,
        how: &Transfer,
    ) -> Result<(Vec<Path>, bool), StoreError> {
        self.need_parent(to).await?;
        let present = self.present(to).await?;
        how.overwrite.allows(source, present.as_ref())?;
        let (old, new) = (self.key(from)?, self.key(to)?);
        let before = match present.as_ref().map(|entry| entry.kind) {
            None => Vec::new(),
            Some(Kind::File) => vec![new.clone()],
            Some(Kind::Folder) => self.below(to).await?.whole()?,
        };
        // All that is read is read before anything is replaced.
        let said = self.said_of(from, how.depth).await?;
        let said_before = self.said_of(to, Depth::Everything).await?;
        let (copied, made) = match (source.kind, how.depth) {
            (Kind::File, _) => {
                if source.bytes > LONGEST_COPY_BYTES {
                    self.send_over(from, to).await?;
                } else {
                    self.objects.copy(&old, &new).await?;
                }
                (vec![old], BTreeSet::from([new]))
            }
            (Kind::Folder, Depth::Itself) => {
                let marker = self.marker(to)?;
                self.objects.put(&marker, PutPayload::new()).await?;
                (Vec::new(), BTreeSet::from([marker]))
            }
            (Kind::Folder, Depth::Everything) => {
                let keys = self.below(from).await?.keys;
                let made = self.copy_keys(&keys, &old, &new).await?;
                (keys, made)
            }
        };
        let surplus = before.into_iter().filter(|key| !made.contains(key));
        self.delete_all(surplus.collect()).await?;
        self.copy_properties((from, &said), (to, said_before))
            .await?;
        Ok((copied, present.is_some()))
    }

    /// Copies a file that is too long for the object store to copy.
    async fn send_over(&self, from: &FilePath, to: &FilePath) -> Result<(), StoreError> {
        let file = self.open(from).await?;
        let length = file.entry().bytes;
        let mut body = file.read(0..length);
        let mut writer = Writer::new(Arc::clone(&self.objects), self.key(to)?);
        while let Some(bytes) = body.next().await {
            writer.write(&bytes?).await?;
        }
        let plan = Plan {
            length: Some(length),
            ..Plan::default()
        };
        writer
            .finish(&plan, PutMode::Overwrite, &self.judges)
            .await?;
        Ok(())
    }
}
