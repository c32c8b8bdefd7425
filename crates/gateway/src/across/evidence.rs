//! Evidence and receipts, for the people whom they concern.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hallway_door_device::store::{DeviceTables, Transaction};
use hallway_door_device::{DevicesOf, payload, transactions};
use hallway_door_hall::partners::trust;
use hallway_door_hall::store::HallTables;
use hallway_evidence::statement::Act;
use hallway_evidence::verify::{self, Chain};
use hallway_evidence::{Bundle, Evidence, TrustFile};
use hallway_hall::foreign::kept_as;
use hallway_spine::Gateway;
use hallway_spine::http::input::Asked;
use hallway_spine::http::page::{PageQuery, PageView};
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::ledger::bundle;
use hallway_spine::store::{EvidenceFilter, EvidenceRecord, Role};
use hallway_webauthn::wire::Base64Url;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};

/// The bundle of a piece of evidence: its receipt and those that it rests on. A visitor's bundle is
/// given as the visitor brought it.
///
/// # Errors
/// 410 when the evidence itself was erased.
pub async fn bundle_of(gateway: &Gateway, record: &EvidenceRecord) -> Result<Bundle, Problem> {
    match gateway.store.read().visits().get(&record.hash).await? {
        Some(visit) => Ok(visit.bundle),
        None => bundle::bundle_of(gateway, record).await,
    }
}

/// A piece of evidence in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EvidenceRow {
    /// Its hash, hexadecimal: the log's entry.
    pub hash: String,
    /// Its index in the log.
    pub log_index: u64,
    /// The name of its statement, such as `hall.open`.
    pub act: String,
    /// When it was accepted, milliseconds since 1970.
    pub accepted_ms: u64,
}

/// The JSON schema of every statement.
fn statement_schema(_: &mut SchemaGenerator) -> Schema {
    let each = Act::DECLARED.iter().map(|declared| {
        json!({
            "type": "object",
            "properties": {
                "realm": { "type": "string" },
                "issued": { "type": "integer", "description": "milliseconds since 1970" },
                "nonce": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
                "act": { "const": declared.name },
                "terms": declared.schema(),
            },
            "required": ["realm", "issued", "nonce", "act", "terms"],
        })
    });
    let each: Vec<Value> = each.collect();
    schemars::json_schema!({ "oneOf": each })
}

/// A piece of evidence.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EvidenceView {
    /// The members that a list has, too.
    #[serde(flatten)]
    pub row: EvidenceRow,
    /// The statement as a sentence.
    pub sentence: String,
    /// The statement's members.
    #[schemars(schema_with = "statement_schema")]
    pub statement: Value,
    /// The evidence, CBOR.
    #[schemars(with = "String")]
    pub bytes: Base64Url,
}

impl From<&EvidenceRecord> for EvidenceRow {
    fn from(record: &EvidenceRecord) -> Self {
        Self {
            hash: record.hash.to_string(),
            log_index: record.log_index,
            act: record.act.clone(),
            accepted_ms: record.accepted.as_ms(),
        }
    }
}

/// The evidence that a person may see.
pub fn filter(caller: &Caller) -> EvidenceFilter {
    if caller.person.role >= Role::Operator {
        EvidenceFilter::All
    } else {
        EvidenceFilter::Person(caller.person.id)
    }
}

/// Lists evidence, newest first.
pub async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<PageView<EvidenceRow>>, Problem> {
    let page = gateway
        .store
        .read()
        .evidence()
        .page(filter(&caller), &query.request()?)
        .await?;
    Ok(Json(PageView::new(
        page.items.iter().map(EvidenceRow::from).collect(),
        page.next,
    )))
}

/// The evidence that concerns the caller: signed by the caller, about the caller, or about a device
/// while the caller owned it.
pub async fn seen(
    gateway: &Gateway,
    caller: &Caller,
    hash: &str,
) -> Result<EvidenceRecord, Problem> {
    let missing = || Problem::not_found("evidence");
    let hash = hash.parse().map_err(|_| missing())?;
    let reader = gateway.store.read();
    let record = reader.evidence().get(&hash).await?.ok_or_else(missing)?;
    let concerns = record.person == Some(caller.person.id)
        || caller.person.role >= Role::Operator
        || match record.device {
            Some(device) => {
                let place = (device, record.log_index);
                transactions::was_theirs(gateway, &caller.person, place).await?
            }
            None => false,
        };
    if concerns { Ok(record) } else { Err(missing()) }
}

/// One piece of evidence.
pub async fn one(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(hash): Path<String>,
) -> Result<Json<EvidenceView>, Problem> {
    let record = seen(&gateway, &caller, &hash).await?;
    let bytes = record
        .bytes
        .clone()
        .ok_or_else(|| Problem::not_found("evidence: it was erased"))?;
    let evidence = Evidence::decode(&bytes).map_err(|error| Problem::internal(&error))?;
    let statement = evidence
        .signed
        .read_statement()
        .map_err(|error| Problem::internal(&error))?;
    Ok(Json(EvidenceView {
        row: EvidenceRow::from(&record),
        sentence: statement.sentence(),
        statement: serde_json::to_value(&statement).map_err(|error| Problem::internal(&error))?,
        bytes: Base64Url(bytes),
    }))
}

/// The trust file that checks the bundle of a piece of evidence: the realm's own, or for a
/// visitor's bundle that of the visitor's realm.
pub async fn trust_for(gateway: &Gateway, record: &EvidenceRecord) -> Result<TrustFile, Problem> {
    let reader = gateway.store.read();
    let Some(visit) = reader.visits().get(&record.hash).await? else {
        return gateway.trust_file().await;
    };
    let partner = reader.partners().get(&visit.home).await?;
    let partner = partner.ok_or_else(|| Problem::not_found("partner"))?;
    trust::trust_file(gateway, &partner)
}

/// How far the bundle of a piece of evidence is checked for the acts that allowed a person's key. A
/// visitor's key is not followed, because the visitor's realm vouches for its people.
pub async fn chain_for(gateway: &Gateway, record: &EvidenceRecord) -> Result<Chain, Problem> {
    let visit = gateway.store.read().visits().get(&record.hash).await?;
    Ok(match visit {
        Some(_) => Chain::KeyOnly,
        None => Chain::ToSetUp,
    })
}

/// The bundle of a piece of evidence, CBOR.
pub async fn receipt(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let record = seen(&gateway, &caller, &hash).await?;
    let bundle = bundle_of(&gateway, &record).await?;
    let transactions = gateway.store.read().transactions();
    let transaction = transactions.get(&record.hash).await?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/cbor"),
        ),
        (
            header::CONTENT_DISPOSITION,
            kept_as(&receipt_name(&record, transaction.as_ref())),
        ),
    ];
    Ok((headers, bundle.encode()).into_response())
}

/// The file name of a receipt: beside the file that it is about, `hallway verify` finds it under
/// this name.
pub fn receipt_name(record: &EvidenceRecord, transaction: Option<&Transaction>) -> String {
    let about = transaction.map(|transaction| transaction.file_name.clone());
    let about = about.filter(|name| !name.is_empty());
    format!(
        "{}.evidence",
        about.unwrap_or_else(|| record.hash.to_string())
    )
}

/// Every verification step of a piece of evidence, as `hallway verify --json` prints them.
pub async fn explanation(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(hash): Path<String>,
) -> Result<Json<Value>, Problem> {
    let record = seen(&gateway, &caller, &hash).await?;
    let bundle = bundle_of(&gateway, &record).await?;
    let trust = trust_for(&gateway, &record).await?;
    let chain = chain_for(&gateway, &record).await?;
    let transactions = gateway.store.read().transactions();
    let report = match transactions.get(&record.hash).await? {
        Some(transaction) => {
            let turn = gateway.devices().thumbnails.turn().await?;
            let most = gateway.devices().settings.payload_bytes.get();
            let payload = payload::bytes(&gateway, &transaction, most).await?;
            tokio::task::spawn_blocking(move || {
                let _turn = turn;
                verify::bundle(&bundle, Some(&payload), &trust, chain)
            })
            .await
            .map_err(|error| Problem::internal(&error))?
        }
        None => verify::bundle(&bundle, None, &trust, chain),
    };
    serde_json::to_value(report)
        .map(Json)
        .map_err(|error| Problem::internal(&error))
}

/// The trust file, which checks this realm's receipts offline.
pub async fn trust(State(gateway): State<Gateway>) -> Result<Json<TrustFile>, Problem> {
    gateway.trust_file().await.map(Json)
}
