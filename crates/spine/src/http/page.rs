//! Lists, a page at a time.

use hallway_evidence::{Count, DeviceId, GrantId, PersonId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::store::{Limit, MakerId, PageRequest, RefusalId};

/// The key by which a list's pages begin.
pub trait PageKey: Sized {
    /// Reads a key from an address; `None` if it can't be the key of a record.
    fn read(text: &str) -> Option<Self>;
}

/// A place in the log.
impl PageKey for u64 {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Count::get)
    }
}

macro_rules! page_keys {
    ($($id:ty),+) => {$(
        impl PageKey for $id {
            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )+};
}

page_keys!(MakerId, DeviceId, GrantId, PersonId, RefusalId);

/// The page of a list that a caller asks for.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct PageQuery {
    /// The `next` of the previous page; `None` for the first page.
    pub after: Option<String>,
    /// The number of rows, 200 at most.
    pub limit: Option<u64>,
}

/// A page of a list, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PageView<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The value of `after` for the next page; `None` at the end.
    pub next: Option<String>,
}

impl PageQuery {
    /// The request to the store.
    ///
    /// # Errors
    /// `after` is not a key of this list.
    pub fn request<K: PageKey>(&self) -> Result<PageRequest<K>, Problem> {
        let after = self
            .after
            .as_deref()
            .filter(|text| !text.is_empty())
            .map(|text| {
                K::read(text).ok_or_else(|| {
                    Problem::malformed("`after` is not the `next` of a page of this list")
                })
            })
            .transpose()?;
        Ok(PageRequest {
            after,
            limit: self.limit.map_or_else(Limit::default, Limit::nearest),
        })
    }
}

impl<T> PageView<T> {
    /// Rows, and the key of the next page.
    pub fn new(items: Vec<T>, next: Option<impl ToString>) -> Self {
        Self {
            items,
            next: next.map(|key| key.to_string()),
        }
    }
}
