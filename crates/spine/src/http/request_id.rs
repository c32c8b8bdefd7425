//! One id for each request: in the header `X-Request-Id` of its answer, and in each line that the
//! gateway logs while it handles the request.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{Instrument, debug, info_span};

use super::method;
use super::problem::Problem;
use crate::operator_key::random_bytes;

/// The header of an answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives a request its id, 128 random bits in hexadecimal. An id that the client sent does not
/// count: it could be that of another request, or anything else.
///
/// The span names the route and not the path, which may have secrets. At the level `debug`, each
/// request has a line of its own when the head of its answer is ready.
pub async fn identify(request: Request, next: Next) -> Response {
    let id = match random_bytes::<16>() {
        Ok(bytes) => hex::encode(bytes.as_slice()),
        Err(error) => return Problem::internal(&error).into_response(),
    };
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", MatchedPath::as_str);
    let method = method::name(request.method());
    let span = info_span!("request", id = id.as_str(), method, route);
    let answering = async {
        let begun = Instant::now();
        let response = next.run(request).await;
        debug!(status = response.status().as_u16(), took = ?begun.elapsed(), "answered");
        response
    };
    let mut response = answering.instrument(span).await;
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn each_request_has_an_id_of_its_own_and_one_that_a_client_sent_does_not_count() {
        let router: Router = Router::new()
            .fallback(async || "there")
            .layer(from_fn(identify));
        let mut ids = vec!["a".repeat(32)];
        for _ in 0..2 {
            let request = Request::builder().header(REQUEST_ID, "a".repeat(32));
            let request = request.body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            let mut given = answer.headers().get_all(REQUEST_ID).iter();
            let id = given.next().unwrap().to_str().unwrap().to_owned();
            assert!(given.next().is_none());
            assert_eq!(id.len(), 32);
            assert!(!ids.contains(&id), "{id}");
            ids.push(id);
        }
    }
}
