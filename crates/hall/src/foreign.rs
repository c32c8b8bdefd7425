//! Answers and files of other parties, and the one way in which they leave under our own name.
//!
//! A file, whether it lies in a folder, in a bucket, behind an agent or at a partner, is bytes that
//! somebody else chose. Under the gateway's origin they must never become a page, a script, a
//! redirection or a demand for a password: otherwise their author could act as the person who looks
//! at them. So an answer of another party is a [`Foreign`], which no server can send.
//! [`Foreign::release`] makes a fresh answer of it: a status that files can have, headers of a
//! short list whose values were read and written again, our own policy, and content without trailer
//! fields (RFC 9110, 6.5). Bytes that are kept here leave as [`Content`]. Both need the request as
//! [`Asked`], which can't be made where a browser would make the bytes part of a page.

use std::io;

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;

use crate::body::{self, AnyBody, Body};
use crate::problem::{Code, IntoResponse, Problem};

mod asked;
mod content;
mod data;
mod head;
mod media_type;
mod refusal;

pub(crate) use asked::passed_on;
pub use asked::{Asked, is_condition, may_be_sent};
pub use content::{Content, kept_as};
use data::DataOnly;
pub use media_type::{MediaType, PACK};
pub use refusal::said;
pub(crate) use refusal::{read as refused, told};

/// What a browser may do with the bytes: show them, and nothing else.
const POLICY: &str = "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// The headers that every answer with others' bytes carries.
const OURS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// An answer of another party. There is no way to its head or its content but [`Foreign::release`].
#[must_use = "an answer that is not released is lost"]
pub struct Foreign<B>(Response<B>);

impl<B: AnyBody> Foreign<B> {
    /// Takes an answer in, as it came.
    pub(crate) fn new(response: Response<B>) -> Self {
        Self(response)
    }

    /// The answer as it may leave: to the request `asked`, and under our name.
    pub async fn release(self, asked: &Asked) -> Response<Body> {
        let (foreign, body) = self.0.into_parts();
        let status = foreign.status;
        if status.is_client_error() || status.is_server_error() {
            let problem = refusal::read(status, body).await;
            let mut response = problem.into_response();
            head::of_refusal(status, &foreign.headers, response.headers_mut());
            return protected(response);
        }
        if !head::may_answer(status, asked) {
            return protected(unusable().into_response());
        }
        let length = body.size_hint().exact();
        let Some(headers) = head::remade(status, &foreign.headers, length, asked) else {
            return protected(unusable().into_response());
        };
        let content = match status {
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => body::empty(),
            _ => DataOnly::new(body).map_err(io::Error::other).boxed_unsync(),
        };
        let mut response = Response::new(content);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        protected(response)
    }
}

/// The refusal for an answer that breaks the rules.
pub(crate) fn unusable() -> Problem {
    Problem::new(
        Code::Unusable,
        "the other side gave an answer that cannot be used",
    )
}

/// An answer that we made ourselves about others' files, such as a list or a refusal, with the same
/// headers as their content.
pub fn protected<B>(mut response: Response<B>) -> Response<B> {
    protect(response.headers_mut());
    response
}

/// Sets the headers that every answer with others' bytes carries, and replaces those that are
/// there.
pub(crate) fn protect(headers: &mut HeaderMap) {
    for (name, value) in OURS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("private, no-cache"));
}

#[cfg(test)]
mod tests;
