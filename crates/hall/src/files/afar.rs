//! Stores of other parties: an agent's, or one that another gateway reaches.
//!
//! Most requests go on as they are, and what is answered comes back as [`Foreign`]. Properties do
//! not: a list in XML names addresses and can have processing instructions, so the other side is
//! asked what there is, and the list is written here.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::handler::{
    Catalogue, Described, DescribedPage, Describing, LATEST_MS, PROPFIND, PROPPATCH, find, patch,
};
use super::path::{FilePath, encode};
use super::property::PropertyChange;
use super::store::Entry;
use crate::body::{self, Body};
use crate::foreign::{self, Asked, Foreign, is_condition};
use crate::problem::Problem;

/// How long the other side may take to say what there is, and how many bytes that may have.
const PATIENCE: Duration = Duration::from_secs(60);
const LONGEST_LIST: usize = 4 * 1024 * 1024;
/// The most entries that one folder may list.
const MOST_ENTRIES: usize = 1_000_000;
/// The longest entity tag.
const LONGEST_TAG: usize = 256;

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
        if matches!(request.method().as_str(), PROPFIND | PROPPATCH) {
            let answered = self.about_properties(request).await;
            return foreign::protected(answered.unwrap_or_else(Problem::into_response));
        }
        match self.sends.send(request).await {
            Ok(response) => Foreign::new(response).release(asked).await,
            Err(problem) => foreign::protected(problem.into_response()),
        }
    }

    async fn about_properties(self, request: Request<Body>) -> Result<Response<Body>, Problem> {
        let (head, body) = request.into_parts();
        let below = head.uri.path().strip_prefix(self.there.as_str());
        let path = FilePath::from_uri(below.unwrap_or_default()).map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "malformed", error.to_string())
        })?;
        let (mount, there) = (self.mount, self.there);
        let catalogue = There {
            sends: self.sends,
            root: there.clone(),
            listed: AtomicUsize::new(0),
        };
        let mounts = (mount.as_str(), there.as_str());
        if head.method.as_str() == PROPFIND {
            find(catalogue, mounts, path, &head.headers, body).await
        } else {
            patch(catalogue, mounts, path, &head.headers, body).await
        }
    }
}

/// What there is at another party, by its word: names that can be names, numbers that can be
/// numbers, in an order that ends.
struct There<S> {
    sends: S,
    root: String,
    listed: AtomicUsize,
}

impl<S: Sends> There<S> {
    async fn ask<T: DeserializeOwned>(&self, path: &FilePath, query: &str) -> Result<T, Problem> {
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
            serde_json::from_slice::<T>(&whole).map_err(|_| unusable())
        };
        timeout(PATIENCE, asking).await.map_err(|_| unusable())?
    }
}

#[async_trait]
impl<S: Sends> Catalogue for There<S> {
    async fn described(&self, path: &FilePath, how: Describing) -> Result<Described, Problem> {
        let described: Described = self.ask(path, &query("entry", how)).await?;
        let mut described = plain(described)?;
        // What it is called is what was asked for.
        path.name().clone_into(&mut described.entry.name);
        Ok(described)
    }

    async fn described_in(
        &self,
        folder: &FilePath,
        after: Option<&str>,
        most: usize,
        how: Describing,
    ) -> Result<DescribedPage, Problem> {
        let mut query = query(&format!("most={most}"), how);
        if let Some(after) = after {
            query.push_str("&after=");
            query.push_str(&encode(after));
        }
        let page: DescribedPage = self.ask(folder, &query).await?;
        let entries = page.entries.len();
        if self.listed.fetch_add(entries, Ordering::Relaxed) + entries > MOST_ENTRIES {
            return Err(unusable());
        }
        in_order(folder, after, most, page)
    }

    async fn set_properties(
        &self,
        _named: &str,
        path: &FilePath,
        asked: &HeaderMap,
        changes: Vec<PropertyChange>,
    ) -> Result<(), Problem> {
        let json = serde_json::to_vec(&changes).map_err(|_| unusable())?;
        let uri = format!("{}/{}?properties", self.root, path.to_uri());
        let request = Request::builder().method(Method::PATCH).uri(uri);
        let mut request = request.body(body::full(json)).map_err(|_| unusable())?;
        // What has to be so is judged there.
        for (name, value) in asked.iter().filter(|(name, _)| is_condition(name)) {
            request.headers_mut().append(name.clone(), value.clone());
        }
        let response = timeout(PATIENCE, self.sends.send(request)).await;
        let response = response.map_err(|_| unusable())??;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(()),
            status if status.is_client_error() || status.is_server_error() => {
                Err(foreign::refused(status, response.into_body()).await)
            }
            _ => Err(unusable()),
        }
    }
}

fn query(query: &str, how: Describing) -> String {
    match how {
        Describing::Briefly => query.to_owned(),
        Describing::Fully => format!("{query}&properties"),
    }
}

/// A page that leads on or ends. What no file in `folder` can be called is left out.
fn in_order(
    folder: &FilePath,
    after: Option<&str>,
    most: usize,
    page: DescribedPage,
) -> Result<DescribedPage, Problem> {
    if page.entries.len() > most {
        return Err(unusable());
    }
    let mut last = after.map(str::to_owned);
    for Described { entry, .. } in &page.entries {
        if last.as_ref().is_some_and(|last| *last >= entry.name) {
            return Err(unusable());
        }
        last = Some(entry.name.clone());
    }
    if page.next.is_some() && (page.next != last || page.entries.is_empty()) {
        return Err(unusable());
    }
    let nameable = |described: &Described| {
        let name = &described.entry.name;
        !name.is_empty() && folder.join(name).is_ok()
    };
    let entries = page.entries.into_iter().filter(nameable).map(plain);
    Ok(DescribedPage {
        entries: entries.collect::<Result<_, _>>()?,
        next: page.next,
    })
}

/// What can be written down: no date after the last one, no tag that is none, no more properties
/// than a file may have.
fn plain(described: Described) -> Result<Described, Problem> {
    let Described { entry, properties } = described;
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
    let is_tag = |tag: &String| tag.len() <= LONGEST_TAG && tag.bytes().all(allowed);
    Ok(Described {
        entry: Entry {
            modified_ms: entry.modified_ms.min(LATEST_MS),
            etag: entry.etag.filter(is_tag),
            ..entry
        },
        properties: properties.within_bounds().ok_or_else(unusable)?,
    })
}

fn unusable() -> Problem {
    foreign::unusable()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Kind, Properties};

    fn page(names: &[&str], next: Option<&str>) -> DescribedPage {
        let entry = |name: &&str| Described {
            entry: Entry {
                name: (*name).to_owned(),
                kind: Kind::File,
                bytes: 1,
                modified_ms: u64::MAX,
                etag: Some("a\"><b".to_owned()),
            },
            properties: Properties::default(),
        };
        DescribedPage {
            entries: names.iter().map(entry).collect(),
            next: next.map(str::to_owned),
        }
    }

    fn read(after: Option<&str>, names: &[&str], next: Option<&str>) -> Option<Vec<String>> {
        let page = in_order(&FilePath::root(), after, 5, page(names, next)).ok()?;
        let names = page
            .entries
            .into_iter()
            .map(|described| described.entry.name);
        Some(names.collect())
    }

    #[test]
    fn a_list_leads_on_and_ends() {
        assert_eq!(read(None, &["a", "b"], Some("b")).unwrap(), ["a", "b"]);
        assert_eq!(read(Some("b"), &[], None).unwrap(), [""; 0]);
        let wrong: [(Option<&str>, &[&str], Option<&str>); 7] = [
            (None, &["b", "a"], None),
            (None, &["a", "a"], None),
            (Some("c"), &["a"], None),
            (None, &["a"], Some("z")),
            (None, &["a", "b"], Some("a")),
            (Some("a"), &[], Some("a")),
            (None, &["a", "b", "c", "d", "e", "f"], None),
        ];
        for (after, names, next) in wrong {
            assert_eq!(read(after, names, next), None, "{names:?}");
        }
    }

    #[test]
    fn what_is_no_name_is_left_out() {
        let names = ["", "..", ".hallway", "a/b", "c", "d\n"];
        let page = page(&names, None);
        let read = in_order(&FilePath::root(), None, 9, page).ok();
        // "" is not after nothing, so this order is good.
        let read = read.unwrap();
        assert_eq!(read.entries.len(), 1);
        let entry = &read.entries[0].entry;
        assert_eq!((entry.name.as_str(), entry.etag.as_ref()), ("c", None));
        assert_eq!(entry.modified_ms, LATEST_MS);
    }
}
