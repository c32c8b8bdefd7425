//! Pages for people who are not signed in.

use axum::extract::State;
use axum::response::Response;
use hallway_spine::Gateway;
use hallway_spine::console::pages::sign_in::own_path;
use hallway_spine::console::pages::{bare_frame, html};
use hallway_spine::http::problem::Problem;

use super::super::view::{JoinPage, SignInPage};

/// The page of a one-time link.
pub(crate) async fn join(State(gateway): State<Gateway>) -> Result<Response, Problem> {
    html(&JoinPage {
        frame: bare_frame(&gateway),
    })
}

/// The sign-in page, which leads to `then` afterwards.
pub fn sign_in(gateway: &Gateway, then: Option<&str>) -> Result<Response, Problem> {
    html(&SignInPage {
        frame: bare_frame(gateway),
        then: own_path(then.unwrap_or("/")).to_owned(),
    })
}
