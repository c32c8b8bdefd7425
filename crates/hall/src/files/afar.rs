//! Stores of other parties: an agent's, or one that another gateway reaches.
//!
//! Most requests are passed on as they are, and the answers come back as [`Foreign`]. Requests for
//! properties are not: a list in XML names addresses and can have processing instructions, so the
//! other side is asked for JSON, and the list is written here.

use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::handler::{
    Catalogue, Described, DescribedPage, Describing, Discovery, Mounts, PROPFIND, PROPPATCH,
    Present, find, patch,
};
use super::listed::{self, Listed};
use super::lock::ShownLock;
use super::locking::Made;
use super::property::PropertyChanges;
use super::store::{Entry, Page};
use crate::body::{self, Body};
use crate::dav::path::{FilePath, encode};
use crate::foreign::{self, Asked, Foreign, is_condition};
use crate::problem::{Code, IntoResponse, Problem};

/// How long the other side may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest list, in bytes.
const LONGEST_LIST_BYTES: usize = 4 * 1024 * 1024;
/// The longest list of locks, in bytes: all that there can be, each with the longest path and
/// owner.
const LONGEST_LOCKS_BYTES: usize = 16 * 1024 * 1024;

/// Sends requests to another party.
#[async_trait]
pub(crate) trait Sends: Send + Sync + 'static {
    /// Sends a request whose path is already that of the other side.
    ///
    /// # Errors
    /// There is no answer.
    async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Problem>;
}

/// A store of another party.
pub(crate) struct Afar<S> {
    /// Sends requests to the other party.
    pub(crate) sends: S,
    /// Where the store is mounted at the other party, such as `/files/data`.
    pub(crate) there: String,
    /// Where it is mounted here.
    pub(crate) mount: String,
}

impl<S: Sends> Afar<S> {
    /// Answers a request for the store's files: `asked` as it came, `request` with the head for the
    /// other side. `discovery` tells which locks there are.
    pub(crate) async fn answer(
        self,
        asked: &Asked,
        request: Request<Body>,
        discovery: &dyn Discovery,
    ) -> Response<Body> {
        if matches!(request.method().as_str(), PROPFIND | PROPPATCH) {
            let answered = self.about_properties(request, discovery).await;
            return foreign::protected(answered.unwrap_or_else(Problem::into_response));
        }
        match self.sends.send(request).await {
            Ok(response) => Foreign::new(response).release(asked).await,
            Err(problem) => foreign::protected(problem.into_response()),
        }
    }

    /// What is at `path` there.
    ///
    /// # Errors
    /// The other side does not say.
    pub(crate) async fn present(self, path: &FilePath) -> Result<Option<Entry>, Problem> {
        self.there().present(path).await
    }

    /// Makes an empty file at `path` there.
    ///
    /// # Errors
    /// The other side refuses.
    pub(crate) async fn make(self, path: &FilePath) -> Result<Made, Problem> {
        let uri = format!("{}/{}", self.there, path.to_uri());
        let request = Request::put(uri)
            .header(header::CONTENT_LENGTH, 0)
            .header(header::IF_NONE_MATCH, "*")
            .body(body::empty())
            .map_err(|_| unusable())?;
        let response = timeout(ANSWER_TIMEOUT, self.sends.send(request)).await;
        let response = response.map_err(|_| unusable())??;
        match response.status() {
            StatusCode::CREATED | StatusCode::NO_CONTENT => Ok(Made::New),
            StatusCode::PRECONDITION_FAILED => Ok(Made::ThereAlready),
            status if status.is_client_error() || status.is_server_error() => {
                Err(foreign::refused(status, response.into_body()).await)
            }
            _ => Err(unusable()),
        }
    }

    fn there(self) -> There<S> {
        There {
            sends: self.sends,
            root: self.there,
            listed: Listed::default(),
        }
    }

    async fn about_properties(
        self,
        request: Request<Body>,
        discovery: &dyn Discovery,
    ) -> Result<Response<Body>, Problem> {
        let (head, body) = request.into_parts();
        let below = head.uri.path().strip_prefix(self.there.as_str());
        let path = FilePath::from_uri(below.unwrap_or_default())
            .map_err(|error| Problem::new(Code::Malformed, error.to_string()))?;
        let (mount, named) = (self.mount.clone(), self.there.clone());
        let catalogue = self.there();
        let mounts = Mounts {
            here: &mount,
            named: &named,
        };
        if head.method.as_str() == PROPFIND {
            find(catalogue, discovery, mounts, path, &head.headers, body).await
        } else {
            patch(catalogue, mounts, path, &head.headers, body).await
        }
    }
}

/// What there is at another party, as it says. Names and numbers are checked, and the list has to
/// end.
struct There<S> {
    sends: S,
    root: String,
    listed: Listed,
}

impl<S: Sends> There<S> {
    /// An answer, and its length in bytes.
    async fn ask<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &FilePath,
        query: &str,
    ) -> Result<(T, usize), Problem> {
        let uri = format!("{}/{}?{query}", self.root, path.to_uri());
        let request = Request::get(uri).body(body::empty());
        let request = request.map_err(|_| unusable())?;
        json(&self.sends, request, LONGEST_LIST_BYTES).await
    }
}

/// The answer to a request, at most `longest` bytes of JSON, and its length.
async fn json<T: DeserializeOwned + Send + 'static>(
    sends: &impl Sends,
    request: Request<Body>,
    longest: usize,
) -> Result<(T, usize), Problem> {
    let asking = async {
        let response = sends.send(request).await?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(foreign::refused(status, response.into_body()).await);
        }
        let whole = Limited::new(response.into_body(), longest).collect();
        let whole = whole.await.map_err(|_| unusable())?.to_bytes();
        let bytes = whole.len();
        // Reading the XML of many properties takes a while.
        let read = spawn_blocking(move || serde_json::from_slice(&whole)).await;
        let answer = read.map_err(|_| unusable())?.map_err(|_| unusable())?;
        Ok((answer, bytes))
    };
    timeout(ANSWER_TIMEOUT, asking)
        .await
        .map_err(|_| unusable())?
}

/// The locks of a store that another gateway of ours or of a partner keeps.
pub(crate) struct LocksThere<S> {
    pub(crate) sends: S,
    /// Where the store is mounted there.
    pub(crate) there: String,
}

#[async_trait]
impl<S: Sends> Discovery for LocksThere<S> {
    async fn locks(&self, path: &FilePath) -> Result<Option<Vec<ShownLock>>, Problem> {
        let uri = format!("{}/{}?locks", self.there, path.to_uri());
        let request = Request::post(uri).body(body::empty());
        let request = request.map_err(|_| unusable())?;
        match json(&self.sends, request, LONGEST_LOCKS_BYTES).await {
            Ok((locks, _)) => Ok(Some(locks)),
            Err(problem) if problem.status == NO_LOCKS.as_u16() => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}

/// The status with which a gateway of a version without locks refuses a request about them: it
/// takes the request for a pack.
pub(crate) const NO_LOCKS: StatusCode = StatusCode::UNSUPPORTED_MEDIA_TYPE;

#[async_trait]
impl<S: Sends> Catalogue for There<S> {
    async fn described(&self, path: &FilePath, how: Describing) -> Result<Described, Problem> {
        let (described, _): (Described, usize) = self.ask(path, &query("entry", how)).await?;
        let Described { entry, properties } = described;
        // Its name is the one that was asked for.
        let name = path.name().to_owned();
        let entry = listed::plain(Entry { name, ..entry }).map_err(|_| unusable())?;
        Ok(Described { entry, properties })
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
        let page = self.ask(folder, &query).await?;
        usable(&self.listed, folder, after, most, page)
    }

    async fn set_properties(
        &self,
        _named: &str,
        path: &FilePath,
        asked: &HeaderMap,
        changes: PropertyChanges,
    ) -> Result<(), Problem> {
        let json = serde_json::to_vec(&changes).map_err(|_| unusable())?;
        let uri = format!("{}/{}?properties", self.root, path.to_uri());
        let request = Request::builder().method(Method::PATCH).uri(uri);
        let mut request = request.body(body::full(json)).map_err(|_| unusable())?;
        // The other side judges the conditions.
        for (name, value) in asked.iter().filter(|(name, _)| is_condition(name)) {
            request.headers_mut().append(name.clone(), value.clone());
        }
        let response = timeout(ANSWER_TIMEOUT, self.sends.send(request)).await;
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

/// Checks the part of a list that was asked for; `bytes` is the length of the answer. Names that no
/// file in `folder` can have are left out.
fn usable(
    listed: &Listed,
    folder: &FilePath,
    after: Option<&str>,
    most: usize,
    (page, bytes): (DescribedPage, usize),
) -> Result<DescribedPage, Problem> {
    if page.entries.len() > most {
        return Err(unusable());
    }
    let parts = page.entries.into_iter();
    let (entries, properties): (Vec<_>, Vec<_>) = parts
        .map(|described| (described.entry, described.properties))
        .unzip();
    let next = page.next;
    let page = listed
        .take(after, Page { entries, next }, bytes)
        .map_err(|_| unusable())?;
    let described = page.entries.into_iter().zip(properties);
    let nameable = described
        .filter(|(entry, _)| !entry.name.is_empty() && folder.join(&entry.name).is_ok())
        .map(|(entry, properties)| Described { entry, properties });
    Ok(DescribedPage {
        entries: nameable.collect(),
        next: page.next,
    })
}

fn unusable() -> Problem {
    foreign::unusable()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dav::date::LATEST_MS;
    use crate::files::{Kind, Properties};

    fn page(names: &[&str], next: Option<&str>) -> DescribedPage {
        let entry = |name: &&str| Described {
            entry: Entry {
                name: (*name).to_owned(),
                kind: Kind::File,
                bytes: 1,
                modified_ms: Some(i64::MAX),
                etag: Some("a\"><b".to_owned()),
            },
            properties: Properties::default(),
        };
        DescribedPage {
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
    fn invalid_names_are_left_out() {
        let names = ["", "..", ".hallway", "a/b", "c", "d\n"];
        let page = page(&names, None);
        // "" is not after nothing, so this order is good.
        let listed = Listed::default();
        let read = usable(&listed, &FilePath::root(), None, 9, (page, 1)).unwrap();
        assert_eq!(read.entries.len(), 1);
        let entry = &read.entries[0].entry;
        assert_eq!((entry.name.as_str(), entry.etag.as_ref()), ("c", None));
        assert_eq!(entry.modified_ms, Some(LATEST_MS));
    }
}
