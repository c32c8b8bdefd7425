//! Stores of other parties: an agent's, or one that another gateway reaches.
//!
//! Most requests go on as they are, and what is answered comes back as [`Foreign`]. Properties do
//! not: a list in XML names addresses and can have processing instructions, so the other side is
//! asked what there is, and the list is written here.

use std::time::Duration;

use async_trait::async_trait;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::handler::{Catalogue, PROPFIND, properties};
use super::listed::{self, Listed};
use super::path::{FilePath, encode};
use super::store::{Entry, Page};
use crate::body::{self, Body};
use crate::foreign::{self, Asked, Foreign};
use crate::problem::Problem;

/// How long the other side may take to say what there is, and how many bytes that may have.
const PATIENCE: Duration = Duration::from_secs(60);
const LONGEST_LIST: usize = 4 * 1024 * 1024;

/// Sends requests to another party.
#[async_trait]
pub(crate) trait Sends: Send + Sync + 'static {
    /// Sends one whose path is that of the other side.
    ///
    /// # Errors
    /// There is no answer.
    async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Problem>;
}

/// A store of another party.
pub(crate) struct Afar<S> {
    /// Leads there.
    pub(crate) sends: S,
    /// Where the store is there, such as `/files/data`.
    pub(crate) there: String,
    /// Where it is here.
    pub(crate) mount: String,
}

impl<S: Sends> Afar<S> {
    /// Answers a request for the store's files, which is `asked`: whose head is that of the other
    /// side already.
    pub(crate) async fn answer(self, asked: &Asked, request: Request<Body>) -> Response<Body> {
        if request.method().as_str() == PROPFIND {
            let listed = self.list_properties(request).await;
            return foreign::protected(listed.unwrap_or_else(Problem::into_response));
        }
        match self.sends.send(request).await {
            Ok(response) => Foreign::new(response).release(asked).await,
            Err(problem) => foreign::protected(problem.into_response()),
        }
    }

    async fn list_properties(self, request: Request<Body>) -> Result<Response<Body>, Problem> {
        let (head, body) = request.into_parts();
        let below = head.uri.path().strip_prefix(self.there.as_str());
        let path = FilePath::from_uri(below.unwrap_or_default()).map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "malformed", error.to_string())
        })?;
        let mount = self.mount.clone();
        let catalogue = There {
            sends: self.sends,
            root: self.there,
            listed: Listed::default(),
        };
        properties(catalogue, &mount, path, &head.headers, body).await
    }
}

/// What there is at another party, by its word: names that can be names, numbers that can be
/// numbers, in an order that ends.
struct There<S> {
    sends: S,
    root: String,
    listed: Listed,
}

impl<S: Sends> There<S> {
    /// An answer, and how many bytes it had.
    async fn ask<T: DeserializeOwned>(
        &self,
        path: &FilePath,
        query: &str,
    ) -> Result<(T, usize), Problem> {
        let uri = format!("{}/{}?{query}", self.root, path.to_uri());
        let request = Request::builder()
            .method(Method::GET)
            .uri(uri)
            .body(body::empty())
            .map_err(|_| unusable())?;
        let asking = async {
            let response = self.sends.send(request).await?;
            let status = response.status();
            if status != StatusCode::OK {
                return Err(foreign::refused(status, response.into_body()).await);
            }
            let whole = Limited::new(response.into_body(), LONGEST_LIST).collect();
            let whole = whole.await.map_err(|_| unusable())?.to_bytes();
            let answer = serde_json::from_slice(&whole).map_err(|_| unusable())?;
            Ok((answer, whole.len()))
        };
        timeout(PATIENCE, asking).await.map_err(|_| unusable())?
    }
}

#[async_trait]
impl<S: Sends> Catalogue for There<S> {
    async fn entry(&self, path: &FilePath) -> Result<Entry, Problem> {
        let (entry, _): (Entry, usize) = self.ask(path, "entry").await?;
        // What it is called is what was asked for.
        let name = path.name().to_owned();
        listed::plain(Entry { name, ..entry }).map_err(|_| unusable())
    }

    async fn list(
        &self,
        folder: &FilePath,
        after: Option<&str>,
        most: usize,
    ) -> Result<Page, Problem> {
        let mut query = format!("most={most}");
        if let Some(after) = after {
            query.push_str("&after=");
            query.push_str(&encode(after));
        }
        let page = self.ask(folder, &query).await?;
        usable(&self.listed, folder, after, most, page)
    }
}

/// The part of a list that was asked for, whose answer had so many bytes. What no file in `folder` can
/// be called is left out.
fn usable(
    listed: &Listed,
    folder: &FilePath,
    after: Option<&str>,
    most: usize,
    (page, bytes): (Page, usize),
) -> Result<Page, Problem> {
    if page.entries.len() > most {
        return Err(unusable());
    }
    let mut page = listed.take(after, page, bytes).map_err(|_| unusable())?;
    page.entries
        .retain(|entry| !entry.name.is_empty() && folder.join(&entry.name).is_ok());
    Ok(page)
}

fn unusable() -> Problem {
    foreign::unusable()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Kind;
    use crate::files::handler::LATEST_MS;

    fn page(names: &[&str], next: Option<&str>) -> Page {
        let entry = |name: &&str| Entry {
            name: (*name).to_owned(),
            kind: Kind::File,
            bytes: 1,
            modified_ms: u64::MAX,
            etag: Some("a\"><b".to_owned()),
        };
        Page {
            entries: names.iter().map(entry).collect(),
            next: next.map(str::to_owned),
        }
    }

    #[test]
    fn a_list_that_cannot_be_used_is_refused() {
        let read = |names: &[&str], next| {
            let (listed, page) = (Listed::default(), page(names, next));
            usable(&listed, &FilePath::root(), None, 2, (page, 1)).map(|page| page.entries.len())
        };
        assert_eq!(read(&["a", "b"], Some("b")).unwrap(), 2);
        let wrong: [(&[&str], Option<&str>); 3] = [
            (&["b", "a"], None),
            (&["a"], Some("z")),
            (&["a", "b", "c"], None),
        ];
        for (names, next) in wrong {
            assert_eq!(read(names, next).unwrap_err(), unusable(), "{names:?}");
        }
    }

    #[test]
    fn what_is_no_name_is_left_out() {
        let names = ["", "..", ".hallway", "a/b", "c", "d\n"];
        let page = page(&names, None);
        // "" is not after nothing, so this order is good.
        let listed = Listed::default();
        let read = usable(&listed, &FilePath::root(), None, 9, (page, 1)).unwrap();
        assert_eq!(read.entries.len(), 1);
        let entry = &read.entries[0];
        assert_eq!((entry.name.as_str(), entry.etag.as_ref()), ("c", None));
        assert_eq!(entry.modified_ms, LATEST_MS);
    }
}
