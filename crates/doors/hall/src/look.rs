//! Lists and details of halls, and the bundle by which others check this realm's certificates.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hallway_evidence::statement::hall::{
    AgentName, HallName, Names, Needs, Right, Rights, ServiceName, StoreName,
};
use hallway_spine::Gateway;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::store::Role;
use schemars::JsonSchema;
use serde::Serialize;

use super::demands::{self, KnownKey};
use super::existence;
use crate::HallsOf;
use crate::channel::offers::{Offer, Offers};
use crate::demands::left::rights_in;
use crate::demands::needs::Unmet;
use crate::partners::description::own_bundle_json;
use crate::store::{Hall, HallAgent, HallGuest, HallTables};

/// A hall in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HallRow {
    /// Its name.
    #[schemars(with = "String")]
    pub name: HallName,
    /// Its title.
    pub title: String,
    /// The caller's rights in it.
    #[schemars(with = "Vec<String>")]
    pub rights: Vec<Right>,
    /// How many people are inside through this gateway.
    pub inside: usize,
}

/// One hall.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HallView {
    /// As in the list.
    #[serde(flatten)]
    pub row: HallRow,
    /// The services that the caller may use; operators and owners see all.
    pub services: Vec<OfferView>,
    /// The stores that the caller may use; operators and owners see all.
    pub stores: Vec<OfferView>,
    /// Who may enter: for operators and owners.
    pub guests: Vec<GuestView>,
    /// The machines that were invited: for operators and owners.
    pub agents: Vec<AgentView>,
    /// The caller's own admissions that demand something.
    pub demands: Vec<DemandView>,
}

/// An admission of the caller's that demands something.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DemandView {
    /// The rights that it gives.
    #[schemars(with = "Vec<String>")]
    pub rights: Rights,
    /// The demands, as a sentence.
    pub needs: String,
    /// The least role of the person who has to approve each opening, if one has to.
    #[schemars(with = "Option<String>")]
    pub approval: Option<Role>,
    /// The other demands that are not met now, a sentence each, by the caller's key that meets the
    /// most.
    pub missing: Vec<String>,
}

/// A store or service that a hall offers now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OfferView {
    /// The name by which rights name it.
    pub name: String,
    /// The agent that provides it; null for the gateway itself.
    #[schemars(with = "Option<String>")]
    pub agent: Option<AgentName>,
}

/// An admission.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GuestView {
    /// `person/UUID` or `role/ROLE`.
    pub guest: String,
    /// The rights of the guest.
    #[schemars(with = "Vec<String>")]
    pub rights: Rights,
    /// The demands: `key`, `approval` and `hours`, as in `hall.admit`.
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub needs: Needs,
    /// When the guest was admitted, milliseconds since 1970.
    pub admitted_ms: u64,
    /// The evidence, hexadecimal.
    pub evidence: String,
}

/// An agent.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AgentView {
    /// Its name.
    #[schemars(with = "String")]
    pub name: AgentName,
    /// The agent that provides the same beside it.
    #[schemars(with = "Option<String>")]
    pub beside: Option<AgentName>,
    /// The stores that it was invited to provide.
    #[schemars(with = "Vec<String>")]
    pub stores: Names<StoreName>,
    /// The services that it was invited to provide.
    #[schemars(with = "Vec<String>")]
    pub services: Names<ServiceName>,
    /// When it was invited, milliseconds since 1970.
    pub invited_ms: u64,
    /// When it joined.
    pub joined_ms: Option<u64>,
    /// Whether it is connected to this gateway now: `here`, or `absent`.
    pub presence: &'static str,
    /// The evidence, hexadecimal.
    pub evidence: String,
}

impl<N: ToString> From<Offer<N>> for OfferView {
    fn from(offer: Offer<N>) -> Self {
        Self {
            name: offer.name.to_string(),
            agent: offer.agent,
        }
    }
}

impl From<&HallGuest> for GuestView {
    fn from(guest: &HallGuest) -> Self {
        Self {
            guest: guest.guest.to_string(),
            rights: guest.rights.clone(),
            needs: guest.needs.clone(),
            admitted_ms: guest.admitted.as_ms(),
            evidence: guest.evidence.to_string(),
        }
    }
}

impl AgentView {
    fn new(agent: &HallAgent, offers: &Offers) -> Self {
        let is_here = offers.hears(&agent.hall, &agent.name);
        Self {
            presence: if is_here { "here" } else { "absent" },
            name: agent.name.clone(),
            beside: agent.beside.clone(),
            stores: agent.stores.clone(),
            services: agent.services.clone(),
            invited_ms: agent.invited.as_ms(),
            joined_ms: agent.joined.map(|(at, _)| at.as_ms()),
            evidence: agent.evidence.to_string(),
        }
    }
}

/// A hall that the caller may see, with the caller's rights.
#[derive(Debug)]
pub struct Seen {
    /// The hall.
    pub hall: Hall,
    /// The caller's rights.
    pub rights: Vec<Right>,
}

/// The halls that the caller may see: members see those that admit them, operators and owners see
/// all.
pub async fn seen(gateway: &Gateway, caller: &Caller) -> Result<Vec<Seen>, Problem> {
    let halls = gateway.store.read().halls();
    let admissions = halls
        .admissions(caller.person.id, caller.person.role)
        .await?;
    let sees_all = caller.person.role >= Role::Operator;
    let all = halls.all().await?.into_iter().map(|hall| Seen {
        rights: rights_in(&admissions, &hall.name),
        hall,
    });
    Ok(all
        .filter(|seen| sees_all || !seen.rights.is_empty())
        .collect())
}

/// One hall that the caller may see, or 404.
pub async fn find(gateway: &Gateway, caller: &Caller, name: &str) -> Result<Seen, Problem> {
    let all = seen(gateway, caller).await?;
    all.into_iter()
        .find(|seen| seen.hall.name.as_str() == name)
        .ok_or_else(|| match name.parse() {
            Ok(name) => existence::missing(&name),
            Err(_) => Problem::not_found("hall"),
        })
}

fn row(gateway: &Gateway, seen: Seen) -> HallRow {
    HallRow {
        inside: gateway.halls().inside.guests(Some(&seen.hall.name)).len(),
        name: seen.hall.name,
        title: seen.hall.title,
        rights: seen.rights,
    }
}

/// Lists the halls.
pub async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
) -> Result<Json<Vec<HallRow>>, Problem> {
    let seen = seen(&gateway, &caller).await?;
    Ok(Json(
        seen.into_iter().map(|seen| row(&gateway, seen)).collect(),
    ))
}

/// One hall.
pub async fn one(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<HallView>, Problem> {
    let seen = find(&gateway, &caller, &name).await?;
    let sees_all = caller.person.role >= Role::Operator;
    let name = seen.hall.name.clone();
    let (mut guests, mut agents) = (Vec::new(), Vec::new());
    if sees_all {
        let reader = gateway.store.read();
        guests = reader.halls().guests(&name).await?;
        agents = reader.hall_agents().of_hall(&name).await?;
    }
    let rights = &seen.rights;
    let offers = &gateway.halls().offers;
    let services = offers.services(&name).into_iter().filter(|offer| {
        sees_all
            || rights
                .iter()
                .any(|right| right.service() == Some(&offer.name))
    });
    let stores = offers.stores(&name).into_iter().filter(|offer| {
        sees_all
            || rights
                .iter()
                .any(|right| right.store() == Some(&offer.name))
    });
    Ok(Json(HallView {
        services: services.map(OfferView::from).collect(),
        stores: stores.map(OfferView::from).collect(),
        guests: guests.iter().map(GuestView::from).collect(),
        agents: agents
            .iter()
            .map(|agent| AgentView::new(agent, offers))
            .collect(),
        demands: demands_of(&gateway, &caller, &name).await?,
        row: row(&gateway, seen),
    }))
}

/// The demands of the caller's admissions to a hall.
///
/// # Errors
/// The database.
pub async fn demands_of(
    gateway: &Gateway,
    caller: &Caller,
    hall: &HallName,
) -> Result<Vec<DemandView>, Problem> {
    let (reader, person) = (gateway.store.read(), &caller.person);
    let admissions = reader.halls().admissions(person.id, person.role).await?;
    let mut demanding = demands::to_hall(&admissions, hall);
    demanding.retain(|admission| !admission.needs.is_empty());
    if demanding.is_empty() {
        return Ok(Vec::new());
    }
    let keys = KnownKey::of(reader, person).await?;
    let missing = |admission: &HallGuest| -> Vec<Unmet> {
        let unmet = |key| {
            let mut unmet = demands::unmet(gateway, admission, key);
            unmet.retain(|unmet| !matches!(unmet, Unmet::Approval(_)));
            unmet
        };
        keys.iter()
            .map(unmet)
            .min_by_key(Vec::len)
            .unwrap_or_default()
    };
    let view = |admission: &&HallGuest| DemandView {
        rights: admission.rights.clone(),
        needs: admission.needs.to_string(),
        approval: admission.needs.approval,
        missing: missing(admission).iter().map(ToString::to_string).collect(),
    };
    Ok(demanding.iter().map(view).collect())
}

/// The realm's SPIFFE trust bundle (SPIFFE Trust Domain and Bundle, 4), for anybody.
pub async fn bundle(State(gateway): State<Gateway>) -> Result<Response, Problem> {
    let json = own_bundle_json(&gateway).map_err(|error| Problem::internal(&error))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], json).into_response())
}
