//! `/transactions`.

use axum::extract::State;
use axum::response::Response;
use hallway_evidence::Timestamp;
use hallway_spine::Gateway;
use hallway_spine::console::pages::query::ListQuery;
use hallway_spine::console::pages::{frame, html, moment};
use hallway_spine::console::view::{Count, Size};
use hallway_spine::http::input::Asked;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::store::PageRequest;

use super::super::view::{TransactionRow, TransactionsPage};
use crate::store::DeviceTables;
use crate::{lifecycle, transactions as door};

/// The transactions that the viewer may see.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let only = match query.device.as_deref().filter(|id| !id.is_empty()) {
        Some(id) => Some((id.to_owned(), name(&gateway, &caller, id).await?)),
        None => None,
    };
    let device = query.device.as_deref();
    let (rows, next) = rows(&gateway, &caller, device, &query.request()?).await?;
    html(&TransactionsPage {
        frame: frame(&gateway, &caller, super::TRANSACTIONS),
        only,
        rows,
        paging: query.paging(super::TRANSACTIONS.path, next),
    })
}

/// The name of a device that the viewer sees, or the name that the viewer gave it as its owner.
async fn name(gateway: &Gateway, caller: &Caller, id: &str) -> Result<String, Problem> {
    let missing = || Problem::not_found("device");
    let id = id.parse().map_err(|_| missing())?;
    let reader = gateway.store.read();
    if let Ok(device) = lifecycle::seen(reader, &caller.person, id).await {
        return Ok(device.name);
    }
    let period = reader.ownerships().last_of(id, caller.person.id).await?;
    period.map(|period| period.name).ok_or_else(missing)
}

/// One page of transactions, of one device or of all that the viewer may see.
pub async fn rows(
    gateway: &Gateway,
    caller: &Caller,
    device: Option<&str>,
    request: &PageRequest<u64>,
) -> Result<(Vec<TransactionRow>, Option<u64>), Problem> {
    let filter = door::filter(gateway, caller, device).await?;
    let page = gateway
        .store
        .read()
        .transactions()
        .page(filter, request)
        .await?;
    let rows = door::rows(gateway, &page.items).await?;
    let rows = rows.into_iter().map(|row| view(gateway, row)).collect();
    Ok((rows, page.next))
}

fn view(gateway: &Gateway, row: door::TransactionRow) -> TransactionRow {
    TransactionRow {
        hash: row.evidence,
        device_id: row.device.to_string(),
        device: row.device_name,
        picture: has_thumbnail(&row.media_type),
        file: Some(row.file_name).filter(|name| !name.is_empty()),
        size: Size(row.length),
        sequence: Count(row.sequence),
        accepted: moment(gateway, Timestamp::from_ms(row.accepted_ms)),
    }
}

/// Whether the gateway makes thumbnails of this media type.
pub fn has_thumbnail(media_type: &str) -> bool {
    media_type == "image/jpeg"
}
