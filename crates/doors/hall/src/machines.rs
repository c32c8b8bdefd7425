//! Machines that provide what is in a hall: `hall.invite_agent` and `hall.dismiss_agent`.

use std::time::Duration;

use async_trait::async_trait;
use hallway_evidence::statement::hall::{
    AgentName, DismissAgent, HallName, InviteAgent, Names, ServiceName, StoreName,
};
use hallway_spine::act::{Actor, Asking, Outcome, Perform, Prepared};
use hallway_spine::http::problem::Problem;
use schemars::JsonSchema;
use serde::Deserialize;

use super::existence::{exists, find, refused};
use crate::channel::names;
use crate::store::{HallAgent, HallTables};
use crate::{HallDoor, HallsOf};

/// How long an agent's invitation is valid: an hour.
const INVITATION_LIFETIME: Duration = Duration::from_secs(3600);

/// The machine that is invited by a one-time token.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// The hall.
    #[schemars(with = "String")]
    hall: HallName,
    /// The machine's name in the hall.
    #[schemars(with = "String")]
    agent: AgentName,
    /// Another agent of the hall that provides the same, so that one of the two may fail.
    #[schemars(with = "Option<String>")]
    #[serde(default)]
    beside: Option<AgentName>,
    /// The stores that it alone may provide in the hall.
    #[schemars(with = "Vec<String>")]
    #[serde(default)]
    stores: Names<StoreName>,
    /// The services that it alone may provide in the hall.
    #[schemars(with = "Vec<String>")]
    #[serde(default)]
    services: Names<ServiceName>,
}

/// The machine to dismiss.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DismissRequest {
    /// The hall.
    #[schemars(with = "String")]
    hall: HallName,
    /// The machine.
    #[schemars(with = "String")]
    agent: AgentName,
}

#[async_trait]
impl Perform<HallDoor> for InviteAgent {
    type Request = InviteRequest;

    async fn prepare(
        asking: &Asking<'_>,
        request: InviteRequest,
    ) -> Result<Prepared<Self>, Problem> {
        let gateway = asking.gateway;
        find(gateway, &request.hall).await?;
        if request.stores.is_empty() && request.services.is_empty() {
            return Err(Problem::malformed(
                "name at least one store or service that the agent provides",
            ));
        }
        let invitation = Self {
            hall: request.hall,
            agent: request.agent,
            beside: request.beside,
            stores: request.stores,
            services: request.services,
            token: asking.link().0,
            expires: gateway.now().plus(INVITATION_LIFETIME),
        };
        let agents = gateway.store.read().hall_agents();
        let agents = agents.of_hall(&invitation.hall).await?;
        names::can_be_given(&gateway.halls().offers, &agents, &invitation)?;
        Ok(invitation.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        exists(actor, &self.hall).await?;
        let agents = actor.unit.hall_agents().of_hall(&self.hall).await?;
        names::can_be_given(&actor.gateway.halls().offers, &agents, self)?;
        let agent = HallAgent {
            hall: self.hall.clone(),
            name: self.agent.clone(),
            beside: self.beside.clone(),
            stores: self.stores.clone(),
            services: self.services.clone(),
            token: self.token.into(),
            expires: self.expires,
            joined: None,
            invited: actor.now,
            evidence: actor.evidence,
        };
        actor
            .unit
            .hall_agents()
            .invite(&agent)
            .await
            .map_err(refused)?;
        Ok(actor.done_with_link("halls", self.expires))
    }
}

#[async_trait]
impl Perform<HallDoor> for DismissAgent {
    type Request = DismissRequest;

    async fn prepare(
        asking: &Asking<'_>,
        DismissRequest { hall, agent }: DismissRequest,
    ) -> Result<Prepared<Self>, Problem> {
        let agents = asking.gateway.store.read().hall_agents();
        if agents.get(&hall, &agent).await?.is_none() {
            return Err(Problem::not_found("agent"));
        }
        Ok(Self { hall, agent }.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let agents = actor.unit.hall_agents();
        agents
            .dismiss(&self.hall, &self.agent)
            .await
            .map_err(refused)?;
        Ok(actor.done())
    }
}
