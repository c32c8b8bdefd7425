//! `/refusals`.

use axum::extract::State;
use axum::response::Response;
use hallway_door_device::pages::names::DeviceNames;
use hallway_spine::Gateway;
use hallway_spine::console::pages::names::Names;
use hallway_spine::console::pages::query::ListQuery;
use hallway_spine::console::pages::{frame, html, moment};
use hallway_spine::console::view::{Count, More, NavigationEntry, RefusalRow, RefusalsPage};
use hallway_spine::http::input::Asked;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;

/// The requests that were refused.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let reader = gateway.store.read();
    let page = reader.refusals().page(&query.request()?).await?;
    let people = page.items.iter().filter_map(|refusal| refusal.person);
    let names = Names::of(reader, people).await?;
    let mut devices = DeviceNames::new(reader);
    let mut rows = Vec::with_capacity(page.items.len());
    for refusal in page.items {
        rows.push(RefusalRow {
            at: moment(&gateway, refusal.at),
            subject: match (refusal.device, refusal.person) {
                (Some(device), _) => Some(devices.now(device).await?),
                (None, Some(person)) => Some(names.person(person)),
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
        frame: frame(&gateway, &caller, NavigationEntry::REFUSALS),
        rows,
        paging: query.paging(NavigationEntry::REFUSALS.path, page.next),
    })
}
