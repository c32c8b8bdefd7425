//! Evidence and receipts, for those whom they concern.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hallway_evidence::statement::{Act, Device as DeviceAct, Web};
use hallway_evidence::{
    Bundle, Evidence, PersonId, Receipt, Response as Signature, TrustFile, jpeg, verify,
};
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::Serialize;

use super::act::includes;
use super::device::{payload, transactions};
use crate::Gateway;
use crate::hall::visit;
use crate::http::input::Asked;
use crate::http::page::{PageQuery, PageView};
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::store::{Device, EvidenceFilter, EvidenceHash, EvidenceRecord, PageRequest, Role};

/// The acts that a device's evidence rests on.
const ENROLMENT: &str = "device.enrol";
const CLAIM: &str = "device.claim";

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

/// A piece of evidence.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EvidenceView {
    /// As in a list.
    #[serde(flatten)]
    pub row: EvidenceRow,
    /// The statement as a sentence.
    pub sentence: String,
    /// The statement's members.
    pub statement: serde_json::Value,
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
    if includes(caller.person.role, Role::Operator) {
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
        || includes(caller.person.role, Role::Operator)
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

/// A piece of evidence with all that it rests on: what `hallway verify` takes. What a visitor brought
/// is given as they brought it.
pub async fn bundle_of(gateway: &Gateway, record: &EvidenceRecord) -> Result<Bundle, Problem> {
    let reader = gateway.store.read();
    if let Some(visit) = reader.visits().get(&record.hash).await? {
        return Ok(visit.bundle);
    }
    let mut receipts = vec![gateway.ledger.receipt_of(reader, record).await?];
    if let Some(device) = record.device
        && let Some(device) = reader.devices().get(device).await?
    {
        let Bundle(mut grounds) = grounds_at(gateway, &device, record).await?;
        grounds.retain(|receipt| !receipts.contains(receipt));
        receipts.extend(grounds);
    }
    if let Some(person) = record.person
        && let Some((subject, others)) = receipts.split_first()
        && !others.iter().any(|other| registers_key_of(other, subject))
        && matches!(
            subject.evidence.signed.response,
            Signature::Assertion { .. }
        )
        && let Some(registration) = registration_of(gateway, person, subject).await?
    {
        receipts.extend(gateway.ledger.receipt(reader, &registration).await?);
    }
    Ok(Bundle(receipts))
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

/// Whether `receipt` is of the registration of the key that signed `signed`.
fn registers_key_of(receipt: &Receipt, signed: &Receipt) -> bool {
    let (receipt, signed) = (&receipt.evidence.signed, &signed.evidence.signed);
    receipt.credential_id == signed.credential_id
        && matches!(receipt.response, Signature::Registration { .. })
}

/// What a device's transactions rest on now: its enrolment, the claim, the owner's key.
pub async fn grounds_of_device(gateway: &Gateway, device: &Device) -> Result<Bundle, Problem> {
    grounds(gateway, device.enrolment, device.claim).await
}

/// What a piece of a device's evidence rested on when it was accepted: the enrolment before it, and
/// the claim of that one. An enrolment rests on nothing, and a claim on its enrolment alone: what was
/// before belongs to an earlier owner.
async fn grounds_at(
    gateway: &Gateway,
    device: &Device,
    record: &EvidenceRecord,
) -> Result<Bundle, Problem> {
    if record.act == ENROLMENT {
        return Ok(Bundle(Vec::new()));
    }
    let reader = gateway.store.read();
    let mut request = PageRequest {
        after: Some(record.log_index),
        ..PageRequest::default()
    };
    let mut claim = None;
    loop {
        let page = reader
            .evidence()
            .page(EvidenceFilter::DeviceHistory(device.id), &request)
            .await?;
        for earlier in &page.items {
            match earlier.act.as_str() {
                ENROLMENT => return grounds(gateway, Some(earlier.hash), claim).await,
                CLAIM => claim = Some(earlier.hash),
                _ => {}
            }
        }
        match page.next {
            Some(next) => request.after = Some(next),
            None => return grounds(gateway, None, claim).await,
        }
    }
}

async fn grounds(
    gateway: &Gateway,
    enrolment: Option<EvidenceHash>,
    claim: Option<EvidenceHash>,
) -> Result<Bundle, Problem> {
    let reader = gateway.store.read();
    let mut receipts = Vec::new();
    for hash in enrolment.into_iter().chain(claim) {
        receipts.extend(gateway.ledger.receipt(reader, &hash).await?);
    }
    if let Some(claim) = receipts.last()
        && let Ok(statement) = claim.evidence.signed.read_statement()
        && let Act::Device(DeviceAct::Claim(terms)) = statement.act
        && let Some(hash) = registration_of(gateway, terms.owner, claim).await?
    {
        receipts.extend(gateway.ledger.receipt(reader, &hash).await?);
    }
    Ok(Bundle(receipts))
}

/// The registration of the key that signed `claim`. The key may have been removed since; its
/// evidence remains.
async fn registration_of(
    gateway: &Gateway,
    owner: PersonId,
    claim: &Receipt,
) -> Result<Option<EvidenceHash>, Problem> {
    let reader = gateway.store.read();
    let id = &claim.evidence.signed.credential_id;
    if let Some(key) = reader.credentials().get(id).await? {
        return Ok(Some(key.registration));
    }
    let mut request = PageRequest::default();
    loop {
        let page = reader
            .evidence()
            .page(EvidenceFilter::Person(owner), &request)
            .await?;
        for record in &page.items {
            let registered = record
                .bytes
                .as_deref()
                .and_then(|bytes| Evidence::decode(bytes).ok());
            let matches = registered.is_some_and(|evidence| {
                evidence.signed.credential_id == *id
                    && evidence.signed.read_statement().is_ok_and(|statement| {
                        matches!(statement.act, Act::Web(Web::RegisterKey(_)))
                    })
            });
            if matches {
                return Ok(Some(record.hash));
            }
        }
        match page.next {
            Some(next) => request.after = Some(next),
            None => return Ok(None),
        }
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
    let headers = [
        (header::CONTENT_TYPE, "application/cbor".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}.receipt\"", record.hash),
        ),
    ];
    Ok((headers, bundle.encode()).into_response())
}

/// Every verification step of a piece of evidence, as `hallway verify --json` prints them.
pub async fn explanation(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(hash): Path<String>,
) -> Result<Json<serde_json::Value>, Problem> {
    let record = seen(&gateway, &caller, &hash).await?;
    let bundle = bundle_of(&gateway, &record).await?;
    let payload = match gateway
        .store
        .read()
        .transactions()
        .get(&record.hash)
        .await?
    {
        Some(transaction) => Some(payload::bytes(&gateway, &transaction).await?),
        None => None,
    };
    let trust = trust_for(&gateway, &record).await?;
    let report = verify::bundle(&bundle, payload.as_deref(), &trust);
    serde_json::to_value(report)
        .map(Json)
        .map_err(|error| Problem::internal(&error))
}

/// A JPEG with its bundle inside.
pub async fn signed_picture(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let (hash, transaction) = transactions::seen(&gateway, &caller, &hash).await?;
    let bytes = payload::bytes(&gateway, &transaction).await?;
    let record = seen(&gateway, &caller, &hash.to_string()).await?;
    let bundle = bundle_of(&gateway, &record).await?;
    let signed = jpeg::embed(&bytes, &bundle).map_err(|error| {
        Problem::conflict(
            "not-a-picture",
            format!("only a JPEG can carry its evidence: {error}"),
        )
    })?;
    Ok(payload::download(
        "image/jpeg",
        &transaction.file_name,
        signed,
    ))
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
