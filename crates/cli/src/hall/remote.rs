//! Requests to a store at the far side.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallway_hall::client::{self, ANSWER, ClientError};
use hallway_hall::files::{self, Kind, LONGEST_PATH_BYTES, LONGEST_SEGMENT_BYTES, Listed, Page};
use hallway_hall::{Body, StoreName};
use http::header::{self, HeaderMap, HeaderName};
use http::{Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;

use super::HallCommandError;
use super::mirror::plan::{Entry, FileEntry};
use super::path::RelativePath;
use super::way::Way;

/// How long an answer may take if the far side has to read through content first: to hash a long
/// file, or to put a long upload in its place.
pub(super) const WORK_TIMEOUT: Duration = Duration::from_secs(15 * 60);

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

/// Where the SHA-256 of a downloaded file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    /// The head of the answer.
    InHead,
    /// Another request.
    Elsewhere,
}

/// What has to be at the far side for a change to happen: what was seen there, so that nobody
/// else's change in between is lost.
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
    /// Expects what was seen.
    pub(crate) fn of(seen: Option<&Entry>) -> Self {
        match seen {
            // A folder that is in the way is removed first.
            None | Some(Entry::Folder) => Self::Nothing,
            Some(Entry::File(file)) => Self::version(file.etag.as_deref()),
        }
    }

    fn version(etag: Option<&str>) -> Self {
        etag.map_or(Self::Anything, |etag| Self::Version(etag.to_owned()))
    }

    /// The value of `If-Match`, if there is one.
    pub(crate) fn if_match(&self) -> Option<String> {
        match self {
            Self::Version(etag) => Some(format!("\"{etag}\"")),
            Self::Anything | Self::Nothing => None,
        }
    }

    /// The value of `If-None-Match`, if there is one.
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

impl Remote {
    pub(crate) fn new(way: Way, store: StoreName) -> Self {
        Self { way, store }
    }

    /// What is in a folder, by name; `None` is the root.
    ///
    /// # Errors
    /// It is not a folder, or its list names something that can't be a file here or has no end.
    pub(crate) async fn list(
        &self,
        folder: Option<&RelativePath>,
    ) -> Result<Vec<(RelativePath, Entry)>, HallCommandError> {
        self.list_with(folder, &Listed::default()).await
    }

    /// As [`Remote::list`], for one of many folders, whose limits `listed` shares.
    ///
    /// # Errors
    /// As [`Remote::list`].
    pub(crate) async fn list_with(
        &self,
        folder: Option<&RelativePath>,
        listed: &Listed,
    ) -> Result<Vec<(RelativePath, Entry)>, HallCommandError> {
        // Each entry holds the path to it.
        let path_to = folder.map_or(0, RelativePath::weight);
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
            let (page, bytes): (Page, usize) = client::sized_json(answer).await?;
            let bytes = bytes.saturating_add(page.entries.len().saturating_mul(path_to));
            let page = listed
                .take(after.as_deref(), page, bytes)
                .map_err(|error| {
                    let folder = self.called(folder);
                    HallCommandError::List { folder, error }
                })?;
            for entry in page.entries {
                let path = match folder {
                    Some(folder) => folder.child(&entry.name),
                    None => RelativePath::top(&entry.name),
                };
                let path = path
                    .filter(|_| entry.name.len() <= LONGEST_SEGMENT_BYTES)
                    .ok_or_else(|| HallCommandError::Name(shortened(&entry.name)))?;
                if path.len() > LONGEST_PATH_BYTES {
                    return Err(HallCommandError::Deep(self.called(folder)));
                }
                entries.push((path, found(entry)));
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(entries),
            }
        }
    }

    /// The entry at a path; `None` if there is none.
    ///
    /// # Errors
    /// The far side refuses or can't be reached.
    pub(crate) async fn entry(
        &self,
        path: &RelativePath,
    ) -> Result<Option<Entry>, HallCommandError> {
        // A folder's list has the kinds of its entries, which a HEAD does not tell.
        match self.list(path.parent().as_ref()).await {
            Ok(entries) => Ok(entries
                .into_iter()
                .find_map(|(other, entry)| (other == *path).then_some(entry))),
            Err(HallCommandError::Client(error)) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The content from `offset` on, if the version is still `etag`. With `Digest::InHead`, the
    /// answer does not begin before the far side has read all of the file.
    ///
    /// # Errors
    /// The version is another one by now (412), or the far side refuses or can't be reached.
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
        self.send(request, Body::default(), WORK_TIMEOUT).await
    }

    /// The SHA-256 of a file, if its version is still `etag` and the far side tells the SHA-256
    /// without sending the file.
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
        let response = self.send(request, Body::default(), WORK_TIMEOUT).await?;
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
            .map_err(|_| ClientError::Answer("it names an impossible version".to_owned()))?;
        self.way.send(request, patience).await
    }

    /// Makes a folder; an existing one is left as it is.
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

    /// Makes a folder, and its parents.
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
    /// It is not what was `expected` (412), or the far side refuses or can't be reached. That it is
    /// gone already is no error.
    pub(crate) async fn remove(
        &self,
        path: &RelativePath,
        expected: &Expected,
    ) -> Result<(), ClientError> {
        let request = expected.ask(self.change(Method::DELETE, path, ""));
        match self.send(request, Body::default(), WORK_TIMEOUT).await {
            Err(error) if is_missing(&error) => Ok(()),
            other => other.map(drop),
        }
    }

    /// A folder's name for people, with its store.
    fn called(&self, folder: Option<&RelativePath>) -> String {
        match folder {
            Some(folder) => format!("{}/{folder}", self.store),
            None => self.store.to_string(),
        }
    }

    fn url(&self, path: Option<&RelativePath>) -> String {
        let path = path.map(RelativePath::encoded).unwrap_or_default();
        format!("/files/{}/{path}", self.store)
    }
}

/// As much of a name as is worth showing.
fn shortened(name: &str) -> String {
    name.chars().take(LONGEST_SEGMENT_BYTES).collect()
}

/// What copies need of a store's entry.
fn found(listed: files::Entry) -> Entry {
    if listed.kind == Kind::Folder {
        return Entry::Folder;
    }
    Entry::File(FileEntry {
        bytes: listed.bytes,
        modified_ms: listed.modified_ms,
        etag: listed.etag,
    })
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

/// A SHA-256 as the value of [`REPR_DIGEST`].
pub(super) fn digest_header(sha256: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(sha256))
}

/// A modification time as the value of [`MODIFIED`].
pub(super) fn modified_header(modified_ms: i64) -> String {
    let sign = if modified_ms < 0 { "-" } else { "" };
    let distance = modified_ms.unsigned_abs();
    format!("{sign}{}.{:03}", distance / 1000, distance % 1000)
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use hallway_hall::files::ListError;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::UnixListener;

    use super::*;

    /// A far side that answers each path with the list that `page` makes for it.
    pub(in crate::hall) fn far_side(
        folder: &Path,
        page: impl Fn(&str) -> String + Send + 'static,
    ) -> Remote {
        let socket = folder.join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                let body = page(line.split(' ').nth(1).unwrap());
                while !line.trim_end().is_empty() {
                    line.clear();
                    stream.read_line(&mut line).await.unwrap();
                }
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                let answer = head + &body;
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Remote::new(Way::Shared(socket), "data".parse().unwrap())
    }

    fn file(name: &str, bytes: u64) -> String {
        format!(r#"{{"name":"{name}","kind":"file","bytes":{bytes},"modified_ms":7,"etag":"e"}}"#)
    }

    fn page(entries: &[String], next: &str) -> String {
        format!(r#"{{"entries":[{}],"next":{next}}}"#, entries.join(","))
    }

    async fn refusal(page: impl Fn(&str) -> String + Send + 'static) -> HallCommandError {
        let folder = tempfile::tempdir().unwrap();
        let listed = far_side(folder.path(), page).list(None).await;
        listed.unwrap_err()
    }

    #[tokio::test]
    async fn a_folder_is_listed_page_by_page() {
        let folder = tempfile::tempdir().unwrap();
        let remote = far_side(folder.path(), |asked| match asked {
            "/files/data/" => page(&[file("a", 1), file("b", 2)], r#""b""#),
            "/files/data/?after=b" => page(&[file("c", i64::MAX.unsigned_abs())], "null"),
            other => panic!("{other}"),
        });
        let listed = remote.list(None).await.unwrap();
        let bytes = |entry: &Entry| match entry {
            Entry::File(file) => file.bytes,
            Entry::Folder => panic!("no folder"),
        };
        let listed: Vec<_> = listed
            .iter()
            .map(|(path, entry)| (path.to_string(), bytes(entry)))
            .collect();
        let expected = [("a", 1), ("b", 2), ("c", i64::MAX.unsigned_abs())];
        assert_eq!(
            listed,
            expected.map(|(name, bytes)| (name.to_owned(), bytes))
        );
    }

    #[tokio::test]
    async fn a_list_that_cannot_be_one_ends_at_once() {
        let pages = [
            (page(&[], r#""n""#), ListError::Next),
            (page(&[file("a", 1)], r#""b""#), ListError::Next),
            (
                page(&[file("b", 1), file("a", 1)], "null"),
                ListError::Order,
            ),
            (
                page(&[file("a", 1 << 63)], "null"),
                ListError::Length(1 << 63),
            ),
        ];
        for (told, wrong) in pages {
            let refused = refusal(move |_| told.clone()).await;
            assert!(
                matches!(&refused, HallCommandError::List { folder, error } if folder == "data" && *error == wrong),
                "{refused}"
            );
        }
        // A page that repeats does not come after itself.
        let again = refusal(|_| page(&[file("a", 1)], r#""a""#)).await;
        let order = ListError::Order;
        assert!(matches!(again, HallCommandError::List { error, .. } if error == order));
    }

    #[tokio::test]
    async fn a_name_that_is_none_is_refused_and_not_told_at_length() {
        for name in ["..".to_owned(), "a/b".to_owned(), "x".repeat(1_000_000)] {
            let listed = page(&[file(&name, 1)], "null");
            let refused = refusal(move |_| listed.clone()).await;
            let told = refused.to_string();
            assert!(matches!(refused, HallCommandError::Name(_)), "{told}");
            assert!(told.len() < 400, "{}", told.len());
        }
    }

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
        assert_eq!(modified_header(0), "0.000");
        assert_eq!(modified_header(-1), "-0.001");
        assert_eq!(modified_header(-86_400_500), "-86400.500");
    }
}
