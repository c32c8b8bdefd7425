//! `/refusals`.

use axum::extract::State;
use axum::response::Response;

use crate::Gateway;
use crate::console::pages::names::Names;
use crate::console::pages::query::ListQuery;
use crate::console::pages::{frame, html, moment};
use crate::console::view::{Count, More, Place, RefusalRow, RefusalsPage};
use crate::doors::device::pages::names::DeviceNames;
use crate::http::input::Asked;
use crate::http::problem::Problem;
use crate::http::session::Caller;

/// What was turned away.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let reader = gateway.store.read();
    let page = reader.refusals().page(&query.request()?).await?;
    let mut names = Names::new(reader);
    let mut devices = DeviceNames::new(reader);
    let mut rows = Vec::with_capacity(page.items.len());
    for refusal in page.items {
        rows.push(RefusalRow {
            at: moment(&gateway, refusal.at),
            subject: match (refusal.device, refusal.person) {
                (Some(device), _) => Some(devices.now(device).await?),
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
        frame: frame(&gateway, &caller, Place::REFUSALS),
        rows,
        paging: query.paging(Place::REFUSALS.path, page.next),
    })
}
