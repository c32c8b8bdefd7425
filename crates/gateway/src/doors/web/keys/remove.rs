//! Removing a key, which is an act: see [`crate::doors::act`].

use hallway_evidence::statement::Web;
use hallway_evidence::statement::web::RemoveKey;

use super::{credential_id, line, own};
use crate::Gateway;
use crate::depends::Ended;
use crate::doors::act::{Actor, Outcome};
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::store::{Holder, StoreError};

/// The statement that removes one of the caller's keys.
pub async fn prepare_removal(
    gateway: &Gateway,
    caller: &Caller,
    key: &str,
) -> Result<Web, Problem> {
    let credential = credential_id(key)?;
    let held = gateway
        .store
        .read()
        .credentials()
        .held_by(Holder::Person(caller.person.id))
        .await?;
    if held.len() == 1 {
        return Err(last_key());
    }
    let key = held
        .iter()
        .find(|key| key.id == credential)
        .ok_or_else(|| Problem::not_found("key"))?;
    let label = line("label", &key.label)?;
    Ok(Web::RemoveKey(RemoveKey { credential, label }))
}

fn last_key() -> Problem {
    Problem::conflict(
        "last-key",
        "this is your only key: without it nobody gets in; register another one first",
    )
}

/// Removes a key, and all that came from it.
pub async fn perform_removal(actor: &Actor<'_>, terms: &RemoveKey) -> Result<Outcome, Problem> {
    own(actor.unit, &terms.credential, actor.person.id).await?;
    let key = Ended::Key(actor.person.id, terms.credential.clone());
    actor.end(key).await?;
    actor
        .unit
        .credentials()
        .remove(&terms.credential)
        .await
        .map_err(|error| match error {
            StoreError::LastKey(_) => last_key(),
            error => error.into(),
        })?;
    Ok(Outcome::done(actor))
}
