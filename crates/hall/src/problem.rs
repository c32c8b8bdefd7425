//! Errors as callers see them: RFC 9457 problem details.

use hallway_evidence::Printable;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::body::{self, Body};

/// An error answer: a status, a stable code for programs and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// Stable, lower case with hyphens, such as `not-granted`.
    #[serde(default)]
    pub code: String,
    /// What happened, to what, what to do.
    #[serde(default)]
    pub detail: String,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(flatten)]
    problem: &'a Problem,
}

impl Problem {
    /// A problem with these members.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
        }
    }

    /// As an HTTP answer.
    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let document = Document {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            problem: &self,
        };
        // Numbers and texts always become JSON.
        let json = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(body::full(json));
        *response.status_mut() = status;
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        response
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (detail, code) = (Printable(&self.detail), Printable(&self.code));
        write!(f, "{detail} ({}, {code})", self.status)
    }
}

impl std::error::Error for Problem {}
