//! A log begins anew under its old name with another key: lawfully, if its operator lost the old log. A
//! witness knows a log by its name alone, so an owner must confirm this with a touch. The last state of the
//! old log, and a proof that it was rewritten, are kept.

use async_trait::async_trait;
use hallway_evidence::Line;
use hallway_evidence::log::VerifierKey;
use hallway_evidence::statement::witness::{BeginLogAnew, SeenLog};
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::act::{Actor, Asking, Outcome, Perform, Prepared, Registered, act};
use crate::http::problem::{Code, Problem};
use crate::store::{StoreError, Unit, WitnessedLog};
use crate::witness::{Witness, peers};

/// The log.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The origin line of its checkpoints. The configuration or a partner names its new key.
    origin: String,
}

/// The acts of the realm as a witness.
pub fn acts() -> Vec<Registered> {
    vec![act::<Witness, BeginLogAnew>()]
}

#[async_trait]
impl Perform<Witness> for BeginLogAnew {
    type Request = Request;

    async fn prepare(
        asking: &Asking<'_>,
        Request { origin }: Request,
    ) -> Result<Prepared<Self>, Problem> {
        let known = asking.gateway.store.read().witnessed().of(&origin).await?;
        let known = known.ok_or_else(|| Problem::not_found("witnessed log"))?;
        let key = peers::log_key(asking.gateway, &origin).await?;
        let key = key.filter(|key| *key != known.key).ok_or_else(same_key)?;
        let terms = Self {
            origin: Line::new(origin.as_str()).map_err(|error| Problem::internal(&error))?,
            seen: seen(&known),
            key: *key.public(),
        };
        Ok(terms.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let key = peers::log_key(actor.gateway, &self.origin).await?;
        if key.is_none_or(|key| *key.public() != self.key || self.key == self.seen.key) {
            return Err(same_key());
        }
        put_aside(actor, &self.origin, &self.seen).await?;
        Ok(actor.done())
    }
}

/// The stored state of a log that has another key now.
///
/// # Errors
/// The database fails.
pub async fn seen_before(
    reader: &Unit<'_>,
    key: &VerifierKey,
) -> Result<Option<SeenLog>, StoreError> {
    let known = reader.witnessed().of(key.name()).await?;
    Ok(known
        .filter(|known| known.key != *key)
        .map(|known| seen(&known)))
}

/// Stores the state of the old log separately, so that the log can begin anew.
///
/// # Errors
/// 409 if the state has changed meanwhile.
pub async fn put_aside(actor: &Actor<'_>, origin: &str, terms: &SeenLog) -> Result<(), Problem> {
    let witnessed = actor.unit.witnessed();
    let known = witnessed.of(origin).await?;
    let known = known.filter(|known| seen(known) == *terms).ok_or_else(|| {
        Problem::new(
            Code::LogMoved,
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
    Problem::new(
        Code::SameLog,
        "a log begins anew only under another key: put it under [[witnessed]] in hallway.toml, or \
         leave the partner and invite it again",
    )
}
