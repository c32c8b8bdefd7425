//! Taking a transaction: bytes that a device signed, in one round trip.
//!
//! The evidence comes in a header, so that whoever may not send is refused before a byte of the
//! payload is read.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use hallway_evidence::Receipt;
use hallway_evidence::statement::Device as DeviceAct;
use hallway_evidence::statement::device::{Delivery, Transaction as Terms};
use hallway_webauthn::wire::Base64Url;

use super::unattended::{self, Unverified, near};
use super::{challenge, payload};
use crate::Gateway;
use crate::doors::evidence::receipt_response;
use crate::doors::web::grant::Peer;
use crate::http::problem::Problem;
use crate::ledger::{IngestError, Outcome, Refused, Submission};
use crate::refusal::Door;
use crate::store::{DeviceState, PersonState};

/// The signed statement, base64url.
pub const EVIDENCE: HeaderName = HeaderName::from_static("hallway-evidence");
/// The seal of a challenge, base64url.
pub const SEAL: HeaderName = HeaderName::from_static("hallway-seal");

/// Takes a transaction. 201 and the receipt; 409 and the receipt if it was accepted before.
pub async fn send(
    State(gateway): State<Gateway>,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    match take(&gateway, &headers, body).await {
        Ok(Outcome::Accepted(receipt)) => {
            gateway.metrics.transaction();
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
    let standings = reader.standings().get(&[key.device]).await?;
    let standing = standings.get(&key.device).ok_or_else(unknown)?;
    if standing.state != DeviceState::Registered {
        return Err(not_registered(standing.state));
    }
    if standing.owner == Some(PersonState::Suspended) {
        return Err(owner_suspended());
    }
    unattended::admit(gateway, reader, &key).await?;
    timely(gateway, &terms, header(headers, &SEAL)?.as_deref())?;
    if terms.sequence <= device.last_sequence {
        // Before its payload is read: what is refused in any case is not stored for it.
        let (last, got) = (device.last_sequence, terms.sequence);
        return Err(problem(Refused::Sequence { last, got }.into()));
    }
    let payload = payload::receive(gateway, &terms, key.device, headers, body).await?;
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

fn owner_suspended() -> Problem {
    Problem::forbidden("owner-suspended", Refused::OwnerSuspended.to_string())
}

fn problem(error: IngestError) -> Problem {
    match error {
        IngestError::Refused(refused) => match refused {
            Refused::Sequence { last, .. } => {
                Problem::conflict("out-of-order", refused.to_string()).with("last_sequence", last)
            }
            Refused::Taken { last, .. } => Problem::conflict("out-of-order", refused.to_string())
                .with("last_taken_ms", last.as_ms()),
            Refused::NotRegistered(state) => not_registered(state),
            Refused::OwnerSuspended => owner_suspended(),
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
