//! Lists and details of halls, and the bundle by which others check this realm's certificates.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hallway_api::hall::{
    AgentPresence, AgentView, DemandView, GuestView, HallRow, HallView, OfferView,
};
use hallway_evidence::statement::hall::{HallName, Right};
use hallway_spine::Gateway;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::store::Role;

use super::demands::{self, KnownKey};
use super::existence;
use crate::HallsOf;
use crate::channel::offers::{Offer, Offers};
use crate::demands::left::rights_in;
use crate::demands::needs::Unmet;
use crate::partners::description::own_bundle_json;
use crate::store::{Hall, HallAgent, HallGuest, HallTables};

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

fn agent_view(agent: &HallAgent, offers: &Offers) -> AgentView {
    let is_here = offers.hears(&agent.hall, &agent.name);
    AgentView {
        presence: if is_here {
            AgentPresence::Here
        } else {
            AgentPresence::Absent
        },
        name: agent.name.clone(),
        beside: agent.beside.clone(),
        stores: agent.stores.clone(),
        services: agent.services.clone(),
        invited_ms: agent.invited.as_ms(),
        joined_ms: agent.joined.map(|(at, _)| at.as_ms()),
        evidence: agent.evidence.to_string(),
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
            .map(|agent| agent_view(agent, offers))
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
