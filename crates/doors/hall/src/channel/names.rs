//! The names of stores and services. Each belongs to the gateway, by its configuration, or to one
//! agent of the hall, by its invitation.

use std::collections::BTreeSet;
use std::fmt;

use hallway_evidence::statement::hall::{
    AgentName, HallName, InviteAgent, Names, Rights, ServiceName, StoreName,
};
use hallway_hall::Provides;
use hallway_spine::Gateway;
use hallway_spine::http::peer::Peer;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::store::{Store, StoreError};

use super::inside::{Thing, Who};
use super::routes::Caller;
use super::{Offers, standing};
use crate::HallsOf;
use crate::store::{HallAgent, HallTables};

/// The provider to whom a name belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// This gateway, by its configuration.
    Configuration,
    /// An agent, by its invitation.
    Agent(AgentName),
}

/// A name that another provider has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{thing} of the hall “{hall}” is provided by {by}")]
pub struct Taken {
    /// The hall.
    pub hall: HallName,
    /// The store or service.
    pub thing: Thing,
    /// The provider that has the name.
    pub by: Holder,
}

/// A store or service that rights name and nobody provides.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the hall “{hall}” does not have {thing}{}. If it is to come, give the hall first what provides \
     it: in [hall] of the gateway's hallway.toml, or by inviting an agent for it",
    there_is(.provided)
)]
pub struct NotProvided {
    /// The hall.
    pub hall: HallName,
    /// The store or service.
    pub thing: Thing,
    /// The names of its kind that are provided.
    pub provided: BTreeSet<String>,
}

fn there_is(provided: &BTreeSet<String>) -> String {
    if provided.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = provided.iter().map(String::as_str).collect();
    format!("; it has: {}", names.join(", "))
}

/// Why a gateway does not start: its configuration uses a name that belongs to an agent.
#[derive(Debug, thiserror::Error)]
pub enum CollisionError {
    /// The name.
    #[error(
        "{0}, by an owner's touch, and hallway.toml provides it as well: give it another name \
         there, or take it out, start, and dismiss the agent"
    )]
    Taken(#[from] Taken),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration => f.write_str("the configuration of this gateway"),
            Self::Agent(agent) => write!(f, "the agent “{agent}”"),
        }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(store) => write!(f, "the store “{store}”"),
            Self::Service(service) => write!(f, "the service “{service}”"),
        }
    }
}

impl From<Taken> for Problem {
    fn from(taken: Taken) -> Self {
        Self::new(Code::NameTaken, format!("{taken}; choose another name"))
    }
}

impl From<NotProvided> for Problem {
    fn from(lacking: NotProvided) -> Self {
        let detail = lacking.to_string();
        let provided: Vec<String> = lacking.provided.into_iter().collect();
        Self::new(Code::NoProvider, detail).with("provided", provided)
    }
}

/// The names that an agent was invited for.
pub fn things(stores: &Names<StoreName>, services: &Names<ServiceName>) -> Vec<Thing> {
    let stores = stores.iter().cloned().map(Thing::Store);
    stores
        .chain(services.iter().cloned().map(Thing::Service))
        .collect()
}

impl Thing {
    /// The name of a thing that is of the same kind as `other`.
    fn name_like(&self, other: &Self) -> Option<String> {
        match (self, other) {
            (Self::Store(name), Self::Store(_)) => Some(name.to_string()),
            (Self::Service(name), Self::Service(_)) => Some(name.to_string()),
            (Self::Store(_), Self::Service(_)) | (Self::Service(_), Self::Store(_)) => None,
        }
    }
}

impl HallAgent {
    /// Whether the agent was invited to provide the thing.
    fn may_provide(&self, thing: &Thing) -> bool {
        match thing {
            Thing::Store(store) => self.stores.contains(store),
            Thing::Service(service) => self.services.contains(service),
        }
    }
}

/// Whether an invitation can be given, where `agents` are the agents of its hall.
///
/// # Errors
/// 409 `name-taken`; 409 `not-beside` when the agent that it is to stand beside has other names.
pub fn can_be_given(
    offers: &Offers,
    agents: &[HallAgent],
    invitation: &InviteAgent,
) -> Result<(), Problem> {
    let InviteAgent {
        hall,
        agent: name,
        beside,
        ..
    } = invitation;
    let wanted = &things(&invitation.stores, &invitation.services);
    if let Some(beside) = beside {
        let other = agents.iter().find(|agent| agent.name == *beside);
        let has = |thing: &Thing| other.is_some_and(|other| other.may_provide(thing));
        let lacking = wanted.iter().find(|thing| !has(thing));
        if beside == name || lacking.is_some() {
            let what = lacking.map_or_else(|| "anything".to_owned(), ToString::to_string);
            return Err(Problem::new(
                Code::NotBeside,
                format!("no other agent “{beside}” provides {what} in the hall “{hall}”"),
            ));
        }
    }
    for thing in wanted {
        let alone =
            |agent: &&HallAgent| agent.name != *name && Some(&agent.name) != beside.as_ref();
        let others = agents.iter().filter(alone);
        let holder = if offers.provides_itself(hall, thing) {
            Some(Holder::Configuration)
        } else {
            let mut having = others.filter(|agent| agent.may_provide(thing));
            having.next().map(|agent| Holder::Agent(agent.name.clone()))
        };
        if let Some(by) = holder {
            return Err(Taken {
                hall: hall.clone(),
                thing: thing.clone(),
                by,
            }
            .into());
        }
    }
    Ok(())
}

/// Whether a hall has all that rights name, where `agents` are its agents: by this gateway's
/// configuration, or because an agent was invited to provide it, whether it is here or not.
///
/// # Errors
/// [`NotProvided`], 409 `not-provided`, for the first that it does not have.
pub fn are_provided(
    offers: &Offers,
    agents: &[HallAgent],
    hall: &HallName,
    rights: &Rights,
) -> Result<(), NotProvided> {
    let is_there = |thing: &Thing| {
        offers.provides_itself(hall, thing) || agents.iter().any(|agent| agent.may_provide(thing))
    };
    let Some(thing) = rights
        .iter()
        .map(Thing::from)
        .find(|thing| !is_there(thing))
    else {
        return Ok(());
    };
    let theirs = agents
        .iter()
        .flat_map(|agent| things(&agent.stores, &agent.services));
    let provided = offers.own_things(hall).chain(theirs);
    Err(NotProvided {
        hall: hall.clone(),
        provided: provided
            .filter_map(|there| there.name_like(&thing))
            .collect(),
        thing,
    })
}

/// Checks that no name of the configuration belongs to an agent.
///
/// # Errors
/// [`CollisionError`].
pub async fn check_configuration(store: &Store, offers: &Offers) -> Result<(), CollisionError> {
    for hall in offers.halls() {
        let agents = store.read().hall_agents().of_hall(hall).await?;
        for agent in agents {
            let own = things(&agent.stores, &agent.services);
            if let Some(thing) = own
                .into_iter()
                .find(|thing| offers.provides_itself(hall, thing))
            {
                return Err(CollisionError::Taken(Taken {
                    hall: hall.clone(),
                    thing,
                    by: Holder::Agent(agent.name),
                }));
            }
        }
    }
    Ok(())
}

/// Whether a connected agent may provide what it announces. A refusal is logged.
///
/// # Errors
/// 403 `not-invited-for`, 409 `name-taken`, 400 `malformed`; 403 when it was put out meanwhile.
pub async fn judge(
    gateway: &Gateway,
    caller: &Caller,
    announced: Result<Provides, hallway_api::Problem>,
) -> Result<(), Problem> {
    let judged = weigh(gateway, caller, announced).await;
    if let Err(problem) = &judged {
        tracing::warn!(who = %caller.presence.who, detail = problem.detail, "an agent was refused");
        let peer = Peer {
            address: caller.address.clone(),
            agent: "hallway agent".to_owned(),
            session: None,
        };
        gateway.refuse(crate::NAME, problem, &peer).await;
    }
    judged
}

async fn weigh(
    gateway: &Gateway,
    caller: &Caller,
    announced: Result<Provides, hallway_api::Problem>,
) -> Result<(), Problem> {
    let Who::Agent { hall, name, key } = &caller.presence.who else {
        return Err(Problem::new(Code::Guest, "only an agent provides anything"));
    };
    let announced = announced.map_err(|refused| Problem::malformed(refused.detail))?;
    let agent = standing::agent(gateway.store.read(), hall, name, key).await?;
    let stores = announced.stores.into_iter().map(Thing::Store);
    let services = announced.services.into_iter().map(Thing::Service);
    for thing in stores.chain(services) {
        if !agent.may_provide(&thing) {
            return Err(Problem::new(
                Code::NotInvitedFor,
                format!(
                    "{thing} is none that the agent “{name}” was invited to provide in the hall \
                     “{hall}”; take it out of the agent's configuration, or invite the agent anew \
                     for it"
                ),
            ));
        }
        if gateway.halls().offers.provides_itself(hall, &thing) {
            return Err(Taken {
                hall: hall.clone(),
                thing,
                by: Holder::Configuration,
            }
            .into());
        }
    }
    Ok(())
}
