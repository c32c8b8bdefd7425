//! The handlers of the pages: each loads what its page shows, as far as the visitor may see it.

mod arrive;
mod authorities;
mod away;
mod devices;
mod evidence;
mod explanation;
mod halls;
mod keys;
mod links;
mod metadata;
mod names;
mod overview;
mod partners;
mod people;
mod problem;
mod query;
mod refusals;
mod transactions;
mod witnesses;

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use hallway_evidence::Timestamp;

pub use arrive::sign_in_path;
pub use explanation::{Explanation, explanation};
pub use problem::{nowhere, problem_page};

use super::assets;
use super::view::{Frame, Moment, Place, Standing, Visitor};
use crate::Gateway;
use crate::http::problem::Problem;
use crate::http::route::{Access, Route};
use crate::http::session::Caller;
use crate::routes::{AT_PARTNER, PICTURES};
use crate::store::{Person, Role};

/// Every page of the console, and the files that pages need.
pub fn routes() -> Vec<Route> {
    let member = Access::Person(Role::Member);
    let operator = Access::Person(Role::Operator);
    vec![
        Route::page("/", Access::Public, overview::overview),
        Route::page("/join", Access::Public, arrive::join),
        Route::page("/keys", member, keys::keys),
        Route::page("/devices", member, devices::list),
        Route::page("/devices/{id}", member, devices::one),
        Route::page("/claim", member, devices::claim),
        Route::page("/halls", member, halls::list),
        Route::page("/halls/{name}", member, halls::one),
        Route::page("/halls/{name}/files/{store}", member, halls::store),
        Route::page("/transactions", member, transactions::list),
        Route::page("/evidence", member, evidence::list),
        Route::page("/evidence/{hash}", member, explanation::explain).within(PICTURES),
        Route::page("/partners", operator, partners::list),
        Route::page("/partners/{realm}/halls", member, away::list).within(AT_PARTNER),
        Route::page("/partners/{realm}/halls/{hall}", member, away::one).within(AT_PARTNER),
        Route::page(
            "/partners/{realm}/halls/{hall}/files/{store}",
            member,
            away::store,
        )
        .within(AT_PARTNER),
        Route::page("/people", operator, people::list),
        Route::page("/authorities", operator, authorities::list),
        Route::page("/metadata", operator, metadata::metadata),
        Route::page("/witnesses", operator, witnesses::witnesses),
        Route::page("/refusals", operator, refusals::list),
        Route::page("/static/{name}", Access::Public, assets::asset),
    ]
}

/// A page as it is sent.
fn html(page: &impl Template) -> Result<Response, Problem> {
    let html = page.render().map_err(|error| Problem::internal(&error))?;
    Ok(Html(html).into_response())
}

/// The frame for somebody who is signed in.
fn frame(gateway: &Gateway, caller: &Caller, here: Place) -> Frame {
    Frame {
        realm: gateway.rp.id.clone(),
        visitor: Some(Visitor {
            name: caller.person.name.clone(),
            standing: standing(caller.person.role),
        }),
        here: Some(here),
    }
}

/// The frame for somebody who is not, or of whom nothing is known.
fn bare_frame(gateway: &Gateway) -> Frame {
    Frame {
        realm: gateway.rp.id.clone(),
        visitor: None,
        here: None,
    }
}

const fn standing(role: Role) -> Standing {
    match role {
        Role::Owner => Standing::Owner,
        Role::Operator => Standing::Operator,
        Role::Member => Standing::Member,
    }
}

/// Members see what is theirs; operators and owners see all.
const fn sees_all(person: &Person) -> bool {
    !matches!(person.role, Role::Member)
}

/// `at`, told from now.
fn moment(gateway: &Gateway, at: Timestamp) -> Moment {
    Moment::new(at.as_ms(), gateway.now().as_ms())
}
