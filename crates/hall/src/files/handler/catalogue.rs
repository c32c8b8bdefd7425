//! The files and folders in a store of ours, or in one of another party.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, StatusCode, Uri};
use serde::{Deserialize, Serialize};

use crate::dav::path::{FilePath, PathError};
use crate::files::condition::{Condition, States};
use crate::files::lock::ShownLock;
use crate::files::property::{Properties, PropertyChanges};
use crate::files::store::{Entry, Store, StoreError};
use crate::problem::Problem;

/// Bytes of dead properties after which a part of a list ends.
const LONGEST_PROPERTIES_BYTES: usize = 1024 * 1024;

/// How much is said of files and folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Describing {
    /// What a store itself knows.
    Briefly,
    /// Their dead properties, too.
    Fully,
}

/// A file or folder, and its dead properties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Described {
    #[serde(flatten)]
    pub(crate) entry: Entry,
    #[serde(default, skip_serializing_if = "Properties::is_empty")]
    pub(crate) properties: Properties,
}

/// Like [`Page`](crate::files::Page), with dead properties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DescribedPage {
    pub(crate) entries: Vec<Described>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// Whether something is there.
#[async_trait]
pub(crate) trait Present: Send + Sync {
    /// What is at `path` now.
    async fn present(&self, path: &FilePath) -> Result<Option<Entry>, Problem>;
}

#[async_trait]
impl<C: Catalogue> Present for C {
    async fn present(&self, path: &FilePath) -> Result<Option<Entry>, Problem> {
        match self.described(path, Describing::Briefly).await {
            Ok(described) => Ok(Some(described.entry)),
            Err(problem) if problem.status == StatusCode::NOT_FOUND.as_u16() => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}

/// The locks on files and folders.
#[async_trait]
pub(crate) trait Discovery: Send + Sync {
    /// The locks on `path`, and those that were taken on what is directly in it. `None` where no
    /// locks are kept.
    async fn locks(&self, path: &FilePath) -> Result<Option<Vec<ShownLock>>, Problem>;
}

/// No locks are kept here.
pub(crate) struct NoLocks;

#[async_trait]
impl Discovery for NoLocks {
    async fn locks(&self, _path: &FilePath) -> Result<Option<Vec<ShownLock>>, Problem> {
        Ok(None)
    }
}

/// What files and folders there are.
#[async_trait]
pub(crate) trait Catalogue: Send + Sync + 'static {
    /// What `path` is.
    async fn described(&self, path: &FilePath, how: Describing) -> Result<Described, Problem>;

    /// Like [`Store::list`], with fewer entries if their properties are long.
    async fn described_in(
        &self,
        folder: &FilePath,
        after: Option<&str>,
        most: usize,
        how: Describing,
    ) -> Result<DescribedPage, Problem>;

    /// Changes dead properties as [`Store::set_properties`] does, if the conditions in the headers
    /// `asked` hold. They name files below `named`.
    async fn set_properties(
        &self,
        named: &str,
        path: &FilePath,
        asked: &HeaderMap,
        changes: PropertyChanges,
    ) -> Result<(), Problem>;
}

#[async_trait]
impl Catalogue for Arc<dyn Store> {
    async fn described(&self, path: &FilePath, how: Describing) -> Result<Described, Problem> {
        let entry = self.as_ref().entry(path).await?;
        let properties = match how {
            Describing::Briefly => Properties::default(),
            Describing::Fully => self.as_ref().properties(path).await?,
        };
        Ok(Described { entry, properties })
    }

    async fn described_in(
        &self,
        folder: &FilePath,
        after: Option<&str>,
        most: usize,
        how: Describing,
    ) -> Result<DescribedPage, Problem> {
        let page = self.as_ref().list(folder, after, most).await?;
        let with = match how {
            Describing::Fully => self.as_ref().with_properties(folder).await?,
            Describing::Briefly => Default::default(),
        };
        let (mut entries, mut bytes, mut next) = (Vec::new(), 0, page.next);
        let mut listed = page.entries.into_iter();
        while let Some(entry) = listed.next() {
            let path = folder.join(&entry.name).ok();
            let properties = match path.filter(|_| with.contains(&entry.name)) {
                Some(path) => match self.as_ref().properties(&path).await {
                    // It was removed since the folder was read.
                    Err(StoreError::NotFound) => Properties::default(),
                    properties => properties?,
                },
                None => Properties::default(),
            };
            bytes += properties.length();
            let last = entry.name.clone();
            entries.push(Described { entry, properties });
            if bytes > LONGEST_PROPERTIES_BYTES {
                if listed.len() > 0 {
                    next = Some(last);
                }
                break;
            }
        }
        Ok(DescribedPage { entries, next })
    }

    async fn set_properties(
        &self,
        named: &str,
        path: &FilePath,
        asked: &HeaderMap,
        changes: PropertyChanges,
    ) -> Result<(), Problem> {
        let condition = condition(self, named, path, asked).await?;
        Ok(self
            .as_ref()
            .set_properties(path, &condition, changes)
            .await?)
    }
}

/// What the headers `asked`, which name files below `mount`, demand of `path`. What `If` says about
/// other files is judged here already.
///
/// # Errors
/// 412: a condition cannot be read. Others: `there` cannot tell what there is.
pub(crate) async fn condition(
    there: &impl Present,
    mount: &str,
    path: &FilePath,
    asked: &HeaderMap,
) -> Result<Condition, Problem> {
    let condition = Condition::of(asked)?;
    let Some(states) = States::of(asked)? else {
        return Ok(condition);
    };
    let of = |place: &str| {
        let place: Uri = place.parse().ok()?;
        below(mount, place.path()).ok().flatten()
    };
    let (here, elsewhere) = states.apart(|place| of(place).as_ref() == Some(path));
    for (place, list) in elsewhere {
        // The states of files in other stores are not known here.
        let Some(other) = of(&place) else { continue };
        let present = there.present(&other).await?;
        if list.holds(present.as_ref()) {
            return Ok(condition);
        }
    }
    Ok(condition.with_states(here))
}

/// The file at `place`, the path of an address, if that is below `mount`.
///
/// # Errors
/// No file can have that path.
pub(crate) fn below(mount: &str, place: &str) -> Result<Option<FilePath>, PathError> {
    let below = place.strip_prefix(mount);
    let within = below.filter(|below| below.is_empty() || below.starts_with('/'));
    within.map(FilePath::from_uri).transpose()
}
