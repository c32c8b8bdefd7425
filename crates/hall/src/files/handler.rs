//! Stores over HTTP: plain methods with conditions, ranges and checksums (RFC 9110, RFC 9530),
//! uploads that can be resumed, and WebDAV (RFC 4918). Locks are handled
//! [before it](super::locking).
//!
//! | request | right | |
//! |---|---|---|
//! | `GET`, `HEAD` file | read | `Range`, `If-Range`, `Want-Repr-Digest: sha-256` |
//! | `GET` folder | read | JSON list: `?after=NAME&most=N`, with dead properties `&properties` |
//! | `GET` file or folder `?entry` | read | one entry, as lists show it, JSON; `&properties` |
//! | `PROPFIND` | read | `Depth: 0` or `1`; of a file, any |
//! | `PROPPATCH` | write | |
//! | `PATCH` file or folder `?properties` | write | the same, [in JSON](crate::files::PropertyChange) |
//! | `PUT` file | write | `Repr-Digest`, `X-OC-Mtime` |
//! | `POST` folder | write | a [pack](crate::foreign::PACK) of small files |
//! | `POST` folder, JSON | read | [which files](crate::files::PackWanted) to send in a pack |
//! | `PATCH` file`?upload=ID` | write | `Upload-Offset: N`, `Upload-Complete: ?0` or `?1`; the last with the headers of `PUT` and `Upload-Length` |
//! | `HEAD`, `DELETE` file`?upload=ID` | write | its offset; throw it away |
//! | `MKCOL` | write | |
//! | `COPY` | read, write | `Destination`, `Overwrite: F`, `Depth: 0`, `X-OC-Mtime`; onto a folder, delete too |
//! | `MOVE` | write, delete | `Destination`, `Overwrite: F`, `X-OC-Mtime` |
//! | `DELETE` | delete | a folder goes with all that is in it |
//!
//! Every one of them but `OPTIONS` takes `If-Match`, `If-None-Match`, `If-Modified-Since`,
//! `If-Unmodified-Since` and `If`, about the file or folder that the request names
//! ([`Condition`](crate::files::Condition)).
//!
//! The headers of resumable uploads are those of draft-ietf-httpbis-resumable-upload. The upload is
//! named by its sender in the path's query, instead of by a `Location` in an interim answer, so
//! that a sender that was killed finds it again.

use std::sync::Arc;

use futures_util::StreamExt;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::uri::Authority;
use http::{HeaderMap, Request, Response, StatusCode};

use super::condition::Condition;
use super::patience::Patient;
use super::store::{ByteStream, Entry, Store, StoreError, UploadId};
use crate::body::{self, AnyBody, Body};
use crate::dav::methods::{CLASSES, CLASSES_WITH_LOCKS, METHODS, METHODS_WITH_LOCKS};
use crate::dav::path::FilePath;
use crate::files::locking::Here;
use crate::files::{StoreAccess, destination};
use crate::foreign::{self, Asked, Foreign};
use crate::pass::{Pass, Way};
use crate::problem::{Code, IntoResponse, Problem};

mod catalogue;
mod change;
mod headers;
mod pack;
mod properties;
mod read;
mod unpack;
mod upload;

pub(super) use catalogue::{Catalogue, Described, DescribedPage, Describing, condition};
pub(crate) use catalogue::{Discovery, NoLocks, Present, below};
pub(super) use headers::{depth, text};
pub(crate) use properties::collect;
pub(super) use properties::{Mounts, find, patch};
pub(super) use read::json;

/// A request, taken apart.
struct Call<'d> {
    discovery: &'d dyn Discovery,
    store: Arc<dyn Store>,
    access: StoreAccess,
    /// The path at which the store is mounted, without a slash at the end.
    mount: String,
    path: FilePath,
    /// Whether the path was written as that of a folder, with a slash at its end.
    names_folder: bool,
    query: Query,
    /// The server that the request asked.
    server: Option<Authority>,
    headers: HeaderMap,
}

/// `?after=`, `?most=`, `?upload=`, `?entry`, `?properties`, `?lock`, `?locks`.
#[derive(Default)]
pub(super) struct Query {
    after: Option<String>,
    most: Option<usize>,
    pub(super) upload: Option<String>,
    /// One entry is wanted, not what is in it.
    entry: bool,
    /// With its dead properties.
    pub(super) properties: bool,
    /// A lock is wanted.
    pub(super) lock: bool,
    /// The list of locks is wanted.
    pub(super) locks: bool,
}

/// Lists properties (RFC 4918, 9.1).
pub(crate) const PROPFIND: &str = "PROPFIND";
/// Changes properties (RFC 4918, 9.2).
pub(crate) const PROPPATCH: &str = "PROPPATCH";
/// Takes or refreshes a lock (RFC 4918, 9.10).
pub(crate) const LOCK: &str = "LOCK";
/// Gives a lock back (RFC 4918, 9.11).
pub(crate) const UNLOCK: &str = "UNLOCK";

type Answer = Result<Response<Body>, Problem>;

/// Answers a request for `store`, which is reached at `mount`, such as `/files/data`. The client
/// may do what `access` says; `pass` counts the bytes and can cut the transfer. Locks are kept
/// elsewhere or not at all.
pub async fn serve(
    store: Arc<dyn Store>,
    access: StoreAccess,
    mount: &str,
    pass: &Pass,
    request: Request<impl AnyBody>,
) -> Response<Body> {
    let here = Here {
        access,
        mount,
        pass,
    };
    serve_seeing(store, here, request, &NoLocks).await
}

/// Like [`serve`], where `discovery` tells which locks there are.
pub(crate) async fn serve_seeing(
    store: Arc<dyn Store>,
    here: Here<'_>,
    request: Request<impl AnyBody>,
    discovery: &dyn Discovery,
) -> Response<Body> {
    let Here {
        access,
        mount,
        pass,
    } = here;
    let asked = match Asked::of(&request) {
        Ok(asked) => asked,
        Err(problem) => return foreign::protected(problem.into_response()),
    };
    let (mut head, body) = request.into_parts();
    destination::name_server(&head.uri, &mut head.headers);
    let is_list = matches!(head.method.as_str(), PROPFIND | PROPPATCH);
    let answer = async {
        let below = head
            .uri
            .path()
            .strip_prefix(mount)
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
            .ok_or_else(|| not_found("store"))?;
        let path = FilePath::from_uri(below).map_err(malformed)?;
        let query = Query::parse(head.uri.query().unwrap_or_default())?;
        let call = Call {
            discovery,
            store,
            access,
            mount: mount.to_owned(),
            path,
            names_folder: names_folder(below),
            query,
            server: destination::asked(&head.uri, &head.headers),
            headers: head.headers,
        };
        let body = pass.over(body::boxed(body), Way::Received);
        call.answer(head.method.as_str(), body).await
    };
    let response = match answer.await {
        Err(problem) => foreign::protected(problem.into_response()),
        // All that it has of others was escaped here.
        Ok(list) if is_list => foreign::protected(list),
        Ok(answer) => Foreign::new(answer).release(&asked).await,
    };
    response.map(|body| pass.over(body, Way::Sent))
}

impl Call<'_> {
    async fn answer(self, method: &str, body: Body) -> Answer {
        let upload = match &self.query.upload {
            Some(name) => Some(UploadId::new(&self.path, name).map_err(malformed)?),
            None => None,
        };
        if let Some(upload) = upload {
            self.need(self.access.write, "write")?;
            return match method {
                "HEAD" => self.upload_offset(&upload).await,
                "PATCH" if self.names_folder => Err(folder_named()),
                "PATCH" => self.append(&upload, patient(body)).await,
                "DELETE" => self.abandon(&upload).await,
                _ => Err(not_allowed("HEAD, PATCH, DELETE")),
            };
        }
        match method {
            "OPTIONS" => Ok(options()),
            "GET" | "HEAD" => {
                self.need(self.access.read, "read")?;
                self.read(method == "HEAD").await
            }
            PROPFIND => {
                self.need(self.access.read, "read")?;
                let mounts = Mounts::same(&self.mount);
                let (store, discovery) = (self.store, self.discovery);
                find(store, discovery, mounts, self.path, &self.headers, body).await
            }
            PROPPATCH => {
                self.need(self.access.write, "write")?;
                let mounts = Mounts::same(&self.mount);
                patch(self.store, mounts, self.path, &self.headers, body).await
            }
            "PATCH" if self.query.properties => {
                self.need(self.access.write, "write")?;
                self.set_properties(patient(body)).await
            }
            "PUT" => {
                self.need(self.access.write, "write")?;
                if self.names_folder {
                    return Err(folder_named());
                }
                self.put(patient(body)).await
            }
            "POST" => {
                if is_json(&self.headers) {
                    self.need(self.access.read, "read")?;
                    return self.pack(patient(body)).await;
                }
                self.need(self.access.write, "write")?;
                self.unpack(patient(body)).await
            }
            "PATCH" => Err(malformed(
                "PATCH continues an upload: name it with ?upload=ID",
            )),
            "MKCOL" => {
                self.need(self.access.write, "write")?;
                self.make_folder(patient(body)).await
            }
            "COPY" => {
                self.need(self.access.read, "read")?;
                self.need(self.access.write, "write")?;
                self.copy().await
            }
            "MOVE" => {
                self.need(self.access.write, "write")?;
                self.need(self.access.delete, "delete")?;
                self.rename().await
            }
            "DELETE" => {
                self.need(self.access.delete, "delete")?;
                self.remove().await
            }
            _ => Err(not_allowed(METHODS)),
        }
    }

    /// What the request demands of its file or folder.
    async fn condition(&self) -> Result<Condition, Problem> {
        condition(&self.store, &self.mount, &self.path, &self.headers).await
    }

    /// What is there now.
    async fn present(&self) -> Result<Option<Entry>, StoreError> {
        match self.store.entry(&self.path).await {
            Ok(entry) => Ok(Some(entry)),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn need(&self, granted: bool, right: &str) -> Result<(), Problem> {
        need(granted, right, &self.mount)
    }
}

/// 403 unless the right on the store at `mount` is granted.
pub(super) fn need(granted: bool, right: &str, mount: &str) -> Result<(), Problem> {
    if granted {
        return Ok(());
    }
    let store = mount.rsplit('/').next().unwrap_or_default();
    Err(Problem::new(
        Code::NotGranted,
        format!("this grant does not have the right {right}:{store}: open the hall with it"),
    ))
}

/// Whether what is sent is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    matches!(text(headers, CONTENT_TYPE), Ok(Some("application/json")))
}

/// A body's bytes, unless they come too slowly.
fn patient(body: Body) -> ByteStream {
    Patient::new(body).boxed()
}

impl Query {
    pub(super) fn parse(query: &str) -> Result<Self, Problem> {
        let mut parsed = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "after" => {
                    let after = FilePath::from_uri(&value.replace('+', "%20"));
                    parsed.after = Some(after.map_err(malformed)?.to_string());
                }
                "most" => {
                    parsed.most = Some(value.parse().map_err(|_| malformed("most: not a number"))?);
                }
                "upload" => parsed.upload = Some(value.to_owned()),
                "entry" => parsed.entry = true,
                "properties" => parsed.properties = true,
                "lock" => parsed.lock = true,
                "locks" => parsed.locks = true,
                _ => {}
            }
        }
        Ok(parsed)
    }
}

/// An answer without a body.
fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = status;
    response
}

fn options() -> Response<Body> {
    options_of(CLASSES, METHODS)
}

/// The answer to `OPTIONS` where locks are kept.
pub(super) fn options_with_locks() -> Response<Body> {
    options_of(CLASSES_WITH_LOCKS, METHODS_WITH_LOCKS)
}

fn options_of(classes: &'static str, methods: &'static str) -> Response<Body> {
    let mut response = status(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert("dav", HeaderValue::from_static(classes));
    headers.insert(ALLOW, HeaderValue::from_static(methods));
    headers.insert("accept-ranges", HeaderValue::from_static("bytes"));
    response
}

pub(crate) fn malformed(reason: impl ToString) -> Problem {
    Problem::new(Code::Malformed, reason.to_string())
}

/// Whether a path of a URI ends with a slash, as those of folders do (RFC 4918, 5.2).
fn names_folder(path: &str) -> bool {
    path.ends_with('/')
}

/// 409 for a file whose path is written as that of a folder.
fn folder_named() -> Problem {
    Problem::new(
        Code::NamesAFolder,
        "a path that ends with a slash names a folder: name the file without the slash",
    )
}

fn not_found(what: &str) -> Problem {
    let detail = format!("there is no such {what}");
    Problem::new(Code::NotFound, detail)
}

pub(crate) fn not_allowed(methods: &str) -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        format!("the methods allowed here are {methods}"),
    )
}

#[cfg(test)]
mod tests;
