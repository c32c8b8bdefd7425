//! Errors as callers see them: RFC 9457 problem details.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
pub use hallway_api::Code;
use hallway_api::PROBLEM_JSON;
use hallway_evidence::causes;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::store::{MAX_KEYS, Role, StoreError, Transient};

/// An error answer: a status, a stable `code` for programs and a sentence for people.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The code, which has the HTTP status.
    pub code: Code,
    /// What happened, to what, what to do.
    pub detail: String,
    /// What happened, to which thing, and what to do.
    pub members: Map<String, Value>,
    /// The seconds after which to try again, if that helps: always with 429 and 503.
    pub retry_after: Option<u32>,
}

/// The seconds after which to try again, if no better number is known.
const RETRY_AFTER_SECONDS: u32 = 5;

#[derive(Serialize)]
struct Document {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(flatten)]
    problem: hallway_api::Problem,
}

impl Problem {
    /// A problem without further members.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            members: Map::new(),
            retry_after: matches!(code.status(), 429 | 503).then_some(RETRY_AFTER_SECONDS),
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// 400: the request can't be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Code::Malformed, detail)
    }

    /// 401: the caller is not signed in.
    pub fn unauthenticated() -> Self {
        Self::new(Code::SignIn, "sign in with your key first")
    }

    /// 403: the person's role is lower than `least`.
    pub fn role_needed(least: Role) -> Self {
        Self::new(
            Code::Role,
            format!("this needs the role {least}; ask an owner of this realm"),
        )
    }

    /// 404. Also for things that the caller may not know to exist.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {what}"))
    }

    /// 500. The cause goes to the log, not to the caller.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %causes(error), "a request failed");
        Self::new(
            Code::Internal,
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

    /// Adds a Retry-After header, if trying again helps.
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

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_transient() {
            return Self::new(Code::Busy, "the gateway is busy; try again");
        }
        if error.is_of_the_disk() {
            tracing::error!(%error, "the disk of the database is full, or fails");
            return Self::new(
                Code::NoSpace,
                "the gateway's disk takes nothing more, so nothing was changed; tell its operator, and try again",
            );
        }
        match error {
            StoreError::TooManyKeys(_) => Self::new(
                Code::TooManyKeys,
                format!(
                    "this person has {MAX_KEYS} keys, as many as a person may have; remove one first"
                ),
            ),
            StoreError::TooMany { .. } => Self::new(Code::TooManyKept, error.to_string()),
            error => Self::internal(&error),
        }
    }
}

impl Transient for Problem {
    fn is_transient(&self) -> bool {
        self.code == Code::Busy
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let document = Document {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            problem: hallway_api::Problem {
                members: self.members.clone(),
                ..hallway_api::Problem::new(self.code, self.detail.as_str())
            },
        };
        let mut response = (status, Json(document)).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        self.say_when(response.headers_mut());
        // For a browser the guard turns the problem into a page.
        response.extensions_mut().insert(self);
        response
    }
}
