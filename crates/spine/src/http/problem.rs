//! Errors as callers see them: RFC 9457 problem details.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hallway_evidence::causes;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::store::{MAX_KEYS, StoreError, Transient};

/// An error answer: a status, a stable `code` for programs and a sentence for people.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// Stable, lower case with hyphens, such as `out-of-order`.
    pub code: &'static str,
    /// What happened, to what, what to do.
    pub detail: String,
    /// Further members, such as `last_sequence`.
    pub members: Map<String, Value>,
    /// In how many seconds to try again, where that helps: always with 429 and 503.
    pub retry_after: Option<u32>,
}

/// When to try again, in seconds, where nothing more exact is known.
const SOON: u32 = 5;

#[derive(Serialize)]
struct Body {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: String,
    #[serde(flatten)]
    members: Map<String, Value>,
}

impl Problem {
    /// A problem without further members.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            members: Map::new(),
            retry_after: matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            )
            .then_some(SOON),
        }
    }

    /// 400: the request can't be understood.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// 401: nobody is signed in.
    pub fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "sign-in",
            "sign in with your key first",
        )
    }

    /// 403: whoever asks may not.
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 404. Also for what the caller may not know to exist.
    pub fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            format!("there is no such {what}"),
        )
    }

    /// 409: the state does not allow it.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 500. The cause goes to the log, not to the caller.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %causes(error), "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong in the gateway; its log says what",
        )
    }

    /// Says in how many seconds to try again.
    #[must_use]
    pub fn after(self, seconds: u32) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    /// Says in a head when to try again, where that helps.
    pub fn say_when(&self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
    }

    /// Adds a member to the answer.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }
}

/// The code of an error that goes away when the database has time again.
const BUSY: &str = "busy";

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_transient() {
            return Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                BUSY,
                "the gateway is busy; try again",
            );
        }
        if error.is_of_the_disk() {
            tracing::error!(%error, "the disk of the database is full, or fails");
            return Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "no-space",
                "the gateway's disk takes nothing more, so nothing was changed; tell its operator, and try again",
            );
        }
        match error {
            StoreError::TooManyKeys(_) => Self::conflict(
                "too-many-keys",
                format!(
                    "this person has {MAX_KEYS} keys, as many as a person may have; remove one first"
                ),
            ),
            StoreError::TooMany { .. } => Self::conflict("too-many", error.to_string()),
            error => Self::internal(&error),
        }
    }
}

impl Transient for Problem {
    fn is_transient(&self) -> bool {
        self.code == BUSY
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail.clone(),
            members: self.members.clone(),
        };
        let mut response = (self.status, Json(body)).into_response();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        self.say_when(response.headers_mut());
        // The guard turns it into a page where a person looks.
        response.extensions_mut().insert(self);
        response
    }
}
