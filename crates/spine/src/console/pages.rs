//! The handlers of the pages: each loads what its page shows, as far as the viewer may see it.

pub mod names;
pub mod problem;
pub mod query;
pub mod sentence;
pub mod sign_in;

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use hallway_evidence::Timestamp;
pub use problem::{nowhere, problem_page};
pub use sign_in::sign_in_path;

use super::assets;
use super::view::{Frame, Moment, NavigationEntry, Standing, Viewer};
use crate::Gateway;
use crate::http::problem::Problem;
use crate::http::route::{Access, Route};
use crate::http::session::Caller;
use crate::store::{Person, Role};

/// The files that pages need.
pub fn routes() -> Vec<Route> {
    vec![Route::page("/static/{name}", Access::Public, assets::asset)]
}

/// A page as an HTML answer.
///
/// # Errors
/// The template fails.
pub fn html(page: &impl Template) -> Result<Response, Problem> {
    let html = page.render().map_err(|error| Problem::internal(&error))?;
    Ok(Html(html).into_response())
}

/// The frame for a visitor who is signed in.
#[must_use]
pub fn frame(gateway: &Gateway, caller: &Caller, here: NavigationEntry) -> Frame {
    Frame {
        realm: gateway.rp.id.clone(),
        viewer: Some(Viewer {
            name: caller.person.name.clone(),
            standing: standing(caller.person.role),
        }),
        here: Some(here),
        navigation: gateway.navigation(),
    }
}

/// The frame for a visitor who is not signed in, or not known.
pub fn bare_frame(gateway: &Gateway) -> Frame {
    Frame {
        realm: gateway.rp.id.clone(),
        viewer: None,
        here: None,
        navigation: Vec::new(),
    }
}

/// The role, as pages show it.
pub const fn standing(role: Role) -> Standing {
    match role {
        Role::Owner => Standing::Owner,
        Role::Operator => Standing::Operator,
        Role::Member => Standing::Member,
    }
}

/// Members see their own entries; operators and owners see all.
pub const fn sees_all(person: &Person) -> bool {
    !matches!(person.role, Role::Member)
}

/// The time `at`, seen from now.
#[must_use]
pub fn moment(gateway: &Gateway, at: Timestamp) -> Moment {
    Moment::new(at.as_ms(), gateway.now().as_ms())
}
