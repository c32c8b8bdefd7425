//! `/evidence`.

use axum::extract::State;
use axum::response::Response;
use hallway_door_device::pages::names::DeviceNames;
use hallway_spine::Gateway;
use hallway_spine::console::pages::names::Names;
use hallway_spine::console::pages::query::ListQuery;
use hallway_spine::console::pages::sentence::stated;
use hallway_spine::console::pages::{frame, html, moment};
use hallway_spine::console::view::{Count, EvidencePage, EvidenceRow, NavigationEntry};
use hallway_spine::http::input::Asked;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::store::PageRequest;

use crate::across::evidence;

/// The evidence that the viewer may see.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let (rows, next) = rows(&gateway, &caller, &query.request()?).await?;
    html(&EvidencePage {
        frame: frame(&gateway, &caller, NavigationEntry::EVIDENCE),
        rows,
        paging: query.paging(NavigationEntry::EVIDENCE.path, next),
    })
}

/// One page of the evidence that the viewer may see.
pub(crate) async fn rows(
    gateway: &Gateway,
    caller: &Caller,
    request: &PageRequest<u64>,
) -> Result<(Vec<EvidenceRow>, Option<u64>), Problem> {
    let filter = evidence::filter(caller);
    let reader = gateway.store.read();
    let page = reader.evidence().page(filter, request).await?;
    let people = page.items.iter().filter_map(|record| record.person);
    let names = Names::of(reader, people).await?;
    let mut devices = DeviceNames::new(reader);
    let mut rows = Vec::with_capacity(page.items.len());
    for record in page.items {
        let signer = match (record.person, record.device) {
            (_, Some(device)) if is_devices_own(&record.act) => {
                devices.then(device, record.log_index).await?
            }
            (Some(person), _) => names.person(person),
            (None, Some(device)) => devices.then(device, record.log_index).await?,
            (None, None) => "somebody unknown".to_owned(),
        };
        rows.push(EvidenceRow {
            hash: record.hash.to_string(),
            sentence: stated(&record),
            signer,
            index: Count(record.log_index),
            accepted: moment(gateway, record.accepted),
        });
    }
    Ok((rows, page.next))
}

/// Whether devices sign this act. Owners sign the other acts about devices.
fn is_devices_own(act: &str) -> bool {
    matches!(act, "device.enrol" | "device.transaction" | "device.status")
}
