//! Evidence and receipts, for those whom they concern.

mod bundle;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use hallway_evidence::statement::Act;
use hallway_evidence::verify::{self, Chain};
use hallway_evidence::{Bundle, Evidence, Receipt, TrustFile, embedding};
use hallway_hall::foreign::{Content, MediaType, kept_as};
use hallway_webauthn::wire::Base64Url;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};

pub use self::bundle::bundle_of;
use super::device::{payload, transactions};
use crate::Gateway;
use crate::hall::visit;
use crate::http::foreign::FileRequest;
use crate::http::input::Asked;
use crate::http::page::{PageQuery, PageView};
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::store::{Device, EvidenceFilter, EvidenceHash, EvidenceRecord, Role, Transaction};

/// A piece of evidence in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EvidenceRow {
    /// Its hash, hexadecimal: the log's entry.
    pub hash: String,
    /// Its place in the log.
    pub log_index: u64,
    /// `door.kind`.
    pub act: String,
    /// When it was accepted, milliseconds since 1970.
    pub accepted_ms: u64,
}

/// Every statement that there is, in JSON.
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
    /// As in a list.
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

/// The hash in a path.
pub fn evidence_hash(text: &str) -> Option<EvidenceHash> {
    text.parse().ok()
}

/// Which evidence a person may see.
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

/// Evidence that concerns the caller: signed by them, about them, or about a device while it was
/// theirs.
pub async fn seen(
    gateway: &Gateway,
    caller: &Caller,
    hash: &str,
) -> Result<EvidenceRecord, Problem> {
    let missing = || Problem::not_found("evidence");
    let hash = evidence_hash(hash).ok_or_else(missing)?;
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

/// A receipt as CBOR.
pub fn receipt_response(receipt: &Receipt) -> Response {
    (
        [(header::CONTENT_TYPE, "application/cbor")],
        receipt.encode(),
    )
        .into_response()
}

/// What checks the bundle of a piece of evidence: the realm's own trust file, or for what a visitor
/// brought that of their realm.
pub async fn trust_for(gateway: &Gateway, record: &EvidenceRecord) -> Result<TrustFile, Problem> {
    let reader = gateway.store.read();
    let Some(visit) = reader.visits().get(&record.hash).await? else {
        return gateway.trust_file().await;
    };
    let partner = reader.partners().get(&visit.home).await?;
    let partner = partner.ok_or_else(|| Problem::not_found("partner"))?;
    visit::trust_file(gateway, &partner)
}

/// How far a person's key is followed back in the bundle of a piece of evidence: a visitor's realm
/// vouches for who its people are.
pub async fn chain_for(gateway: &Gateway, record: &EvidenceRecord) -> Result<Chain, Problem> {
    let visit = gateway.store.read().visits().get(&record.hash).await?;
    Ok(match visit {
        Some(_) => Chain::KeyOnly,
        None => Chain::ToSetUp,
    })
}

/// What a device's transactions rest on now: its claim, with what that rests on. Nothing before
/// there is one.
pub async fn grounds_of_device(
    gateway: &Gateway,
    device: &Device,
) -> Result<Option<Bundle>, Problem> {
    let Some(claim) = device.claim else {
        return Ok(None);
    };
    match gateway.store.read().evidence().get(&claim).await? {
        Some(record) => bundle_of(gateway, &record).await.map(Some),
        None => Ok(None),
    }
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

/// What a receipt is called where it is kept: beside the file that it is about, `hallway verify` finds
/// it there.
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
            let turn = gateway.thumbnails.turn().await?;
            let most = gateway.limits.payload_bytes.get();
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

/// What a device sent, with its bundle inside, if its format has a place for it.
pub async fn signed_file(
    State(gateway): State<Gateway>,
    caller: Caller,
    request: FileRequest,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let (hash, transaction) = transactions::seen(&gateway, &caller, &hash).await?;
    let record = seen(&gateway, &caller, &hash.to_string()).await?;
    let bundle = bundle_of(&gateway, &record).await?;
    let turn = gateway.thumbnails.turn().await?;
    let most = gateway.limits.payload_bytes.get();
    let file = payload::bytes(&gateway, &transaction, most).await?;
    let media_type = MediaType::of_picture(&file).unwrap_or(MediaType::BYTES);
    let embedded = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        embedding::embed(&file, &bundle).map(|longer| Insertion::of(&file, &longer))
    });
    let embedded = embedded.await.map_err(|error| Problem::internal(&error))?;
    let Insertion { at, inserted } = embedded.map_err(|error| {
        Problem::conflict(
            "no-place",
            format!(
                "{error}; save its bytes as they are, and its receipt beside them under the same name \
                 and .evidence"
            ),
        )
    })?;
    let content = Content {
        media_type,
        name: &transaction.file_name,
        length: transaction.length + inserted.len() as u64,
        cache: "private, max-age=3600",
    };
    // Read once more, as it is sent: a file does not wait in memory for a slow reader.
    let before = payload::pieces(&gateway, &transaction, 0..at);
    let after = payload::pieces(&gateway, &transaction, at..transaction.length);
    let evidence = stream::once(std::future::ready(Ok(inserted)));
    let body = Body::from_stream(before.chain(evidence).chain(after));
    Ok(request.answer(content, body))
}

/// What a file with evidence has more than without.
#[derive(Debug, PartialEq, Eq)]
struct Insertion {
    /// Behind how many of its bytes.
    at: u64,
    inserted: Bytes,
}

impl Insertion {
    /// What makes `longer` of `file`.
    fn of(file: &[u8], longer: &[u8]) -> Self {
        let same = file.iter().zip(longer).take_while(|(a, b)| a == b);
        let at = same.count();
        let more = longer.len() - file.len();
        let inserted = longer.get(at..at + more).unwrap_or_default();
        Self {
            at: at as u64,
            inserted: Bytes::copy_from_slice(inserted),
        }
    }
}

/// What checks what a partner's people brought, offline: what an owner pinned.
pub async fn partner_trust(
    State(gateway): State<Gateway>,
    _caller: Caller,
    Path(realm): Path<String>,
) -> Result<Json<TrustFile>, Problem> {
    let missing = || Problem::not_found("partner");
    let realm = realm.parse().map_err(|_| missing())?;
    let partner = gateway.store.read().partners().get(&realm).await?;
    visit::trust_file(&gateway, &partner.ok_or_else(missing)?).map(Json)
}

/// What anybody needs to check this realm's receipts offline.
pub async fn trust(State(gateway): State<Gateway>) -> Result<Json<TrustFile>, Problem> {
    gateway.trust_file().await.map(Json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_inserted_makes_the_longer_one_of_the_shorter() {
        for (picture, longer) in [
            (&b"abcd"[..], &b"abXYcd"[..]),
            (b"abcd", b"ababcd"),
            (b"aaaa", b"aaaaaa"),
            (b"abcd", b"Xabcd"),
            (b"abcd", b"abcdX"),
        ] {
            let Insertion { at, inserted } = Insertion::of(picture, longer);
            let (before, after) = picture.split_at(at as usize);
            assert_eq!([before, &inserted, after].concat(), longer);
        }
    }
}
