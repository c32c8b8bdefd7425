//! `/refusals`.

use axum::extract::State;
use axum::response::Response;

use super::super::view::{Count, More, Place, RefusalRow, RefusalsPage};
use super::names::Names;
use super::query::ListQuery;
use super::{frame, html, moment};
use crate::Gateway;
use crate::http::input::Asked;
use crate::http::problem::Problem;
use crate::http::session::Caller;

/// What was turned away.
pub(super) async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let reader = gateway.store.read();
    let page = reader.refusals().page(&query.request()?).await?;
    let mut names = Names::new(reader);
    let mut rows = Vec::with_capacity(page.items.len());
    for refusal in page.items {
        rows.push(RefusalRow {
            at: moment(&gateway, refusal.at),
            subject: match (refusal.device, refusal.person) {
                (Some(device), _) => Some(names.device(device).await?),
                (None, Some(person)) => Some(names.person(person).await?),
                (None, None) => Some(refusal.address).filter(|address| !address.is_empty()),
            },
            code: refusal.code,
            detail: refusal.detail,
            more: (refusal.more > 0).then(|| More {
                count: Count(refusal.more),
                last: moment(&gateway, refusal.last),
            }),
        });
    }
    html(&RefusalsPage {
        frame: frame(&gateway, &caller, Place::Refusals),
        rows,
        paging: query.paging(Place::Refusals.path(), page.next),
    })
}
