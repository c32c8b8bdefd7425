//! `PUT`, and uploads that can be resumed.

use http::header::{CONTENT_RANGE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

use super::{Answer, Call, headers, malformed, read, status};
use crate::body::Body;
use crate::files::store::{ByteStream, Entry, Kind, StoreError, UploadId, Written};
use crate::problem::{IntoResponse, Problem};

const UPLOAD_OFFSET: &str = "upload-offset";
const UPLOAD_COMPLETE: &str = "upload-complete";
const UPLOAD_LENGTH: &str = "upload-length";

impl Call<'_> {
    pub(super) async fn put(self, body: ByteStream) -> Answer {
        // RFC 9110, 14.5: a part must not pass for the whole.
        if self.headers.contains_key(CONTENT_RANGE) {
            return Err(malformed(
                "PUT takes a whole file: a part is sent with PATCH and ?upload=ID",
            ));
        }
        let plan = headers::plan(&self.headers, self.condition().await?)?;
        let keeps_time = plan.modified_ms;
        let written = self.store.put(&self.path, plan, body).await?;
        Ok(answer(&written, keeps_time))
    }

    pub(super) async fn upload_offset(self, upload: &UploadId) -> Answer {
        let offset = self.store.offset(upload).await?;
        self.check_upload().await?;
        Ok(progress(offset))
    }

    pub(super) async fn append(self, upload: &UploadId, body: ByteStream) -> Answer {
        let offset = headers::number(&self.headers, UPLOAD_OFFSET)?.ok_or_else(|| {
            malformed("Upload-Offset is missing: it says where in the file the body begins")
        })?;
        let complete = is_complete(&self.headers)?;
        let mut plan = headers::plan(&self.headers, self.condition().await?)?;
        // Also for a part that does not end the upload, so that a refusal does not come after a
        // gigabyte.
        plan.condition.check(self.present().await?.as_ref())?;
        plan.length = headers::number(&self.headers, UPLOAD_LENGTH)?;
        let keeps_time = plan.modified_ms;
        let reached = match self.store.append(upload, offset, body).await {
            Ok(reached) => reached,
            Err(error) => return mismatch(error),
        };
        if !complete {
            return Ok(progress(reached));
        }
        let written = self.store.finish(upload, &self.path, plan).await?;
        let mut response = answer(&written, keeps_time);
        let headers = response.headers_mut();
        headers.insert(UPLOAD_OFFSET, reached.into());
        headers.insert(UPLOAD_COMPLETE, HeaderValue::from_static("?1"));
        Ok(response)
    }

    pub(super) async fn abandon(self, upload: &UploadId) -> Answer {
        self.store.offset(upload).await?;
        self.check_upload().await?;
        self.store.abandon(upload).await?;
        Ok(status(StatusCode::NO_CONTENT))
    }

    /// Judges conditions about an upload, which is there and has neither a version nor a date.
    async fn check_upload(&self) -> Result<(), Problem> {
        let upload = Entry {
            name: self.path.name().to_owned(),
            kind: Kind::File,
            bytes: 0,
            modified_ms: None,
            etag: None,
        };
        Ok(self.condition().await?.check(Some(&upload))?)
    }
}

fn is_complete(headers: &HeaderMap) -> Result<bool, Problem> {
    match headers::text(headers, UPLOAD_COMPLETE)? {
        Some("?1") => Ok(true),
        Some("?0") => Ok(false),
        _ => Err(malformed(
            "Upload-Complete must say whether the file ends with this body: ?1 or ?0",
        )),
    }
}

/// 204 and the offset of the upload.
fn progress(offset: u64) -> Response<Body> {
    let mut response = status(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(UPLOAD_OFFSET, offset.into());
    headers.insert(UPLOAD_COMPLETE, HeaderValue::from_static("?0"));
    response
}

/// A wrong offset is answered with the right one.
fn mismatch(error: StoreError) -> Answer {
    let offset = match error {
        StoreError::Offset(offset) => Some(offset),
        _ => None,
    };
    let mut response = Problem::from(error).into_response();
    if let Some(offset) = offset {
        response.headers_mut().insert(UPLOAD_OFFSET, offset.into());
    }
    Ok(response)
}

/// 201 or 204, with what the file is now.
fn answer(written: &Written, keeps_time: Option<i64>) -> Response<Body> {
    let mut response = status(if written.replaced {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::CREATED
    });
    read::describe(&mut response, &written.entry);
    let headers = response.headers_mut();
    if let Some(value) = crate::dav::digest::value(&written.sha256) {
        headers.insert("repr-digest", value);
    }
    // As ownCloud answers, so that its clients know that the time was kept.
    if keeps_time.is_some() && keeps_time == written.entry.modified_ms {
        headers.insert("x-oc-mtime", HeaderValue::from_static("accepted"));
    }
    response
}
