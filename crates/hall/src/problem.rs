//! Problems as answers of hyper: see [`hallway_api::Problem`].

use hallway_api::PROBLEM_JSON;
pub(crate) use hallway_api::{Code, Problem};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;

use crate::body::{self, Body};

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(flatten)]
    problem: &'a Problem,
}

/// A value that becomes an HTTP answer.
pub trait IntoResponse {
    /// The answer.
    #[must_use]
    fn into_response(self) -> Response<Body>;
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
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
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response
    }
}
