//! Pages and routes about all doors at once: the overview, evidence, refusals.

use hallway_spine::http::bounds::kinds::PICTURES;
use hallway_spine::http::page::PageView;
use hallway_spine::http::route::{Access, Route};
use hallway_spine::refusal;
use hallway_spine::store::Role;

pub mod evidence;
pub mod pages;
pub mod view;

const MEMBER: Access = Access::Person(Role::Member);
const OPERATOR: Access = Access::Person(Role::Operator);

/// The routes about all doors.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/refusals", OPERATOR, refusal::list)
            .summary("Refused requests, newest first")
            .gives::<PageView<refusal::RefusalRow>>(),
        Route::get("/api/evidence", MEMBER, evidence::list)
            .summary("Evidence, newest first")
            .gives::<PageView<evidence::EvidenceRow>>(),
        Route::get("/api/evidence/{hash}", MEMBER, evidence::one)
            .summary("One piece of evidence")
            .gives::<evidence::EvidenceView>(),
        Route::get(
            "/api/evidence/{hash}/explanation",
            MEMBER,
            evidence::explanation,
        )
        .within(PICTURES)
        .summary("Each verification step of a piece of evidence, with its outcome"),
        Route::get("/api/receipts/{hash}", MEMBER, evidence::receipt)
            .summary("A piece of evidence with all that it rests on, CBOR"),
        Route::get("/api/trust", Access::Public, evidence::trust)
            .summary("What checks this realm's receipts offline"),
        Route::page("/", Access::Public, pages::overview::overview),
        Route::page("/evidence", MEMBER, pages::evidence::list),
        Route::page("/evidence/{hash}", MEMBER, pages::explanation::explain).within(PICTURES),
        Route::page("/refusals", OPERATOR, pages::refusals::list),
    ]
}
