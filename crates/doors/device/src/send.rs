//! Taking a transaction: bytes that a device signed, in one round trip.
//!
//! The evidence comes in a header, so that a device that may not send is refused before a byte of
//! the payload is read.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use hallway_api::device::{EVIDENCE_HEADER, SEAL_HEADER};
use hallway_evidence::Receipt;
use hallway_evidence::statement::Act;
use hallway_evidence::statement::device::Transaction as Terms;
use hallway_spine::Gateway;
use hallway_spine::http::peer::Peer;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::ledger::LedgerError;
use hallway_spine::refusal::Subject;
use hallway_spine::store::PersonState;
use hallway_webauthn::Assertion;
use hallway_webauthn::wire::Base64Url;

use super::times::Times;
use super::unattended::{self, TurnedAway, Unverified};
use super::{challenge, payload};
use crate::DevicesOf;
use crate::ingest::keyring::DeviceKey;
use crate::ingest::order::Refused;
use crate::ingest::{IngestError, Outcome, Submission};
use crate::store::{DeviceState, DeviceTables};

/// The signed statement, base64url.
pub const EVIDENCE: HeaderName = HeaderName::from_static(EVIDENCE_HEADER);
/// The seal of a challenge, base64url.
pub const SEAL: HeaderName = HeaderName::from_static(SEAL_HEADER);

/// Takes a transaction. 201 and the receipt; 409 and the receipt if it was accepted before.
pub async fn send(
    State(gateway): State<Gateway>,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    match take(&gateway, &headers, body).await {
        Ok(receipt) => {
            gateway.devices().accepted.inc();
            Ok((StatusCode::CREATED, in_cbor(&receipt)).into_response())
        }
        Err(TurnedAway { problem, device }) => {
            let subject = Subject::from(&peer).device(device);
            gateway.refuse(super::NAME, &problem, subject).await;
            Err(problem)
        }
    }
}

fn already_accepted(receipt: &Receipt) -> Problem {
    Problem::new(
        Code::AlreadyAccepted,
        "this statement was accepted before; here is its receipt",
    )
    .with("receipt", Base64Url(receipt.encode()).to_string())
}

/// Takes a transaction that was not accepted before.
async fn take(gateway: &Gateway, headers: &HeaderMap, body: Body) -> Result<Receipt, TurnedAway> {
    let sent = Unverified::decode(
        gateway,
        &header(headers, &EVIDENCE)?.ok_or_else(|| {
            Problem::malformed("the header Hallway-Evidence with the signed statement is missing")
        })?,
    )?;
    let Act::DeviceTransaction(terms) = sent.statement.act.clone() else {
        return Err(Problem::malformed("the statement is not a transaction").into());
    };
    let key = gateway
        .devices()
        .keyring
        .get(gateway.store.read(), &sent.signed.credential_id)
        .await?
        .ok_or_else(unknown_credential)?;
    let assertion = sent.verify(gateway, &key.record)?;
    let of_device = TurnedAway::of(key.device);
    admitted(
        gateway,
        &key,
        headers,
        body,
        Verified {
            sent,
            assertion,
            terms,
        },
    )
    .await
    .map_err(of_device)
}

/// What a device signed.
struct Verified {
    sent: Unverified,
    assertion: Assertion,
    terms: Terms,
}

async fn admitted(
    gateway: &Gateway,
    key: &DeviceKey,
    headers: &HeaderMap,
    body: Body,
    verified: Verified,
) -> Result<Receipt, Problem> {
    let Verified {
        sent,
        assertion,
        terms,
    } = verified;
    let reader = gateway.store.read();
    if let Some(record) = reader
        .evidence()
        .by_statement(&sent.signed.challenge().into())
        .await?
    {
        // The device did not get its receipt, or an eavesdropper repeats the request.
        let receipt = gateway.ledger.receipt_of(reader, &record).await?;
        return Err(already_accepted(&receipt));
    }
    let standings = reader.standings().get(&[key.device]).await?;
    let standing = standings.get(&key.device).ok_or_else(unknown_credential)?;
    if standing.state != DeviceState::Registered {
        return Err(not_registered(standing.state));
    }
    if standing.owner == Some(PersonState::Suspended) {
        return Err(owner_suspended());
    }
    unattended::admit(gateway, reader, key).await?;
    if let Some(challenge) = &terms.challenge {
        challenge::take(gateway, challenge, header(headers, &SEAL)?.as_deref())?;
    }
    let times = Times {
        issued: sent.statement.issued,
        taken: terms.taken,
        delivery: terms.delivery,
        made: key.made,
    };
    let settings = &gateway.devices().settings;
    times.judge(
        gateway.now(),
        settings.clock_skew(),
        settings.queued_days.get(),
    )?;
    if terms.sequence <= standing.last_sequence {
        // Checked before the payload is read, so that a refused payload is not stored.
        let (last, got) = (standing.last_sequence, terms.sequence);
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
    match gateway.devices().ingest.submit(submission).await {
        Ok(Outcome::Accepted(receipt)) => Ok(receipt),
        Ok(Outcome::AlreadyAccepted(receipt)) => Err(already_accepted(&receipt)),
        Err(error) => Err(problem(error)),
    }
}

fn unknown_credential() -> Problem {
    Problem::new(
        Code::UnknownCredential,
        "this credential is not enrolled here",
    )
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

fn not_registered(state: DeviceState) -> Problem {
    let code = match state {
        DeviceState::Suspended => Code::Suspended,
        DeviceState::Stolen => Code::Stolen,
        DeviceState::Released => Code::Released,
        DeviceState::Retired => Code::Retired,
        DeviceState::Announced | DeviceState::Claimed | DeviceState::Registered => {
            Code::NotRegistered
        }
    };
    Problem::new(
        code,
        format!("the device is {state}, not registered; ask its owner"),
    )
}

fn owner_suspended() -> Problem {
    Problem::new(Code::OwnerSuspended, Refused::OwnerSuspended.to_string())
}

fn problem(error: IngestError) -> Problem {
    match error {
        IngestError::Refused(refused) => match refused {
            Refused::Sequence { last, .. } => {
                Problem::new(Code::OutOfOrder, refused.to_string()).with("last_sequence", last)
            }
            Refused::NotRegistered(state) => not_registered(state),
            Refused::OwnerSuspended => owner_suspended(),
            Refused::Counter { .. } => Problem::new(Code::ClonedKey, refused.to_string()),
            Refused::Unkeepable => Problem::new(Code::Unkeepable, refused.to_string()),
            refused => Problem::new(Code::UnknownCredential, refused.to_string()),
        },
        IngestError::Stopping => Problem::new(Code::Stopping, error.to_string()),
        IngestError::Failed(error) if is_of_the_disk(&error) => Problem::new(
            Code::NoSpace,
            "the gateway's disk takes nothing more, so the transaction was not kept; tell its \
             operator, and send it again",
        ),
        IngestError::Failed(error) => {
            tracing::error!(%error, "a transaction was not kept");
            Problem::new(
                Code::Storage,
                "the transaction could not be kept; send it again",
            )
        }
    }
}

/// Whether the database's disk is full or fails.
fn is_of_the_disk(error: &LedgerError) -> bool {
    matches!(error, LedgerError::Store(error) if error.is_of_the_disk())
}

fn in_cbor(receipt: &Receipt) -> impl IntoResponse {
    (
        [(axum::http::header::CONTENT_TYPE, "application/cbor")],
        receipt.encode(),
    )
}
