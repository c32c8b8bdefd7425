//! `GET` and `HEAD`.

use aws_lc_rs::digest;
use futures_util::TryStreamExt;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED,
};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::headers::{self, Part, Verdict};
use super::{Answer, Call, status};
use crate::body::{self, Body};
use crate::files::store::{Entry, Kind, OpenFile, Sha256, StoreError};
use crate::foreign::MediaType;
use crate::problem::Problem;

/// The most entries in one page of a list.
const MOST: usize = 1000;

impl Call {
    pub(super) async fn read(self, head_only: bool) -> Answer {
        let entry = self.store.entry(&self.path).await?;
        if self.query.entry {
            return json(&entry, head_only);
        }
        if entry.kind == Kind::Folder {
            return self.list(head_only).await;
        }
        let file = self.store.open(&self.path).await?;
        let entry = file.entry().clone();
        let etag = entry.etag.as_deref().unwrap_or_default();
        match headers::read_condition(&self.headers, etag)? {
            Verdict::Proceed => {}
            Verdict::Failed => return Err(StoreError::Precondition.into()),
            Verdict::NotModified => {
                let mut response = status(StatusCode::NOT_MODIFIED);
                describe(&mut response, &entry);
                return Ok(response);
            }
        }
        let part = headers::part(&self.headers, &entry)?;
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
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    "no-such-range",
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
        if let Some(value) = digest.as_ref().and_then(headers::digest_value) {
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

    async fn list(self, head_only: bool) -> Answer {
        let most = self.query.most.unwrap_or(MOST).clamp(1, MOST);
        let after = self.query.after.as_deref();
        let page = self.store.list(&self.path, after, most).await?;
        json(&page, head_only)
    }
}

fn json(value: &impl serde::Serialize, head_only: bool) -> Answer {
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
    let date = headers::http_date(entry.modified_ms);
    if let Some(value) = date.and_then(|date| HeaderValue::try_from(date).ok()) {
        headers.insert(LAST_MODIFIED, value);
    }
}

fn content_range(response: &mut Response<Body>, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
}
