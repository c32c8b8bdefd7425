//! Transactions: bytes that a device signed, taken in one round trip.
//!
//! The evidence comes in a header, so that whoever may not send is refused before a byte of the
//! payload is read.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use hallway_evidence::statement::Device as DeviceAct;
use hallway_evidence::statement::device::{Delivery, Transaction as Terms};
use hallway_evidence::{DeviceId, Receipt};
use hallway_webauthn::wire::Base64Url;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStoreExt, WriteMultipart};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::challenge;
use super::lifecycle::{may_see, visible_to};
use super::unattended::{Unverified, near};
use crate::Gateway;
use crate::doors::evidence::{evidence_hash, receipt_response};
use crate::doors::web::grant::Peer;
use crate::http::input::Asked;
use crate::http::page::{PageQuery, PageView};
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::ledger::{IngestError, Outcome, Refused, Submission};
use crate::refusal::Door;
use crate::store::{
    DeviceState, EvidenceHash, MAX_INLINE, PayloadLocation, Transaction, TransactionFilter,
};

/// The signed statement, base64url.
pub const EVIDENCE: HeaderName = HeaderName::from_static("hallway-evidence");
/// The seal of a challenge, base64url.
pub const SEAL: HeaderName = HeaderName::from_static("hallway-seal");

/// A payload that stands still for so long is given up.
const STALL: Duration = Duration::from_secs(30);

/// A transaction in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TransactionRow {
    /// The hash of its evidence, hexadecimal.
    pub evidence: String,
    /// Its place in the log.
    pub log_index: u64,
    /// Which device.
    #[schemars(with = "String")]
    pub device: DeviceId,
    /// What the device's owner calls it.
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

/// Which transactions to list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct ListQuery {
    /// Only this device's.
    pub device: Option<String>,
    // Not a flattened PageQuery: through `flatten` a query string gives no numbers.
    /// The `next` of the page before; nothing for the first page.
    pub after: Option<String>,
    /// How many rows, 200 at most.
    pub limit: Option<u64>,
}

/// Takes a transaction. 201 and the receipt; 409 and the receipt if it was accepted before.
pub async fn send(
    State(gateway): State<Gateway>,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    match take(&gateway, &headers, body).await {
        Ok(Outcome::Accepted(receipt)) => {
            Ok((StatusCode::CREATED, receipt_response(&receipt)).into_response())
        }
        Ok(Outcome::AlreadyAccepted(receipt)) => {
            let problem = already_accepted(&receipt);
            gateway.refuse(Door::Device, &problem, &peer).await;
            Err(problem)
        }
        Err(problem) => {
            gateway.refuse(Door::Device, &problem, &peer).await;
            Err(problem)
        }
    }
}

fn already_accepted(receipt: &Receipt) -> Problem {
    Problem::conflict(
        "already-accepted",
        "this very statement was accepted before; here is its receipt",
    )
    .with("receipt", Base64Url(receipt.encode()).to_string())
}

async fn take(gateway: &Gateway, headers: &HeaderMap, body: Body) -> Result<Outcome, Problem> {
    let sent = Unverified::decode(
        gateway,
        &header(headers, &EVIDENCE)?.ok_or_else(|| {
            Problem::malformed("the header Hallway-Evidence with the signed statement is missing")
        })?,
    )?;
    let DeviceAct::Transaction(terms) = sent.act()?.clone() else {
        return Err(Problem::malformed("the statement is not a transaction"));
    };
    let unknown =
        || Problem::forbidden("unknown-credential", "this credential is not enrolled here");
    let reader = gateway.store.read();
    let key = gateway
        .keyring
        .get(reader, &sent.signed.credential_id)
        .await?
        .ok_or_else(unknown)?;
    let assertion = sent.verify(gateway, &key.record)?;
    if let Some(record) = reader
        .evidence()
        .by_statement(&sent.signed.challenge().into())
        .await?
    {
        // The device did not get its receipt, or somebody repeats what they overheard.
        return Ok(Outcome::AlreadyAccepted(
            gateway.ledger.receipt_of(reader, &record).await?,
        ));
    }
    let device = reader
        .devices()
        .get(key.device)
        .await?
        .ok_or_else(unknown)?;
    if device.state != DeviceState::Registered {
        return Err(not_registered(device.state));
    }
    timely(gateway, &terms, header(headers, &SEAL)?.as_deref())?;
    let payload = receive(gateway, &terms, key.device, headers, body).await?;
    let submission = Submission {
        device: key.device,
        sequence: terms.sequence,
        taken: terms.taken,
        described: terms.payload,
        signed: sent.signed,
        payload,
        sign_count: assertion.sign_count,
    };
    gateway.ingest.submit(submission).await.map_err(problem)
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Vec<u8>>, Problem> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let decoded = value
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Base64Url>().ok());
    decoded.map(|bytes| Some(bytes.0)).ok_or_else(|| {
        Problem::malformed(format!(
            "the header {name} is not base64url without padding"
        ))
    })
}

/// Live means now; queued means not in the future and not too old. A challenge tells more than
/// any clock.
fn timely(gateway: &Gateway, terms: &Terms, seal: Option<&[u8]>) -> Result<(), Problem> {
    let (now, skew) = (gateway.now(), gateway.clock_skew());
    if let Some(challenge) = &terms.challenge {
        challenge::take(gateway, challenge, seal)?;
    }
    let age = now.as_ms().saturating_sub(terms.taken.as_ms());
    match terms.delivery {
        Delivery::Live if age > skew.as_millis() as u64 => Err(Problem::forbidden(
            "stale",
            format!(
                "taken {}, which is no longer live; send it as queued",
                terms.taken
            ),
        )
        .with("now_ms", now.as_ms())),
        Delivery::Queued if age > gateway.limits.queued_days * 86_400_000 => {
            Err(Problem::forbidden(
                "stale",
                format!(
                    "taken {}, more than {} days ago",
                    terms.taken, gateway.limits.queued_days
                ),
            ))
        }
        _ if terms.taken > now => near(now, terms.taken, skew),
        _ => Ok(()),
    }
}

/// Reads the payload, never more of it than the statement announces, and compares its hash.
async fn receive(
    gateway: &Gateway,
    terms: &Terms,
    device: DeviceId,
    headers: &HeaderMap,
    body: Body,
) -> Result<PayloadLocation, Problem> {
    let described = &terms.payload;
    let limit = gateway.limits.payload_bytes;
    if described.length > limit {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            format!(
                "the payload has {} bytes; at most {limit} are taken",
                described.length
            ),
        ));
    }
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length != described.length) {
        return Err(mismatch());
    }
    let mut bytes = Incoming {
        stream: body.into_data_stream(),
        left: described.length,
        hash: Context::new(&SHA256),
    };
    if described.length <= MAX_INLINE as u64 {
        let mut payload = Vec::with_capacity(described.length as usize);
        while let Some(chunk) = bytes.next().await? {
            payload.extend_from_slice(&chunk);
        }
        bytes.finish(&described.sha256)?;
        return Ok(PayloadLocation::Inline(payload));
    }
    // Named by content: the same bytes sent twice are one object, and a name says what is in it.
    let key = format!("{device}/{}", hex::encode(described.sha256));
    let path = ObjectPath::from(key.as_str());
    let upload = gateway
        .objects
        .put_multipart(&path)
        .await
        .map_err(storage)?;
    let mut upload = WriteMultipart::new(upload);
    loop {
        match bytes.next().await {
            Ok(Some(chunk)) => {
                upload.wait_for_capacity(4).await.map_err(storage)?;
                upload.put(chunk);
            }
            Ok(None) => break,
            Err(problem) => {
                upload.abort().await.map_err(storage)?;
                return Err(problem);
            }
        }
    }
    if let Err(problem) = bytes.finish(&described.sha256) {
        upload.abort().await.map_err(storage)?;
        return Err(problem);
    }
    upload.finish().await.map_err(storage)?;
    Ok(PayloadLocation::Object(key))
}

/// A payload on its way in.
struct Incoming {
    stream: axum::body::BodyDataStream,
    left: u64,
    hash: Context,
}

impl Incoming {
    async fn next(&mut self) -> Result<Option<bytes::Bytes>, Problem> {
        let chunk = timeout(STALL, self.stream.next()).await.map_err(|_| {
            Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "stalled",
                "no bytes came for half a minute; send it again",
            )
        })?;
        let Some(chunk) = chunk else { return Ok(None) };
        let chunk = chunk
            .map_err(|_| Problem::malformed("the connection broke in the middle of the payload"))?;
        self.left = self
            .left
            .checked_sub(chunk.len() as u64)
            .ok_or_else(mismatch)?;
        self.hash.update(&chunk);
        Ok(Some(chunk))
    }

    fn finish(self, expected: &[u8; 32]) -> Result<(), Problem> {
        if self.left == 0 && self.hash.finish().as_ref() == expected {
            Ok(())
        } else {
            Err(mismatch())
        }
    }
}

fn mismatch() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "hash-mismatch",
        "the payload is not the bytes that the statement describes",
    )
}

fn storage(error: object_store::Error) -> Problem {
    tracing::error!(%error, "the object store failed");
    Problem::new(
        StatusCode::INSUFFICIENT_STORAGE,
        "storage",
        "the payload could not be stored; send it again later",
    )
}

fn not_registered(state: DeviceState) -> Problem {
    let code = match state {
        DeviceState::Suspended => "suspended",
        DeviceState::Stolen => "stolen",
        DeviceState::Released => "released",
        DeviceState::Retired => "retired",
        DeviceState::Announced | DeviceState::Claimed | DeviceState::Registered => "not-registered",
    };
    Problem::forbidden(
        code,
        format!("the device is {state}, not registered; ask its owner"),
    )
}

fn problem(error: IngestError) -> Problem {
    match error {
        IngestError::Refused(refused) => match refused {
            Refused::Sequence { last, .. } => {
                Problem::conflict("out-of-order", refused.to_string()).with("last_sequence", last)
            }
            Refused::Taken { .. } => Problem::conflict("out-of-order", refused.to_string()),
            Refused::NotRegistered(state) => not_registered(state),
            Refused::Counter { .. } => Problem::forbidden("cloned-key", refused.to_string()),
            refused => Problem::forbidden("unknown-credential", refused.to_string()),
        },
        IngestError::Stopping => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "stopping",
            error.to_string(),
        ),
        IngestError::Failed(error) => {
            tracing::error!(%error, "a transaction was not kept");
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "storage",
                "the transaction could not be kept; send it again",
            )
        }
    }
}

/// Which transactions the caller may list.
pub async fn filter(
    gateway: &Gateway,
    caller: &Caller,
    device: Option<&str>,
) -> Result<TransactionFilter, Problem> {
    let Some(device) = device.filter(|text| !text.is_empty()) else {
        return Ok(match visible_to(&caller.person).owner {
            Some(owner) => TransactionFilter::Owner(owner),
            None => TransactionFilter::All,
        });
    };
    let missing = || Problem::not_found("device");
    let id = device.parse().map_err(|_| missing())?;
    let device = gateway
        .store
        .read()
        .devices()
        .get(id)
        .await?
        .ok_or_else(missing)?;
    if may_see(&caller.person, &device) {
        Ok(TransactionFilter::Device(id))
    } else {
        Err(missing())
    }
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
        let device = reader.devices().get(transaction.device).await?;
        let evidence = reader.evidence().at(transaction.log_index).await?;
        rows.push(TransactionRow {
            evidence: evidence
                .map(|record| record.hash.to_string())
                .unwrap_or_default(),
            log_index: transaction.log_index,
            device: transaction.device,
            device_name: device.map(|device| device.name).unwrap_or_default(),
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
    let hash = evidence_hash(hash).ok_or_else(missing)?;
    let reader = gateway.store.read();
    let transaction = reader
        .transactions()
        .get(&hash)
        .await?
        .ok_or_else(missing)?;
    let device = reader
        .devices()
        .get(transaction.device)
        .await?
        .ok_or_else(missing)?;
    if may_see(&caller.person, &device) {
        Ok((hash, transaction))
    } else {
        Err(missing())
    }
}

/// The bytes of a transaction.
pub async fn bytes(gateway: &Gateway, transaction: &Transaction) -> Result<Vec<u8>, Problem> {
    match &transaction.payload {
        PayloadLocation::Inline(bytes) => Ok(bytes.clone()),
        PayloadLocation::Object(key) => {
            let object = gateway
                .objects
                .get(&ObjectPath::from(key.as_str()))
                .await
                .map_err(storage)?;
            Ok(object.bytes().await.map_err(storage)?.to_vec())
        }
    }
}

/// One payload, as it came.
pub async fn payload(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let (_, transaction) = seen(&gateway, &caller, &hash).await?;
    let bytes = bytes(&gateway, &transaction).await?;
    Ok(download(
        &transaction.media_type,
        &transaction.file_name,
        bytes,
    ))
}

/// Bytes from a device are never shown as a page: only pictures keep their type.
pub fn download(media_type: &str, file_name: &str, bytes: Vec<u8>) -> Response {
    let picture = media_type == "image/jpeg";
    let safe_name: String = file_name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || ".-_".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    let disposition = format!(
        "{}; filename=\"{safe_name}\"",
        if picture { "inline" } else { "attachment" }
    );
    let headers = [
        (
            header::CONTENT_TYPE,
            if picture {
                "image/jpeg"
            } else {
                "application/octet-stream"
            }
            .to_owned(),
        ),
        (header::CONTENT_DISPOSITION, disposition),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; sandbox".to_owned(),
        ),
        (header::CACHE_CONTROL, "private, max-age=3600".to_owned()),
    ];
    (headers, bytes).into_response()
}
