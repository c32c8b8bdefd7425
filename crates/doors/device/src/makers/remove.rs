//! `maker.remove`: accept no more devices of a maker. What is enrolled stays enrolled.

use async_trait::async_trait;
use hallway_evidence::statement::maker::Remove;
use hallway_spine::act::{Actor, Asking, Outcome, Perform, Prepared};
use hallway_spine::http::input::line;
use hallway_spine::http::problem::Problem;
use hallway_spine::store::MakerId;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::DeviceDoor;
use crate::store::DeviceTables;

/// The maker to remove.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Its id in the list.
    maker: String,
}

#[async_trait]
impl Perform<DeviceDoor> for Remove {
    type Request = Request;

    async fn prepare(asking: &Asking<'_>, request: Request) -> Result<Prepared<Self>, Problem> {
        let missing = || Problem::not_found("maker");
        let id: MakerId = request.maker.parse().map_err(|_| missing())?;
        let makers = asking.gateway.store.read().makers();
        let found = makers.get(id).await?.ok_or_else(missing)?;
        let terms = Self {
            name: line("name", &found.name)?,
            certificate: found.sha256,
        };
        Ok(terms.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let makers = actor.unit.makers();
        let found = makers.by_certificate(&self.certificate).await?;
        let found = found.ok_or_else(|| Problem::not_found("maker"))?;
        makers.remove(found.id, actor.now).await?;
        Ok(actor.done())
    }
}
