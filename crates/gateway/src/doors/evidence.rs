//! Evidence and receipts, for those whom they concern.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use hallway_evidence::statement::{Act, Device as DeviceAct, Web};
use hallway_evidence::{
    Bundle, Evidence, PersonId, Receipt, Response as Signature, TrustFile, jpeg, verify,
};
use hallway_hall::foreign::{Content, MediaType};
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::Serialize;

use super::act::includes;
use super::device::{lifecycle, payload, transactions};
use crate::Gateway;
use crate::hall::visit;
use crate::http::foreign::FileRequest;
use crate::http::input::Asked;
use crate::http::page::{PageQuery, PageView};
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::store::{Device, EvidenceFilter, EvidenceHash, EvidenceRecord, PageRequest, Role};

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

/// Evidence that concerns the caller: signed by them, about them, or about a device of theirs.
pub async fn seen(
    gateway: &Gateway,
    caller: &Caller,
    hash: &str,
) -> Result<EvidenceRecord, Problem> {
    let missing = || Problem::not_found("evidence");
    let hash = evidence_hash(hash).ok_or_else(missing)?;
    let reader = gateway.store.read();
    let record = reader.evidence().get(&hash).await?.ok_or_else(missing)?;
    let device = match record.device {
        Some(device) => reader.devices().get(device).await?,
        None => None,
    };
    let concerns = record.person == Some(caller.person.id)
        || includes(caller.person.role, Role::Operator)
        || device.is_some_and(|device| lifecycle::may_see(&caller.person, &device));
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
    let (Some(enrolment), Some(claim)) = (device.enrolment, device.claim) else {
        return Ok(Bundle(Vec::new()));
    };
    grounds(gateway, enrolment, claim).await
}

/// What a piece of a device's evidence rested on when it was accepted: a device that was enrolled
/// again since has other grounds now.
async fn grounds_at(
    gateway: &Gateway,
    device: &Device,
    record: &EvidenceRecord,
) -> Result<Bundle, Problem> {
    let reader = gateway.store.read();
    let mut request = PageRequest {
        after: Some(record.log_index),
        ..PageRequest::default()
    };
    let (mut enrolment, mut claim) = (None, None);
    while enrolment.is_none() || claim.is_none() {
        let page = reader
            .evidence()
            .page(EvidenceFilter::DeviceHistory(device.id), &request)
            .await?;
        for earlier in &page.items {
            match earlier.act.as_str() {
                "device.enrol" if enrolment.is_none() => enrolment = Some(earlier.hash),
                "device.claim" if claim.is_none() => claim = Some(earlier.hash),
                _ => {}
            }
        }
        match page.next {
            Some(next) => request.after = Some(next),
            None => break,
        }
    }
    match (enrolment, claim) {
        (Some(enrolment), Some(claim)) => grounds(gateway, enrolment, claim).await,
        _ => grounds_of_device(gateway, device).await,
    }
}

async fn grounds(
    gateway: &Gateway,
    enrolment: EvidenceHash,
    claim: EvidenceHash,
) -> Result<Bundle, Problem> {
    let reader = gateway.store.read();
    let mut receipts = Vec::new();
    for hash in [enrolment, claim] {
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
    let trust = trust_for(&gateway, &record).await?;
    let transactions = gateway.store.read().transactions();
    let report = match transactions.get(&record.hash).await? {
        Some(transaction) => {
            let turn = gateway.thumbnails.turn().await?;
            let most = gateway.limits.payload_bytes;
            let payload = payload::bytes(&gateway, &transaction, most).await?;
            tokio::task::spawn_blocking(move || {
                let _turn = turn;
                verify::bundle(&bundle, Some(&payload), &trust)
            })
            .await
            .map_err(|error| Problem::internal(&error))?
        }
        None => verify::bundle(&bundle, None, &trust),
    };
    serde_json::to_value(report)
        .map(Json)
        .map_err(|error| Problem::internal(&error))
}

/// A JPEG with its bundle inside.
pub async fn signed_picture(
    State(gateway): State<Gateway>,
    caller: Caller,
    request: FileRequest,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let (hash, transaction) = transactions::seen(&gateway, &caller, &hash).await?;
    let record = seen(&gateway, &caller, &hash.to_string()).await?;
    let bundle = bundle_of(&gateway, &record).await?;
    let turn = gateway.thumbnails.turn().await?;
    let most = gateway.limits.payload_bytes;
    let picture = payload::bytes(&gateway, &transaction, most).await?;
    let embedded = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        jpeg::embed(&picture, &bundle).map(|longer| Insertion::of(&picture, &longer))
    });
    let embedded = embedded.await.map_err(|error| Problem::internal(&error))?;
    let Insertion { at, inserted } = embedded.map_err(|error| {
        Problem::conflict(
            "not-a-picture",
            format!("only a JPEG can carry its evidence: {error}"),
        )
    })?;
    let content = Content {
        media_type: MediaType::JPEG,
        name: &transaction.file_name,
        length: transaction.length + inserted.len() as u64,
        cache: "private, max-age=3600",
    };
    // Read once more, as it is sent: a picture does not wait in memory for a slow reader.
    let before = payload::pieces(&gateway, &transaction, 0..at);
    let after = payload::pieces(&gateway, &transaction, at..transaction.length);
    let evidence = stream::once(std::future::ready(Ok(inserted)));
    let body = Body::from_stream(before.chain(evidence).chain(after));
    Ok(request.answer(content, body))
}

/// What a picture with evidence has more than without.
#[derive(Debug, PartialEq, Eq)]
struct Insertion {
    /// Behind how many bytes of the picture.
    at: u64,
    inserted: Bytes,
}

impl Insertion {
    /// What makes `longer` of `picture`.
    fn of(picture: &[u8], longer: &[u8]) -> Self {
        let same = picture.iter().zip(longer).take_while(|(a, b)| a == b);
        let at = same.count();
        let more = longer.len() - picture.len();
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
