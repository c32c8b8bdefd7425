//! This realm as a witness of others' logs (c2sp.org/tlog-witness).

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hallway_evidence::Timestamp;
use hallway_evidence::log::witness::{SIZE_TYPE, decide};
use hallway_evidence::log::{AddCheckpoint, CheckpointError, Latest, Refusal, VerifierKey};

use crate::Gateway;
use crate::http::problem::Problem;
use crate::store::{StoreError, Unit, WitnessedLog};
use crate::witness::peers;

/// How often doubts about a log are recorded: a peer that spoils proofs must not cause more writes.
const DOUBT_INTERVAL_MS: u64 = 60_000;

/// Why a checkpoint is not cosigned.
#[derive(Debug, thiserror::Error)]
enum No {
    /// The request cannot be read: 400.
    #[error("{0}")]
    Unreadable(String),
    /// 404.
    #[error("this is no witness of the log {0}")]
    Unknown(String),
    /// 403: no key of this log is trusted.
    #[error("{0}")]
    Barred(String),
    /// As the specification says.
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Refusal(
                Refusal::Stale { latest, .. }
                | Refusal::Forked {
                    stale: Some(latest),
                    ..
                },
            ) => {
                let headers = [(header::CONTENT_TYPE, SIZE_TYPE)];
                return (StatusCode::CONFLICT, headers, format!("{latest}\n")).into_response();
            }
            Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::Barred(_) | Self::Refusal(Refusal::Checkpoint(CheckpointError::Note(_))) => {
                StatusCode::FORBIDDEN
            }
            Self::Unreadable(_)
            | Self::Refusal(Refusal::Checkpoint(_) | Refusal::OldAboveNew { .. }) => {
                StatusCode::BAD_REQUEST
            }
            Self::Refusal(Refusal::Forked { fork, .. }) if fork.proof.is_empty() => {
                StatusCode::CONFLICT
            }
            Self::Refusal(Refusal::Forked { .. } | Refusal::Inconsistent(_)) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
        };
        (status, format!("{self}\n")).into_response()
    }
}

/// The key that verifies this realm's cosignatures, on a line.
pub async fn key(State(gateway): State<Gateway>) -> String {
    format!("{}\n", gateway.witness.key())
}

/// `add-checkpoint`: cosigns a checkpoint of a log that extends the one cosigned before. The caller needs
/// no other proof than the log's signature.
pub async fn add_checkpoint(
    State(gateway): State<Gateway>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (request, origin) = match read(&body) {
        Ok(request) => request,
        Err(no) => return Ok(no.into_response()),
    };
    let Some(key) = peers::log_key(&gateway, &origin).await? else {
        return Ok(No::Unknown(origin).into_response());
    };
    Ok(match consider(&gateway, &request, &key).await? {
        Ok(line) => line.into_response(),
        Err(no) => no.into_response(),
    })
}

/// The checkpoint to cosign, and its log.
fn read(body: &[u8]) -> Result<(AddCheckpoint, String), No> {
    let wrong = |why: &dyn std::fmt::Display| No::Unreadable(why.to_string());
    let request = AddCheckpoint::parse(body).map_err(|error| wrong(&error))?;
    let origin = request.origin().map_err(|error| wrong(&error))?;
    Ok((request, origin))
}

/// Cosigns, or refuses. A request that changes nothing is answered without a turn at the database, so that
/// a stranger who repeats a public checkpoint takes no turn from others.
async fn consider(
    gateway: &Gateway,
    request: &AddCheckpoint,
    key: &VerifierKey,
) -> Result<Result<String, No>, StoreError> {
    // The time is taken before the look, because it says when no larger log had been seen.
    let now = gateway.now();
    let known = gateway.store.read().witnessed().of(key.name()).await?;
    let judged = judge(request, key, known.as_ref());
    let changes = match &judged {
        Ok(latest) => known.is_none_or(|known| known.latest != *latest),
        Err(No::Refusal(Refusal::Forked { .. })) => true,
        Err(No::Refusal(Refusal::Inconsistent(_))) => {
            known.is_some_and(|known| !is_doubted(&known, now))
        }
        Err(_) => false,
    };
    if changes {
        return gateway
            .store
            .transact(|unit| Box::pin(settle(gateway, unit, request, key)))
            .await;
    }
    Ok(judged.map(|latest| line(gateway, &latest, now)))
}

/// Decides again inside a unit, so that no other unit runs meanwhile, and stores the result.
async fn settle(
    gateway: &Gateway,
    unit: &Unit<'_>,
    request: &AddCheckpoint,
    key: &VerifierKey,
) -> Result<Result<String, No>, StoreError> {
    let now = gateway.now();
    let witnessed = unit.witnessed();
    let known = witnessed.of(key.name()).await?;
    let judged = judge(request, key, known.as_ref());
    match &judged {
        Ok(latest) => {
            let from = known.map(|known| known.latest.checkpoint().size);
            witnessed.advance(from, key, latest, now).await?;
        }
        Err(No::Refusal(Refusal::Forked { fork, .. })) => {
            tracing::error!(
                log = key.name(),
                "a log that is witnessed here was rewritten"
            );
            witnessed.forked(key.name(), fork, now).await?;
        }
        Err(No::Refusal(Refusal::Inconsistent(_))) => {
            if let Some(size) = request.unverified_size() {
                witnessed.doubt(key.name(), size, now).await?;
            }
        }
        Err(_) => {}
    }
    Ok(judged.map(|latest| line(gateway, &latest, now)))
}

fn judge(
    request: &AddCheckpoint,
    key: &VerifierKey,
    known: Option<&WitnessedLog>,
) -> Result<Latest, No> {
    if let Some(known) = known {
        if known.key != *key {
            return Err(No::Barred(format!(
                "this witness saw the log {} under another key; if it began anew lawfully, an owner \
                 of the witness's realm has to say so",
                key.name()
            )));
        }
        if known.fork.is_some() {
            return Err(No::Barred(format!(
                "the log {} was rewritten: this witness keeps the proof, and cosigns nothing of it \
                 any more",
                key.name()
            )));
        }
    }
    Ok(decide(request, key, known.map(|known| &known.latest))?)
}

fn is_doubted(known: &WitnessedLog, now: Timestamp) -> bool {
    let doubted = known.doubted.map(|(_, at)| at.as_ms());
    doubted.is_some_and(|at| now.as_ms() < at.saturating_add(DOUBT_INTERVAL_MS))
}

fn line(gateway: &Gateway, latest: &Latest, at: Timestamp) -> String {
    gateway.witness.signing().cosign(latest.checkpoint(), at)
}
