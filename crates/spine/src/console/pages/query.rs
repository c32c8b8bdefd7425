//! The place in a list at which a page begins.

use serde::Deserialize;

use super::super::view::Paging;
use crate::http::page::PageKey;
use crate::http::problem::Problem;
use crate::store::{Limit, PageRequest};

/// The query of a page that shows a list.
#[derive(Debug, Default, Deserialize)]
pub struct ListQuery {
    /// The key of the last entry of the previous page.
    after: Option<String>,
    /// Show only entries of this device.
    pub device: Option<String>,
}

impl ListQuery {
    /// The request to the store.
    pub fn request<K: PageKey>(&self) -> Result<PageRequest<K>, Problem> {
        let after = self
            .after
            .as_deref()
            .map(|after| {
                K::read(after).ok_or_else(|| {
                    Problem::malformed("the address does not name a place in this list")
                })
            })
            .transpose()?;
        Ok(PageRequest {
            after,
            limit: Limit::default(),
        })
    }

    /// Links to the neighbouring pages of the list at `path`.
    pub fn paging(&self, path: &str, next: Option<impl ToString>) -> Paging {
        let filter = self
            .device
            .as_ref()
            .map_or_else(String::new, |device| format!("device={device}"));
        let first = match filter.as_str() {
            "" => path.to_owned(),
            filter => format!("{path}?{filter}"),
        };
        let join = if filter.is_empty() { '?' } else { '&' };
        Paging {
            newest: self.after.as_ref().map(|_| first.clone()),
            older: next.map(|next| format!("{first}{join}after={}", next.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_keep_their_filter() {
        let query = ListQuery {
            after: Some("9".to_owned()),
            device: Some("d".to_owned()),
        };
        let paging = query.paging("/transactions", Some(4));
        assert_eq!(paging.newest.as_deref(), Some("/transactions?device=d"));
        assert_eq!(
            paging.older.as_deref(),
            Some("/transactions?device=d&after=4")
        );
        let first = ListQuery::default().paging("/evidence", None::<u64>);
        assert_eq!(first, Paging::default());
    }

    #[test]
    fn a_malformed_place_is_refused() {
        for after in ["x", "9223372036854775808", "99999999999999999999"] {
            let query = ListQuery {
                after: Some(after.to_owned()),
                device: None,
            };
            assert!(query.request::<u64>().is_err(), "{after}");
        }
    }
}
