//! Dead properties: an object [`RESERVED`] under `.hallway/properties/PATH`.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use super::lists::marker_of;
use super::{BucketStore, COPIES_AT_A_TIME};
use crate::dav::path::{FilePath, RESERVED};
use crate::files::property::{LONGEST_PROPERTIES_BYTES, Properties};
use crate::files::store::{Depth, StoreError};

/// The longest object: JSON may escape each byte.
const LONGEST_BYTES: u64 = 8 * LONGEST_PROPERTIES_BYTES as u64;

impl BucketStore {
    /// The folder for the properties of `path` and of what is in it.
    fn kept(&self, path: &FilePath) -> Result<Path, StoreError> {
        let folder = self.prefix.clone().join(RESERVED).join("properties");
        if path.is_root() {
            return Ok(folder);
        }
        Path::parse(format!("{folder}/{path}"))
            .map_err(|_| StoreError::Unsupported("objects cannot have that name"))
    }

    pub(super) async fn kept_properties(&self, path: &FilePath) -> Result<Properties, StoreError> {
        let got = match self.objects.get(&self.kept(path)?.join(RESERVED)).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(Properties::default()),
            got => got?,
        };
        if got.meta.size > LONGEST_BYTES {
            return Ok(Properties::too_long(path));
        }
        Ok(Properties::from_bytes(&got.bytes().await?, path))
    }

    pub(super) async fn names_with_properties(
        &self,
        folder: &FilePath,
    ) -> Result<BTreeSet<String>, StoreError> {
        let kept = self.kept(folder)?;
        let found = self.objects.list_with_delimiter(Some(&kept)).await?;
        let names = found.common_prefixes.iter().filter_map(Path::filename);
        Ok(names.map(str::to_owned).collect())
    }

    pub(super) async fn keep_properties(
        &self,
        path: &FilePath,
        properties: &Properties,
    ) -> Result<(), StoreError> {
        let key = self.kept(path)?.join(RESERVED);
        if properties.is_empty() {
            return self.delete_all(vec![key]).await;
        }
        let bytes = PutPayload::from(properties.to_bytes()?);
        self.objects.put(&key, bytes).await?;
        Ok(())
    }

    /// Deletes the properties of `path` and of all that is in it.
    pub(super) async fn forget_properties(&self, path: &FilePath) -> Result<(), StoreError> {
        let keys = self.said_of(path, Depth::Everything).await?;
        self.delete_all(keys).await
    }

    /// The keys of the properties of `path`, and of what is in it.
    pub(super) async fn said_of(
        &self,
        path: &FilePath,
        depth: Depth,
    ) -> Result<Vec<Path>, StoreError> {
        let kept = self.kept(path)?;
        match depth {
            Depth::Everything => {
                let found = self.objects.list(Some(&kept));
                Ok(found.map_ok(|object| object.location).try_collect().await?)
            }
            Depth::Itself if self.kept_properties(path).await?.is_empty() => Ok(Vec::new()),
            Depth::Itself => Ok(vec![kept.join(RESERVED)]),
        }
    }

    /// Copies the properties of `from`, under the keys `said`, to `to`, and deletes those that `to`
    /// had under the keys `before`.
    pub(super) async fn copy_properties(
        &self,
        (from, said): (&FilePath, &[Path]),
        (to, before): (&FilePath, Vec<Path>),
    ) -> Result<(), StoreError> {
        let (old, new) = (self.kept(from)?, self.kept(to)?);
        let made = self.copy_keys(said, &old, &new).await?;
        let surplus = before.into_iter().filter(|key| !made.contains(key));
        self.delete_all(surplus.collect()).await
    }

    /// Copies objects below `old` to the same places below `new`; returns their keys there.
    pub(super) async fn copy_keys(
        &self,
        keys: &[Path],
        old: &Path,
        new: &Path,
    ) -> Result<BTreeSet<Path>, StoreError> {
        let copying: Vec<_> = keys
            .iter()
            .map(|key| async move {
                let rest = key.as_ref().strip_prefix(old.as_ref()).unwrap_or_default();
                let mut target = Path::parse(format!("{new}{rest}"))
                    .map_err(|error| StoreError::Failed(error.to_string()))?;
                if rest.ends_with('/') {
                    target = marker_of(target);
                }
                self.objects.copy(key, &target).await?;
                Ok::<_, StoreError>(target)
            })
            .collect();
        stream::iter(copying)
            .buffer_unordered(COPIES_AT_A_TIME)
            .try_collect()
            .await
    }
}
