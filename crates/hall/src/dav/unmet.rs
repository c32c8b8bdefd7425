//! The conditions about locks that a request did not meet (RFC 4918, 16).

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response};

use super::path::FilePath;
use crate::body::Body;
use crate::problem::{IntoResponse, Problem};

/// Conditions about locks (16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precondition {
    /// The token of a lock has to come with the request.
    TokenSubmitted,
    /// No other lock may be in the way of a new one.
    NoConflict,
    /// The token has to be that of a lock on what the request is about.
    TokenMatches,
}

impl Precondition {
    const ALL: [Self; 3] = [Self::TokenSubmitted, Self::NoConflict, Self::TokenMatches];

    /// The name of its element.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::TokenSubmitted => "lock-token-submitted",
            Self::NoConflict => "no-conflicting-lock",
            Self::TokenMatches => "lock-token-matches-request-uri",
        }
    }
}

/// A condition that was not met, and the path of the lock that it is about. Our own servers send it
/// to each other in a header of their problems, so that each writes the XML itself, with its own
/// addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unmet {
    pub(crate) code: Precondition,
    pub(crate) path: FilePath,
}

impl Unmet {
    pub(crate) const HEADER: HeaderName = HeaderName::from_static("dav-unmet");

    /// The token of a lock on `path` has to come with the request.
    pub(crate) fn submit(path: &FilePath) -> Self {
        Self {
            code: Precondition::TokenSubmitted,
            path: path.clone(),
        }
    }

    /// Reads it from `headers`; `None` if it is missing or malformed.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let said = headers.get(Self::HEADER)?.to_str().ok()?;
        let (code, path) = said.split_once(' ')?;
        Some(Self {
            code: Precondition::ALL
                .into_iter()
                .find(|known| known.as_str() == code)?,
            path: FilePath::from_uri(path).ok()?,
        })
    }

    /// The header's value.
    pub(crate) fn value(&self) -> Option<HeaderValue> {
        let said = format!("{} /{}", self.code.as_str(), self.path.to_uri());
        HeaderValue::try_from(said).ok()
    }

    /// The refusal `problem`, with this condition in its header.
    pub(crate) fn refuse(&self, problem: Problem) -> Response<Body> {
        let mut response = problem.into_response();
        if let Some(value) = self.value() {
            response.headers_mut().insert(Self::HEADER, value);
        }
        response
    }
}
