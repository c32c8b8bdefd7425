//! A store at the far side, as requests.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallway_hall::client::{self, ANSWER, ClientError};
use hallway_hall::{Body, StoreName};
use http::header::{self, HeaderMap, HeaderName};
use http::{Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;
use serde::Deserialize;

use super::HallCommandError;
use super::mirror::plan::{Entry, FileEntry};
use super::path::RelativePath;
use super::way::Way;

/// How long an answer may take for which the far side has to go through content: to hash a long
/// file, or to put a long upload in its place.
pub(super) const WORK: Duration = Duration::from_secs(15 * 60);
/// The most entries that one folder may list.
const MOST_ENTRIES: usize = 1_000_000;
/// The longest name.
const LONGEST_NAME: usize = 1024;

const WANT_REPR_DIGEST: HeaderName = HeaderName::from_static("want-repr-digest");
const SHA_256: &str = "sha-256=1";
pub(super) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
/// The modification time of what is sent, seconds since 1970; the name is what WebDAV clients use.
pub(super) const MODIFIED: HeaderName = HeaderName::from_static("x-oc-mtime");
pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(super) const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");

/// A store, and the way to it.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    way: Way,
    store: StoreName,
}

/// Where the SHA-256 of a file that is got comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    /// The head of the answer.
    InHead,
    /// Another request.
    Elsewhere,
}

/// What has to be at the far side for a change of it: what was seen there, so that nobody's changes
/// are lost who came in between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Whatever it is.
    #[default]
    Anything,
    /// Nothing.
    Nothing,
    /// This version.
    Version(String),
}

impl Expected {
    /// What was seen.
    pub(crate) fn of(seen: Option<&Entry>) -> Self {
        match seen {
            // A folder that is in the way goes before.
            None | Some(Entry::Folder) => Self::Nothing,
            Some(Entry::File(file)) => Self::version(file.etag.as_deref()),
        }
    }

    fn version(etag: Option<&str>) -> Self {
        etag.map_or(Self::Anything, |etag| Self::Version(etag.to_owned()))
    }

    /// As it stands in `If-Match`.
    pub(crate) fn if_match(&self) -> Option<String> {
        match self {
            Self::Version(etag) => Some(format!("\"{etag}\"")),
            Self::Anything | Self::Nothing => None,
        }
    }

    /// As it stands in `If-None-Match`.
    pub(crate) fn if_none_match(&self) -> Option<&'static str> {
        (*self == Self::Nothing).then_some("*")
    }

    /// The request, with this as its condition.
    pub(super) fn ask(&self, mut request: request::Builder) -> request::Builder {
        if let Some(value) = self.if_match() {
            request = request.header(header::IF_MATCH, value);
        }
        if let Some(value) = self.if_none_match() {
            request = request.header(header::IF_NONE_MATCH, value);
        }
        request
    }
}

#[derive(Deserialize)]
struct Page {
    entries: Vec<Listed>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    kind: Kind,
    #[serde(default)]
    bytes: u64,
    /// 0 where the store does not know.
    #[serde(default)]
    modified_ms: u64,
    etag: Option<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    File,
    Folder,
}

impl Remote {
    pub(crate) fn new(way: Way, store: StoreName) -> Self {
        Self { way, store }
    }

    /// What is in a folder, by name; `None` is the root.
    ///
    /// # Errors
    /// It is no folder, or names something that can't be a file here.
    pub(crate) async fn list(
        &self,
        folder: Option<&RelativePath>,
    ) -> Result<Vec<(RelativePath, Entry)>, HallCommandError> {
        let mut entries = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut url = self.url(folder);
            if folder.is_some() {
                url.push('/');
            }
            if let Some(next) = &after {
                url.push_str("?after=");
                url.push_str(&super::path::encode(next));
            }
            let request = Request::get(url).header(header::ACCEPT, "application/json");
            let answer = self.send(request, Body::default(), ANSWER).await?;
            let page: Page = client::json(answer).await?;
            for listed in page.entries {
                let path = match folder {
                    Some(folder) => folder.child(&listed.name),
                    None => RelativePath::top(&listed.name),
                };
                let path = path
                    .filter(|_| listed.name.len() <= LONGEST_NAME)
                    .ok_or_else(|| HallCommandError::Name(listed.name.clone()))?;
                entries.push((path, listed.entry()));
            }
            if entries.len() > MOST_ENTRIES {
                let folder = folder.map(ToString::to_string).unwrap_or_default();
                return Err(HallCommandError::TooMany(folder, MOST_ENTRIES));
            }
            match page.next {
                Some(next) if Some(&next) != after.as_ref() => after = Some(next),
                _ => return Ok(entries),
            }
        }
    }

    /// What a path is; `None` where there is nothing.
    ///
    /// # Errors
    /// The far side refuses or can't be reached.
    pub(crate) async fn entry(
        &self,
        path: &RelativePath,
    ) -> Result<Option<Entry>, HallCommandError> {
        // A folder lists its children's kinds, which a HEAD does not tell.
        match self.list(path.parent().as_ref()).await {
            Ok(entries) => Ok(entries
                .into_iter()
                .find_map(|(other, entry)| (other == *path).then_some(entry))),
            Err(HallCommandError::Client(error)) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The content from `offset` on, if the version still is `etag`. With `Digest::InHead`, the
    /// answer does not begin before the far side has read all of the file.
    ///
    /// # Errors
    /// It is another by now (412), or the far side refuses or can't be reached.
    pub(crate) async fn get(
        &self,
        path: &RelativePath,
        offset: u64,
        etag: Option<&str>,
        digest: Digest,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut request = Expected::version(etag).ask(Request::get(self.url(Some(path))));
        if digest == Digest::InHead {
            request = request.header(WANT_REPR_DIGEST, SHA_256);
        }
        if offset > 0 {
            request = request.header(header::RANGE, format!("bytes={offset}-"));
        }
        self.send(request, Body::default(), WORK).await
    }

    /// The SHA-256 of a file, where the far side says it without sending the file, if the version
    /// still is `etag`.
    ///
    /// # Errors
    /// The far side refuses or can't be reached.
    pub(crate) async fn sha256(
        &self,
        path: &RelativePath,
        etag: Option<&str>,
    ) -> Result<Option<[u8; 32]>, ClientError> {
        let request = Expected::version(etag).ask(Request::head(self.url(Some(path))));
        let request = request.header(WANT_REPR_DIGEST, SHA_256);
        let response = self.send(request, Body::default(), WORK).await?;
        Ok(digest_of(response.headers()))
    }

    /// A request that changes a file, to be completed.
    pub(super) fn change(
        &self,
        method: Method,
        path: &RelativePath,
        query: &str,
    ) -> request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{query}", self.url(Some(path))))
    }

    /// A request about a folder, to be completed; `None` is the root.
    pub(super) fn change_in(
        &self,
        method: Method,
        folder: Option<&RelativePath>,
    ) -> request::Builder {
        let slash = if folder.is_some() { "/" } else { "" };
        Request::builder()
            .method(method)
            .uri(format!("{}{slash}", self.url(folder)))
    }

    /// Sends a request whose answer begins within `patience`.
    pub(super) async fn send(
        &self,
        request: request::Builder,
        body: Body,
        patience: Duration,
    ) -> Result<Response<Incoming>, ClientError> {
        let request = request
            .body(body)
            .map_err(|error| ClientError::Answer(error.to_string()))?;
        self.way.send(request, patience).await
    }

    /// Makes a folder; one that is there is left as it is.
    ///
    /// # Errors
    /// The far side refuses or can't be reached.
    pub(crate) async fn make_folder(&self, path: &RelativePath) -> Result<(), ClientError> {
        let method = Method::from_bytes(b"MKCOL").unwrap_or(Method::PUT);
        match self
            .send(self.change(method, path, "/"), Body::default(), ANSWER)
            .await
        {
            // RFC 4918, 9.3.1: something is there.
            Err(ClientError::Problem(problem))
                if problem.status == StatusCode::METHOD_NOT_ALLOWED.as_u16() =>
            {
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// Makes a folder, and those that it is in.
    ///
    /// # Errors
    /// The far side refuses or can't be reached.
    pub(crate) async fn make_folders(&self, path: &RelativePath) -> Result<(), ClientError> {
        let mut above = vec![path.clone()];
        while let Some(parent) = above.last().and_then(RelativePath::parent) {
            above.push(parent);
        }
        for folder in above.iter().rev() {
            self.make_folder(folder).await?;
        }
        Ok(())
    }

    /// Removes a file, or a folder with everything in it.
    ///
    /// # Errors
    /// It is not what was `expected` (412), or the far side refuses or can't be reached; what is gone already is no error.
    pub(crate) async fn remove(
        &self,
        path: &RelativePath,
        expected: &Expected,
    ) -> Result<(), ClientError> {
        let request = expected.ask(self.change(Method::DELETE, path, ""));
        match self.send(request, Body::default(), WORK).await {
            Err(error) if is_missing(&error) => Ok(()),
            other => other.map(drop),
        }
    }

    fn url(&self, path: Option<&RelativePath>) -> String {
        let path = path.map(RelativePath::encoded).unwrap_or_default();
        format!("/files/{}/{path}", self.store)
    }
}

impl Listed {
    fn entry(&self) -> Entry {
        if self.kind == Kind::Folder {
            return Entry::Folder;
        }
        Entry::File(FileEntry {
            bytes: self.bytes,
            modified_ms: Some(self.modified_ms).filter(|ms| *ms > 0),
            etag: self.etag.clone(),
        })
    }
}

/// Whether there is nothing there.
pub(super) fn is_missing(error: &ClientError) -> bool {
    matches!(error, ClientError::Problem(problem) if problem.status == 404)
}

/// Whether what is there is not what was expected.
pub(super) fn is_changed(error: &ClientError) -> bool {
    matches!(error, ClientError::Problem(problem) if problem.status == 412)
}

/// The SHA-256 of the whole file (RFC 9530), if the answer has one.
pub(super) fn digest_of(headers: &HeaderMap) -> Option<[u8; 32]> {
    let value = headers.get(REPR_DIGEST)?.to_str().ok()?;
    value.split(',').find_map(|item| {
        let inner = item.trim().strip_prefix("sha-256=:")?.strip_suffix(':')?;
        STANDARD.decode(inner).ok()?.try_into().ok()
    })
}

/// A SHA-256 as the header wants it.
pub(super) fn digest_header(sha256: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(sha256))
}

/// A modification time as the header wants it.
pub(super) fn modified_header(modified_ms: u64) -> String {
    format!("{}.{:03}", modified_ms / 1000, modified_ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_the_condition() {
        let file = |etag: Option<&str>| {
            let etag = etag.map(str::to_owned);
            Entry::File(FileEntry {
                etag,
                ..FileEntry::default()
            })
        };
        for (seen, if_match, if_none_match) in [
            (None, None, Some("*")),
            (Some(Entry::Folder), None, Some("*")),
            (Some(file(Some("a"))), Some("\"a\""), None),
            (Some(file(None)), None, None),
        ] {
            let request = Expected::of(seen.as_ref()).ask(Request::put("/"));
            let request = request.body(()).unwrap();
            let header = |name| {
                request
                    .headers()
                    .get(name)
                    .map(|value| value.to_str().unwrap())
            };
            assert_eq!(header(header::IF_MATCH), if_match);
            assert_eq!(header(header::IF_NONE_MATCH), if_none_match);
        }
    }

    #[test]
    fn digests_are_read_as_they_are_written() {
        let mut headers = HeaderMap::new();
        assert_eq!(digest_of(&headers), None);
        let both = format!("sha-512=:AAAA:, {}", digest_header(&[7; 32]));
        headers.insert(REPR_DIGEST, both.parse().unwrap());
        assert_eq!(digest_of(&headers), Some([7; 32]));
        headers.insert(REPR_DIGEST, "sha-256=:AAAA:".parse().unwrap());
        assert_eq!(digest_of(&headers), None, "too short");
        assert_eq!(modified_header(1_700_000_000_007), "1700000000.007");
    }
}
