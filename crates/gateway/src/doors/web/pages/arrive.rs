//! Pages for somebody who is not signed in.

use axum::extract::State;
use axum::response::Response;

use super::super::view::{JoinPage, SignInPage};
use crate::Gateway;
use crate::console::pages::sign_in::own_path;
use crate::console::pages::{bare_frame, html};
use crate::http::problem::Problem;

/// Where a one-time link leads.
pub(crate) async fn join(State(gateway): State<Gateway>) -> Result<Response, Problem> {
    html(&JoinPage {
        frame: bare_frame(&gateway),
    })
}

/// The sign-in page, which leads to `then` afterwards.
pub(crate) fn sign_in(gateway: &Gateway, then: Option<&str>) -> Result<Response, Problem> {
    html(&SignInPage {
        frame: bare_frame(gateway),
        then: own_path(then.unwrap_or("/")).to_owned(),
    })
}
