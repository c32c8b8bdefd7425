//! One id for each request: in the header `X-Request-Id` of its answer, and in each line that the
//! gateway logs while it handles the request.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{Instrument, info_span};

use super::problem::Problem;
use crate::operator_key::random_bytes;

/// The header of an answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives a request its id, 128 random bits in hexadecimal. An id that the client sent does not
/// count: it could be that of another request, or anything else.
///
/// The span names the route and not the path, which may have secrets.
pub async fn identify(request: Request, next: Next) -> Response {
    let id = match random_bytes::<16>() {
        Ok(bytes) => hex::encode(bytes.as_slice()),
        Err(error) => return Problem::internal(&error).into_response(),
    };
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", MatchedPath::as_str);
    let span = info_span!("request", id = id.as_str(), method = %request.method(), route);
    let mut response = next.run(request).instrument(span).await;
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
