//! Lists of transactions, for the people who may see them.

use axum::Json;
use axum::extract::State;
use hallway_evidence::DeviceId;
use hallway_spine::Gateway;
use hallway_spine::http::input::Asked;
use hallway_spine::http::page::{PageQuery, PageView};
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::store::{EvidenceHash, Person};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lifecycle::sees_every_device;
use crate::store::{DeviceTables, Transaction, TransactionFilter};

/// A transaction in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TransactionRow {
    /// The hash of its evidence, hexadecimal.
    pub evidence: String,
    /// Its place in the log.
    pub log_index: u64,
    /// The id of the device.
    #[schemars(with = "String")]
    pub device: DeviceId,
    /// What the owner of that time called the device.
    pub device_name: String,
    /// Its number among the device's.
    pub sequence: u64,
    /// When the bytes were taken, by the device's clock, milliseconds since 1970.
    pub taken_ms: u64,
    /// When it was accepted, milliseconds since 1970.
    pub accepted_ms: u64,
    /// SHA-256 of the bytes, hexadecimal.
    pub sha256: String,
    /// How many bytes.
    pub length: u64,
    /// Their media type.
    pub media_type: String,
    /// The file's name on the device.
    pub file_name: String,
}

/// The transactions to list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct ListQuery {
    /// Only transactions of this device.
    pub device: Option<String>,
    // Not a flattened PageQuery: through `flatten` a query string gives no numbers.
    /// The `next` of the page before; nothing for the first page.
    pub after: Option<String>,
    /// How many rows, 200 at most.
    pub limit: Option<u64>,
}

/// The transactions that the caller may list: those of devices that the caller owned at that time.
pub async fn filter(
    gateway: &Gateway,
    caller: &Caller,
    device: Option<&str>,
) -> Result<TransactionFilter, Problem> {
    let (person, sees_all) = (&caller.person, sees_every_device(&caller.person));
    let Some(device) = device.filter(|text| !text.is_empty()) else {
        return Ok(if sees_all {
            TransactionFilter::All
        } else {
            TransactionFilter::Owner(person.id)
        });
    };
    let missing = || Problem::not_found("device");
    let id = device.parse().map_err(|_| missing())?;
    let reader = gateway.store.read();
    if sees_all {
        let device = reader.devices().get(id).await?;
        return device
            .map(|_| TransactionFilter::Device(id))
            .ok_or_else(missing);
    }
    let period = reader.ownerships().last_of(id, person.id).await?;
    period
        .map(|_| TransactionFilter::DeviceOfOwner(id, person.id))
        .ok_or_else(missing)
}

/// Lists transactions, newest first.
pub async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<PageView<TransactionRow>>, Problem> {
    let filter = filter(&gateway, &caller, query.device.as_deref()).await?;
    let wanted = PageQuery {
        after: query.after,
        limit: query.limit,
    };
    let page = gateway
        .store
        .read()
        .transactions()
        .page(filter, &wanted.request()?)
        .await?;
    Ok(Json(PageView::new(
        rows(&gateway, &page.items).await?,
        page.next,
    )))
}

/// Transactions as rows.
pub async fn rows(
    gateway: &Gateway,
    transactions: &[Transaction],
) -> Result<Vec<TransactionRow>, Problem> {
    let reader = gateway.store.read();
    let mut rows = Vec::with_capacity(transactions.len());
    for transaction in transactions {
        let period = reader
            .ownerships()
            .at(transaction.device, transaction.log_index)
            .await?;
        let evidence = reader.evidence().at(transaction.log_index).await?;
        rows.push(TransactionRow {
            evidence: evidence
                .map(|record| record.hash.to_string())
                .unwrap_or_default(),
            log_index: transaction.log_index,
            device: transaction.device,
            device_name: period.map(|period| period.name).unwrap_or_default(),
            sequence: transaction.sequence,
            taken_ms: transaction.taken.as_ms(),
            accepted_ms: transaction.accepted.as_ms(),
            sha256: hex::encode(transaction.sha256),
            length: transaction.length,
            media_type: transaction.media_type.clone(),
            file_name: transaction.file_name.clone(),
        });
    }
    Ok(rows)
}

/// A transaction that the caller may see, and the hash of its evidence.
pub async fn seen(
    gateway: &Gateway,
    caller: &Caller,
    hash: &str,
) -> Result<(EvidenceHash, Transaction), Problem> {
    let missing = || Problem::not_found("transaction");
    let hash = hash.parse().map_err(|_| missing())?;
    let reader = gateway.store.read();
    let transaction = reader
        .transactions()
        .get(&hash)
        .await?
        .ok_or_else(missing)?;
    let place = (transaction.device, transaction.log_index);
    if was_theirs(gateway, &caller.person, place).await? {
        Ok((hash, transaction))
    } else {
        Err(missing())
    }
}

/// Whether a person may see an entry of the log about a device: the person who owned the device at
/// that time, operators and owners may.
pub async fn was_theirs(
    gateway: &Gateway,
    person: &Person,
    (device, log_index): (DeviceId, u64),
) -> Result<bool, Problem> {
    if sees_every_device(person) {
        return Ok(true);
    }
    let ownerships = gateway.store.read().ownerships();
    let period = ownerships.at(device, log_index).await?;
    Ok(period.is_some_and(|period| period.owner == person.id))
}
