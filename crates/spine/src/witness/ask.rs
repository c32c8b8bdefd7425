//! Asks the witnesses: soon after the log has grown, and at once when a caller needs a cosignature.

use std::time::Duration;

use axum::http::header;
use futures_util::future::join_all;
use hallway_evidence::causes;
use hallway_evidence::log::AddCheckpoint;
use hallway_evidence::log::witness::{Answer, AnswerError, MAX_ANSWER_BYTES};
use tokio::task::JoinSet;

use super::peers::{self, Peer};
use crate::Gateway;
use crate::http::problem::{Code, Problem};
use crate::ledger::LedgerError;
use crate::store::{CosignedCheckpoint, StoreError};

/// How often a gateway checks whether the log has grown.
const POLL: Duration = Duration::from_secs(2);
/// How long one gateway has the turn: longer than asking can take.
const TURN: Duration = Duration::from_secs(60);
/// The pause after a failure; twice as long after each further one.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// How often a witness that knows another size is asked again: other gateways may ask meanwhile.
const ATTEMPTS: usize = 4;

/// Why a witness did not cosign.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The log is empty.
    #[error("nothing is logged yet")]
    Empty,
    /// The witness did not answer.
    #[error("it does not answer: {0}")]
    Unreachable(String),
    /// The answer is no cosignature.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The witness saw more entries than the log has.
    #[error(
        "it saw this log with {seen} entries, but here are {here}: this database is an older copy. \
         What was logged after the copy was made is missing here, and a log that goes on from here \
         is another one, which no witness of the first one cosigns"
    )]
    SetBack {
        /// How many entries the witness saw.
        seen: u64,
        /// How many entries the log has.
        here: u64,
    },
    /// The witness refuses.
    #[error("it refuses ({status}): {words}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// In its own words.
        words: String,
    },
    /// The witness knew another size at every attempt.
    #[error("it named another size each time that it was asked")]
    Restless,
    /// The log.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<StoreError> for AskError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

impl AskError {
    fn problem(self, witness: &str) -> Problem {
        let detail = format!("the witness {witness}: {self}");
        match self {
            Self::Ledger(error) => error.into(),
            Self::SetBack { .. } | Self::Refused { .. } => {
                Problem::new(Code::WitnessRefused, detail)
            }
            _ => Problem::new(Code::WitnessUnreachable, detail),
        }
    }
}

/// The checkpoint of this realm's log with the cosignature of `realm`'s witness, over at least `at_least`
/// entries: the stored one, or else a new one.
///
/// # Errors
/// 409 `witness-refused` if that realm is no witness of this log, or refuses; 503
/// `witness-unreachable` when it does not answer as it should.
pub async fn cosigned_by(gateway: &Gateway, realm: &str, at_least: u64) -> Result<String, Problem> {
    let name = peers::witness_name(realm);
    let witnesses = peers::witnesses(gateway).await?;
    let witness = witnesses
        .iter()
        .find(|witness| witness.key.name() == name)
        .ok_or_else(|| {
            let detail = format!("{realm} is no witness of this realm's log");
            Problem::new(Code::WitnessRefused, detail)
        })?;
    let state = gateway.store.read().cosigners().state(&witness.key).await?;
    if let Some(kept) = state.cosigned
        && kept.size >= at_least
    {
        return Ok(kept.note);
    }
    match ask(gateway, witness).await {
        Ok(cosigned) if cosigned.size >= at_least => Ok(cosigned.note),
        Ok(_) => Err(AskError::Empty.problem(&name)),
        Err(error) => Err(error.problem(&name)),
    }
}

/// Asks every witness now, and records the results.
///
/// # Errors
/// When the database fails.
pub async fn ask_all(gateway: &Gateway) -> Result<(), Problem> {
    let witnesses = peers::witnesses(gateway).await?;
    join_all(witnesses.iter().map(|witness| ask(gateway, witness))).await;
    Ok(())
}

/// How many witnesses did not cosign at the last attempt.
///
/// # Errors
/// When the database fails.
pub async fn failing(gateway: &Gateway) -> Result<usize, StoreError> {
    let mut failing = 0;
    for witness in peers::witnesses(gateway).await? {
        let state = gateway.store.read().cosigners().state(&witness.key).await?;
        failing += usize::from(state.failures > 0);
    }
    Ok(failing)
}

/// Asks whenever the log has grown, as long as the gateway serves. Asks once at the start, too: if the
/// operator restored an older copy, a witness reports it before an entry is added. Each witness is asked in
/// a task of its own, so that a slow one delays no other.
pub async fn keep_up(gateway: Gateway) {
    let mut asking = JoinSet::new();
    let mut at = Occasion::Beginning;
    loop {
        match due(&gateway, at).await {
            Ok(witnesses) => {
                at = Occasion::Growth;
                for witness in witnesses {
                    let gateway = gateway.clone();
                    // The result is recorded.
                    asking.spawn(async move { drop(ask(&gateway, &witness).await) });
                }
            }
            Err(error) => tracing::warn!(%error, "no witness was asked"),
        }
        while asking.try_join_next().is_some() {}
        tokio::time::sleep(POLL).await;
    }
}

/// The reason to ask a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// The gateway begins to serve.
    Beginning,
    /// The log grew.
    Growth,
}

/// The witnesses whose time it is, once this gateway has the turn.
async fn due(gateway: &Gateway, at: Occasion) -> Result<Vec<Peer>, StoreError> {
    let mut due = Vec::new();
    for witness in peers::witnesses(gateway).await? {
        match is_due(gateway, &witness, at).await {
            Ok(true) => due.push(witness),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(witness = witness.key.name(), %error, "it was not asked");
            }
        }
    }
    Ok(due)
}

async fn is_due(gateway: &Gateway, witness: &Peer, at: Occasion) -> Result<bool, StoreError> {
    let reader = gateway.store.read();
    let size = reader.log().head().await?.size;
    let state = reader.cosigners().state(&witness.key).await?;
    let known = state.cosigned.map_or(0, |cosigned| cosigned.size);
    let now = gateway.now();
    if size == 0 || size == known && at == Occasion::Growth || now < state.next_attempt {
        return Ok(false);
    }
    gateway
        .store
        .transact(|unit| {
            Box::pin(async move {
                let cosigners = unit.cosigners();
                cosigners.take_turn(&witness.key, now, now.plus(TURN)).await
            })
        })
        .await
}

/// Asks a witness to cosign the log as it is, and keeps what came of it.
#[tracing::instrument(name = "peer", skip_all, fields(witness = witness.key.name()))]
async fn ask(gateway: &Gateway, witness: &Peer) -> Result<CosignedCheckpoint, AskError> {
    let asked = request(gateway, witness).await;
    let now = gateway.now();
    let (key, came) = (&witness.key, &asked);
    let noted: Result<(), StoreError> = gateway
        .store
        .transact(|unit| {
            Box::pin(async move {
                let cosigners = unit.cosigners();
                match came {
                    Ok(cosigned) => cosigners.keep(key, cosigned, now).await,
                    Err(error) => {
                        let failures = cosigners.state(key).await?.failures;
                        let doubled = 1 << u32::try_from(failures).unwrap_or(7).min(7);
                        let pause = (PAUSE * doubled).min(LONGEST_PAUSE);
                        let problem = error.to_string();
                        cosigners.failed(key, &problem, now, now.plus(pause)).await
                    }
                }
            })
        })
        .await;
    noted?;
    if let Err(error) = &asked {
        tracing::warn!(witness = key.name(), %error, "a witness did not cosign the log");
    }
    asked
}

async fn request(gateway: &Gateway, witness: &Peer) -> Result<CosignedCheckpoint, AskError> {
    let store = gateway.store.read();
    let state = store.cosigners().state(&witness.key).await?;
    let mut old = state.cosigned.map_or(0, |cosigned| cosigned.size);
    for _ in 0..ATTEMPTS {
        let head = store.log().head().await?;
        if head.size == 0 {
            return Err(AskError::Empty);
        }
        if old > head.size {
            return Err(AskError::SetBack {
                seen: old,
                here: head.size,
            });
        }
        let proof = gateway.ledger.growth(store, old, head.size).await?;
        let request = AddCheckpoint::new(old, proof, head.checkpoint.clone());
        match post(witness, &request, &head.checkpoint).await? {
            Answer::Cosigned(note) => {
                let at = witness.key.cosigned(&note).map_err(AnswerError::from)?;
                return Ok(CosignedCheckpoint {
                    size: head.size,
                    note,
                    at,
                });
            }
            Answer::Stale(size) => old = size,
            Answer::Refused { status, words } => return Err(AskError::Refused { status, words }),
        }
    }
    Err(AskError::Restless)
}

async fn post(witness: &Peer, request: &AddCheckpoint, note: &str) -> Result<Answer, AskError> {
    let unreachable = |error: reqwest::Error| AskError::Unreachable(causes(&error.without_url()));
    let url = format!(
        "{}/add-checkpoint",
        witness.url.as_str().trim_end_matches('/')
    );
    let mut answer = witness
        .client
        .post(url)
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(request.to_string())
        .send()
        .await
        .map_err(unreachable)?;
    let status = answer.status().as_u16();
    let media_type = answer.headers().get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next());
    let media_type = media_type.unwrap_or_default().trim().to_owned();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            let why = format!("its answer is longer than {MAX_ANSWER_BYTES} bytes");
            return Err(AskError::Unreachable(why));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer::read(
        status,
        &media_type,
        &body,
        note,
        &witness.key,
    )?)
}
