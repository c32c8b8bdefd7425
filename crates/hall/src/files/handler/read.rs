//! `GET` and `HEAD`.

use aws_lc_rs::digest;
use futures_util::TryStreamExt;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED,
};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::catalogue::{Catalogue, Describing};
use super::headers::{self, Part};
use super::{Answer, Call, status};
use crate::body::{self, Body};
use crate::dav::date::http_date;
use crate::files::condition::Verdict;
use crate::files::store::{Entry, Kind, OpenFile, Sha256, StoreError};
use crate::foreign::MediaType;
use crate::problem::{Code, IntoResponse, Problem};

/// The most entries in one page of a list.
const MOST_ENTRIES: usize = 1000;

impl Call<'_> {
    pub(super) async fn read(self, head_only: bool) -> Answer {
        let entry = self.store.entry(&self.path).await?;
        let condition = self.condition().await?;
        if self.query.entry || entry.kind == Kind::Folder {
            return match condition.of_read(&entry) {
                Verdict::Failed => Err(StoreError::Precondition.into()),
                // The date of a folder does not count for its list: files in it change without it.
                Verdict::NotModified if condition.names_versions() => Ok(not_modified(&entry)),
                _ if self.query.entry => self.describe(head_only).await,
                _ => self.list(head_only).await,
            };
        }
        let file = self.store.open(&self.path).await?;
        let entry = file.entry().clone();
        match condition.of_read(&entry) {
            Verdict::Proceed => {}
            Verdict::Failed => return Err(StoreError::Precondition.into()),
            Verdict::NotModified => return Ok(not_modified(&entry)),
        }
        // A range is for GET alone (RFC 9110, 14.2).
        let part = if head_only {
            Part::Whole
        } else {
            headers::part(&self.headers, &entry)?
        };
        let digest = if headers::wants_digest(&self.headers)? {
            self.digest(&entry).await?
        } else {
            None
        };
        let (code, range) = match part {
            Part::Whole => (StatusCode::OK, 0..entry.bytes),
            Part::Bytes(range) => (StatusCode::PARTIAL_CONTENT, range),
            Part::Unsatisfiable => {
                let mut response = Problem::new(
                    Code::NoSuchRange,
                    format!("the file has {} bytes", entry.bytes),
                )
                .into_response();
                content_range(&mut response, &format!("bytes */{}", entry.bytes));
                return Ok(response);
            }
        };
        let mut response = status(code);
        describe(&mut response, &entry);
        if code == StatusCode::PARTIAL_CONTENT {
            let value = format!("bytes {}-{}/{}", range.start, range.end - 1, entry.bytes);
            content_range(&mut response, &value);
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, (range.end - range.start).into());
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static(MediaType::of_name(&entry.name).as_str()),
        );
        if let Some(value) = digest.as_ref().and_then(crate::dav::digest::value) {
            headers.insert("repr-digest", value);
        }
        if !head_only {
            *response.body_mut() = stream(file, range);
        }
        Ok(response)
    }

    /// The SHA-256 of the file, if it is still the same file.
    async fn digest(&self, entry: &Entry) -> Result<Option<Sha256>, Problem> {
        let file = self.store.open(&self.path).await?;
        if file.entry().etag != entry.etag {
            return Ok(None);
        }
        let mut context = digest::Context::new(&digest::SHA256);
        let mut chunks = file.read(0..entry.bytes);
        while let Some(chunk) = chunks.try_next().await.map_err(StoreError::from)? {
            context.update(&chunk);
        }
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(context.finish().as_ref());
        Ok(Some(sha256))
    }

    fn describing(&self) -> Describing {
        if self.query.properties {
            Describing::Fully
        } else {
            Describing::Briefly
        }
    }

    async fn describe(self, head_only: bool) -> Answer {
        let how = self.describing();
        json(&self.store.described(&self.path, how).await?, head_only)
    }

    async fn list(self, head_only: bool) -> Answer {
        let most = self
            .query
            .most
            .unwrap_or(MOST_ENTRIES)
            .clamp(1, MOST_ENTRIES);
        let (after, how) = (self.query.after.as_deref(), self.describing());
        let page = self.store.described_in(&self.path, after, most, how);
        json(&page.await?, head_only)
    }
}

fn not_modified(entry: &Entry) -> Response<Body> {
    let mut response = status(StatusCode::NOT_MODIFIED);
    describe(&mut response, entry);
    response
}

/// An answer in JSON, to `HEAD` without its content.
pub(in crate::files) fn json(value: &impl serde::Serialize, head_only: bool) -> Answer {
    let json = serde_json::to_vec(value).map_err(|error| StoreError::Failed(error.to_string()))?;
    let mut response = status(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, json.len().into());
    if !head_only {
        *response.body_mut() = body::full(json);
    }
    Ok(response)
}

fn stream(file: Box<dyn OpenFile>, range: std::ops::Range<u64>) -> Body {
    StreamBody::new(file.read(range).map_ok(Frame::data)).boxed_unsync()
}

/// `ETag`, `Last-Modified`, `Accept-Ranges`.
pub(super) fn describe(response: &mut Response<Body>, entry: &Entry) {
    let headers = response.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(value) = headers::etag_value(entry) {
        headers.insert(ETAG, value);
    }
    let date = entry.modified_ms.and_then(http_date);
    if let Some(value) = date.and_then(|date| HeaderValue::try_from(date).ok()) {
        headers.insert(LAST_MODIFIED, value);
    }
}

fn content_range(response: &mut Response<Body>, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
}
