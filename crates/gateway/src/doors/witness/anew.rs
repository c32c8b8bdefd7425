//! A log that begins anew under its old name, with another key: lawfully, when whoever runs it lost
//! what it was. A witness goes by the name alone, so an owner has to say so with a touch. What was
//! seen until then, and a proof that it was rewritten, are kept.

use hallway_evidence::Line;
use hallway_evidence::log::VerifierKey;
use hallway_evidence::statement::hall::{BeginLogAnew, Hall as HallAct, SeenLog};
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::act::{Actor, Outcome, includes, role_needed};
use crate::Gateway;
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::store::{Repositories, Role, StoreError, WitnessedLog};
use crate::witness::peers;

/// An act of the realm as a witness, as asked for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum WitnessRequest {
    /// Be witness of a log from its beginning anew, under the key that the configuration or a
    /// partner names now.
    BeginLogAnew {
        /// Which log: the origin line of its checkpoints.
        origin: String,
    },
}

/// The statement of the act.
///
/// # Errors
/// The caller is no owner, nothing was seen of the log, or it has no other key than before.
pub async fn prepare(
    gateway: &Gateway,
    caller: &Caller,
    request: WitnessRequest,
) -> Result<HallAct, Problem> {
    if !includes(caller.person.role, Role::Owner) {
        return Err(role_needed(Role::Owner));
    }
    let WitnessRequest::BeginLogAnew { origin } = request;
    let known = gateway.store.read().witnessed().of(&origin).await?;
    let known = known.ok_or_else(|| Problem::not_found("witnessed log"))?;
    let key = peers::log_key(gateway, &origin).await?;
    let key = key.filter(|key| *key != known.key).ok_or_else(same_key)?;
    Ok(HallAct::BeginLogAnew(BeginLogAnew {
        origin: Line::new(origin.as_str()).map_err(|error| Problem::internal(&error))?,
        seen: seen(&known),
        key: *key.public(),
    }))
}

/// Does what an owner signed.
///
/// # Errors
/// The signer is no owner, or the log or its key is another by now.
pub async fn perform(actor: &Actor<'_>, terms: &BeginLogAnew) -> Result<Outcome, Problem> {
    actor.needs(Role::Owner)?;
    let key = peers::log_key(actor.gateway, &terms.origin).await?;
    if key.is_none_or(|key| *key.public() != terms.key || terms.key == terms.seen.key) {
        return Err(same_key());
    }
    put_aside(actor, &terms.origin, &terms.seen).await?;
    Ok(Outcome::done(actor))
}

/// What was seen of a log that has another key now.
///
/// # Errors
/// The database.
pub async fn seen_before(
    reader: &dyn Repositories,
    key: &VerifierKey,
) -> Result<Option<SeenLog>, StoreError> {
    let known = reader.witnessed().of(key.name()).await?;
    Ok(known
        .filter(|known| known.key != *key)
        .map(|known| seen(&known)))
}

/// Keeps what was seen aside, so that the log can begin anew.
///
/// # Errors
/// 409 when something else was seen by now.
pub async fn put_aside(actor: &Actor<'_>, origin: &str, terms: &SeenLog) -> Result<(), Problem> {
    let witnessed = actor.unit.witnessed();
    let known = witnessed.of(origin).await?;
    let known = known.filter(|known| seen(known) == *terms).ok_or_else(|| {
        Problem::conflict(
            "log-moved",
            format!("something else was seen of the log {origin} by now; look again"),
        )
    })?;
    Ok(witnessed
        .begin_anew(&known, actor.evidence, actor.now)
        .await?)
}

fn seen(known: &WitnessedLog) -> SeenLog {
    let checkpoint = known.latest.checkpoint();
    SeenLog {
        key: *known.key.public(),
        size: checkpoint.size,
        root: checkpoint.root,
        rewritten: known.fork.as_ref().map(|(_, at)| *at),
    }
}

fn same_key() -> Problem {
    Problem::conflict(
        "same-log",
        "a log begins anew only under another key: put it under [[witnessed]] in hallway.toml, or \
         leave the partner and invite it again",
    )
}
