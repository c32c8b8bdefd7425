//! The routes of the hall door.

use std::time::Duration;

use axum::handler::Handler;
use hallway_api::hall::{AgentJoined, HallRow, HallView, JoinAgent, VisitView};
use hallway_spine::Gateway;
use hallway_spine::http::bounds::kinds::{EVENTS, LOOK_NOW, STRANGERS};
use hallway_spine::http::bounds::{AtOnce, Bounds, Gives, Takes};
use hallway_spine::http::page::PageView;
use hallway_spine::http::route::{Access, Route};
use hallway_spine::store::Role;

use super::channel::routes::FILES;
use super::partners::description::Description;
use super::partners::shared::HallThere;
use super::{
    agents, approvals, away, files, flows, grants, look, own_authorities, pages, partners, visit,
};

const MEMBER: Access = Access::Person(Role::Member);
const OPERATOR: Access = Access::Person(Role::Operator);

/// The bounds of a route that asks a partner's gateway before it answers.
pub(crate) const AT_PARTNER: Bounds = Bounds {
    answer: Gives::Whole {
        within: Duration::from_secs(90),
    },
    at_once: AtOnce {
        total: 128,
        each: 16,
    },
    because: Some("it waits for another gateway, as long as it waits for one"),
    ..Bounds::READ
};

/// As above, for changes in JSON. In a bucket, renaming copies the file.
const FILES_CHANGE: Bounds = Bounds {
    body: Bounds::JSON.body,
    ..FILES
};

/// As above, without a body.
const FILES_READ: Bounds = Bounds {
    body: Takes::Nothing,
    ..FILES
};

/// All routes of the hall door.
pub(crate) fn all() -> Vec<Route> {
    let mut routes = vec![
        Route::get("/api/halls", MEMBER, look::list)
            .summary("The halls that the caller may see")
            .gives::<Vec<HallRow>>(),
        Route::get("/api/halls/{name}", MEMBER, look::one)
            .summary("One hall")
            .gives::<HallView>(),
        Route::get("/api/halls/{name}/grant", MEMBER, files::grant)
            .summary(
                "What is open in a hall for the caller's session or waits to be approved, or null",
            )
            .gives::<Option<grants::GrantRow>>(),
        Route::get("/api/halls/{name}/events", MEMBER, flows::events)
            .summary("Who is inside a hall and what flows, as server-sent events")
            .within(EVENTS),
        Route::get("/api/grants", MEMBER, grants::list)
            .summary("What opened in halls, newest first")
            .gives::<PageView<grants::GrantRow>>(),
        Route::get("/api/grants/{id}/visit", MEMBER, visit::evidence)
            .within(AT_PARTNER)
            .summary("The evidence of a grant of the caller's own to show to the host of the hall")
            .gives::<VisitView>(),
        Route::post("/api/grants/{id}/end", MEMBER, grants::end)
            .summary("End a grant of the caller's own")
            .gives::<grants::GrantRow>(),
        Route::get("/api/approvals", MEMBER, approvals::list)
            .summary("Openings that wait for an approval and that the caller can approve")
            .gives::<Vec<approvals::WaitingRow>>(),
        Route::post("/api/hall-agents/join", Access::Proof, agents::join)
            .summary("Join a hall as an agent, by a one-time token")
            .takes::<JoinAgent>()
            .within(STRANGERS)
            .gives::<AgentJoined>(),
        Route::get("/api/hall/bundle", Access::Public, look::bundle)
            .summary("The realm's SPIFFE trust bundle"),
        Route::get("/api/hall/authorities", OPERATOR, own_authorities::list)
            .summary("The realm's own certificate authorities, and which of them signs")
            .gives::<Vec<own_authorities::OwnAuthorityView>>(),
        Route::get("/api/realm", Access::Public, partners::look::realm)
            .summary("What this realm is: for realms that want to be partners")
            .gives::<Description>(),
        Route::get("/api/partners", OPERATOR, partners::look::list)
            .summary("Partners: other realms that are joined with this one")
            .gives::<Vec<partners::look::PartnerView>>(),
        Route::post(
            "/api/partners/{realm}/refresh",
            OPERATOR,
            partners::look::look_now,
        )
        .within(LOOK_NOW)
        .summary("Look at a partner's trust bundle now")
        .gives::<partners::look::PartnerView>(),
        Route::post("/api/partners/join", Access::Proof, partners::join::join)
            .summary("Join this realm as the realm that was invited, by the invitation's token")
            .takes::<partners::join::Join>()
            .within(STRANGERS)
            .gives::<partners::join::Joined>(),
        Route::get("/api/partners/{realm}/halls", MEMBER, visit::halls)
            .within(AT_PARTNER)
            .summary("The halls of a partner that the caller may enter, as the partner says now")
            .gives::<Vec<HallThere>>(),
        Route::get(
            "/api/partners/{realm}/halls/{hall}/grant",
            MEMBER,
            away::grant,
        )
        .within(AT_PARTNER)
        .summary("What is open in a partner's hall for the caller's session, or null")
        .gives::<Option<grants::GrantRow>>(),
        Route::get(
            "/api/partners/{realm}/trust",
            OPERATOR,
            partners::look::trust,
        )
        .summary("What checks what a partner's people brought, offline"),
        Route::page("/halls", MEMBER, pages::halls::list),
        Route::page("/halls/{name}", MEMBER, pages::halls::one),
        Route::page("/halls/{name}/files/{store}", MEMBER, pages::halls::store),
        Route::page("/partners", OPERATOR, pages::partners::list),
        Route::page("/partners/{realm}/halls", MEMBER, pages::away::list).within(AT_PARTNER),
        Route::page("/partners/{realm}/halls/{hall}", MEMBER, pages::away::one).within(AT_PARTNER),
        Route::page(
            "/partners/{realm}/halls/{hall}/files/{store}",
            MEMBER,
            pages::away::store,
        )
        .within(AT_PARTNER),
    ];
    routes.extend(store(
        "/api/halls/{name}/files/{store}",
        "/api/halls/{name}/files/{store}/{*path}",
        files::files,
        files::change,
    ));
    routes.extend(store(
        "/api/partners/{realm}/halls/{hall}/files/{store}",
        "/api/partners/{realm}/halls/{hall}/files/{store}/{*path}",
        away::files,
        away::change,
    ));
    routes
}

/// The routes of files under a session's grant, in halls of this realm and of partners.
fn store<A: 'static, B: 'static>(
    folder: &'static str,
    file: &'static str,
    serve: impl Handler<A, Gateway>,
    change: impl Handler<B, Gateway>,
) -> Vec<Route> {
    vec![
        Route::get(folder, MEMBER, serve.clone())
            .summary("The top folder of a store, under the session's grant")
            .within(FILES_READ),
        Route::get(file, MEMBER, serve.clone())
            .summary("A file or folder")
            .within(FILES_READ),
        Route::put(file, MEMBER, serve.clone())
            .summary("Write a file whole")
            .within(FILES),
        Route::patch(file, MEMBER, serve.clone())
            .summary("Go on with an upload, ?upload=ID")
            .within(FILES),
        Route::delete(file, MEMBER, serve)
            .summary("Delete a file or folder, or throw an upload away")
            .within(FILES_READ),
        Route::post(file, MEMBER, change)
            .summary("Rename a file, or make a folder")
            .takes::<files::Change>()
            .within(FILES_CHANGE),
    ]
}
