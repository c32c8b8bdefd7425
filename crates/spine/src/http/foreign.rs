//! Requests for stored bytes that others made.

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use hallway_api::Problem as Refused;
use hallway_hall::foreign::{Asked, Content};

use super::problem::{Code, Problem};
use crate::Gateway;

/// A request for others' bytes. The extractor refuses a request that would load them into a page.
pub struct FileRequest(Asked);

impl FileRequest {
    /// The answer with the bytes.
    pub fn answer(&self, content: Content<'_>, body: Body) -> Response {
        content.answer(&self.0, body).map(Body::new)
    }
}

impl FromRequestParts<Gateway> for FileRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Gateway) -> Result<Self, Problem> {
        let refused = |refused: Refused| Problem::new(Code::NotAPage, refused.detail);
        Asked::new(&parts.method, &parts.uri, &parts.headers)
            .map(Self)
            .map_err(refused)
    }
}
