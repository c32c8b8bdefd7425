//! `web.remove_key`: removes a key of the signer's.

use async_trait::async_trait;
use hallway_evidence::statement::web::RemoveKey;
use hallway_spine::act::{Actor, Asking, Outcome, Perform, Prepared};
use hallway_spine::depends::Ended;
use hallway_spine::http::input::line;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::store::{Holder, StoreError};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{credential_id, own};
use crate::Web;

/// The key to remove.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The credential id, base64url.
    key: String,
}

#[async_trait]
impl Perform<Web> for RemoveKey {
    type Request = Request;

    async fn prepare(asking: &Asking<'_>, request: Request) -> Result<Prepared<Self>, Problem> {
        let credential = credential_id(&request.key)?;
        let credentials = asking.gateway.store.read().credentials();
        let holder = Holder::Person(asking.caller.person.id);
        let held = credentials.held_by(holder).await?;
        if held.len() == 1 {
            return Err(last_key());
        }
        let key = held
            .iter()
            .find(|key| key.id == credential)
            .ok_or_else(|| Problem::not_found("key"))?;
        let label = line("label", &key.label)?;
        Ok(Self { credential, label }.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        own(actor.unit, &self.credential, actor.person.id).await?;
        let key = Ended::Key(actor.person.id, self.credential.clone());
        actor.end(key).await?;
        actor
            .unit
            .credentials()
            .remove(&self.credential)
            .await
            .map_err(|error| match error {
                StoreError::LastKey(_) => last_key(),
                error => error.into(),
            })?;
        Ok(actor.done())
    }
}

fn last_key() -> Problem {
    Problem::new(
        Code::LastKey,
        "this is your only key; register another one before you remove it",
    )
}
