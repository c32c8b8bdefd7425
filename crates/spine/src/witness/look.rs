//! The state of witnesses: the realm's own, and the realm as one.

use axum::Json;
use axum::extract::State;
use hallway_evidence::log::{Fork, VerifierKey};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Gateway;
use crate::http::problem::Problem;
use crate::store::WitnessedLog;
use crate::witness::{Peer, ask, peers};

/// Where the realm stands with witnesses.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WitnessView {
    /// This realm's key as a witness, `name+id+base64`.
    pub key: String,
    /// Its submission prefix.
    pub url: String,
    /// The key of the realm's own log.
    pub log_key: String,
    /// How many entries the log has.
    pub log_size: u64,
    /// Who watches it.
    pub witnesses: Vec<CosignerView>,
    /// Whose logs this realm watches, or watched.
    pub witnessed: Vec<WitnessedView>,
    /// What was seen of logs that have begun anew since, newest first.
    pub former: Vec<FormerView>,
}

/// A witness of the realm's log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CosignerView {
    /// Its name.
    pub name: String,
    /// Its key, `name+id+base64`.
    pub key: String,
    /// Its submission prefix.
    pub url: String,
    /// How many entries the last checkpoint has that it cosigned.
    pub size: Option<u64>,
    /// When it did, by its clock, milliseconds since 1970.
    pub cosigned_ms: Option<u64>,
    /// When it was asked last, milliseconds since 1970.
    pub asked_ms: Option<u64>,
    /// Why it did not cosign then, if it did not.
    pub problem: Option<String>,
}

/// A log that has begun anew since.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FormerView {
    /// What was known of it.
    #[serde(flatten)]
    pub log: WitnessedView,
    /// When it began anew, milliseconds since 1970.
    pub ended_ms: u64,
    /// The evidence of the act by which it did, hexadecimal.
    pub evidence: String,
}

/// A log that is witnessed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WitnessedView {
    /// Its origin.
    pub origin: String,
    /// The key under which it signs, `name+id+base64`.
    pub key: String,
    /// Whether this realm still is its witness.
    pub watched: bool,
    /// The key that the configuration or a partner names now, if it is another one: the log is
    /// watched again once an owner says that it begins anew.
    pub other_key: Option<String>,
    /// How many entries the last checkpoint has that was cosigned.
    pub size: u64,
    /// When it was, milliseconds since 1970.
    pub cosigned_ms: u64,
    /// The proof that it was rewritten: two checkpoints that exclude one another, under its own
    /// signature (`hallway log fork`).
    #[schemars(with = "Option<serde_json::Value>")]
    pub fork: Option<Fork>,
    /// When that came, milliseconds since 1970.
    pub forked_ms: Option<u64>,
    /// How many entries the last checkpoint has that came without a proof that holds.
    pub doubted_size: Option<u64>,
    /// When that came, milliseconds since 1970.
    pub doubted_ms: Option<u64>,
}

/// Reads the state.
pub async fn look(State(gateway): State<Gateway>) -> Result<Json<WitnessView>, Problem> {
    view(&gateway).await.map(Json)
}

/// Asks the witnesses now, then reads the state.
pub async fn ask_now(State(gateway): State<Gateway>) -> Result<Json<WitnessView>, Problem> {
    ask::ask_all(&gateway).await?;
    view(&gateway).await.map(Json)
}

/// Reads the state.
///
/// # Errors
/// When the database fails.
pub async fn view(gateway: &Gateway) -> Result<WitnessView, Problem> {
    let reader = gateway.store.read();
    let mut witnesses = Vec::new();
    for peer in peers::witnesses(gateway).await? {
        witnesses.push(cosigner(gateway, peer).await?);
    }
    let mut witnessed = Vec::new();
    for log in reader.witnessed().all().await? {
        let key = peers::log_key(gateway, &log.latest.checkpoint().origin).await?;
        witnessed.push(watched(key, log));
    }
    let mut former = Vec::new();
    for was in reader.witnessed().former().await? {
        former.push(FormerView {
            log: watched(None, was.log),
            ended_ms: was.ended.as_ms(),
            evidence: was.evidence.to_string(),
        });
    }
    Ok(WitnessView {
        former,
        key: gateway.witness.key().to_string(),
        url: gateway.witness_url(),
        log_key: gateway.ledger.verifier().to_string(),
        log_size: reader.log().head().await?.size,
        witnesses,
        witnessed,
    })
}

async fn cosigner(gateway: &Gateway, peer: Peer) -> Result<CosignerView, Problem> {
    let state = gateway.store.read().cosigners().state(&peer.key).await?;
    Ok(CosignerView {
        name: peer.key.name().to_owned(),
        key: peer.key.to_string(),
        url: peer.url.to_string(),
        size: state.cosigned.as_ref().map(|cosigned| cosigned.size),
        cosigned_ms: state.cosigned.as_ref().map(|cosigned| cosigned.at.as_ms()),
        asked_ms: state.asked.map(|at| at.as_ms()),
        problem: state.problem,
    })
}

/// The state of a log, whose key is `key` now.
fn watched(key: Option<VerifierKey>, log: WitnessedLog) -> WitnessedView {
    let checkpoint = log.latest.checkpoint();
    WitnessedView {
        origin: checkpoint.origin.clone(),
        watched: key.as_ref() == Some(&log.key),
        other_key: key.filter(|key| *key != log.key).map(|key| key.to_string()),
        key: log.key.to_string(),
        size: checkpoint.size,
        cosigned_ms: log.cosigned.as_ms(),
        forked_ms: log.fork.as_ref().map(|(_, at)| at.as_ms()),
        fork: log.fork.map(|(fork, _)| fork),
        doubted_size: log.doubted.map(|(size, _)| size),
        doubted_ms: log.doubted.map(|(_, at)| at.as_ms()),
    }
}
