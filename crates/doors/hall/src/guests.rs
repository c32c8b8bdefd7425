//! Guests: `hall.admit` and `hall.dismiss`.

use async_trait::async_trait;
use hallway_evidence::statement::hall::{
    Admit, Dismiss, Guest, HallName, NamedPerson, Rights, Visitor, Whom,
};
use hallway_evidence::{Line, PersonId, RealmName};
use hallway_spine::Gateway;
use hallway_spine::act::{Actor, Asking, Outcome, Perform, Prepared};
use hallway_spine::http::input::line;
use hallway_spine::http::problem::Problem;
use hallway_spine::store::Role;
use schemars::JsonSchema;
use serde::Deserialize;

use super::demands::{self, NeedsRequest};
use super::existence::{exists, find, refused};
use crate::channel::names;
use crate::depends::{self, Ended};
use crate::partners::active;
use crate::store::{GuestId, HallGuest, HallTables, VisitorId};
use crate::{HallDoor, HallsOf};

/// A guest who is to be admitted. Rights are `read:STORE`, `write:STORE`, `delete:STORE` and
/// `connect:SERVICE`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdmitRequest {
    /// The hall.
    #[schemars(with = "String")]
    hall: HallName,
    /// The guest.
    guest: GuestRequest,
    /// The rights of the guest.
    #[schemars(with = "Vec<String>")]
    rights: Rights,
    /// The demands.
    #[serde(default)]
    needs: NeedsRequest,
}

/// A guest who is to be dismissed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DismissRequest {
    /// The hall.
    #[schemars(with = "String")]
    hall: HallName,
    /// The guest.
    guest: GuestRequest,
}

/// The guest: one of these.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum GuestRequest {
    /// A person of the realm.
    Person(#[schemars(with = "String")] PersonId),
    /// Everybody who has this role or one that includes it.
    Role(#[schemars(with = "String")] Role),
    /// A guest of a partner.
    Visitor {
        /// The realm of the partner.
        #[schemars(with = "String")]
        realm: RealmName,
        /// The guest in that realm.
        whom: WhomRequest,
    },
}

/// A guest of a partner: one of these.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WhomRequest {
    /// A person of the partner.
    Person {
        /// The person's id in the partner's realm.
        #[schemars(with = "String")]
        id: PersonId,
        /// The signer's name for the person; the id without it.
        #[schemars(with = "Option<String>")]
        name: Option<Line>,
    },
    /// Everybody of the partner who has this role there or one that includes it.
    Role(#[schemars(with = "String")] Role),
}

#[async_trait]
impl Perform<HallDoor> for Admit {
    type Request = AdmitRequest;

    async fn prepare(
        asking: &Asking<'_>,
        request: AdmitRequest,
    ) -> Result<Prepared<Self>, Problem> {
        let gateway = asking.gateway;
        find(gateway, &request.hall).await?;
        let agents = gateway.store.read().hall_agents();
        let agents = agents.of_hall(&request.hall).await?;
        let offers = &gateway.halls().offers;
        names::are_provided(offers, &agents, &request.hall, &request.rights)?;
        let terms = Self {
            guest: named(asking.gateway, request.guest).await?,
            hall: request.hall,
            rights: request.rights,
            needs: demands::demanded(asking.gateway, request.needs)?,
        };
        Ok(terms.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        exists(actor, &self.hall).await?;
        let agents = actor.unit.hall_agents().of_hall(&self.hall).await?;
        let offers = &actor.gateway.halls().offers;
        names::are_provided(offers, &agents, &self.hall, &self.rights)?;
        if let Guest::Visitor(visitor) = &self.guest {
            active(actor.unit, &visitor.realm).await?;
        }
        let guest = HallGuest {
            hall: self.hall.clone(),
            guest: guest_id(&self.guest),
            rights: self.rights.clone(),
            needs: self.needs.clone(),
            admitted: actor.now,
            evidence: actor.evidence,
        };
        actor.unit.halls().admit(&guest).await.map_err(refused)?;
        // An earlier admission of the same guest may have given more rights.
        depends::end_by(actor, Ended::Admission(self.hall.clone())).await?;
        Ok(actor.done())
    }
}

#[async_trait]
impl Perform<HallDoor> for Dismiss {
    type Request = DismissRequest;

    async fn prepare(
        asking: &Asking<'_>,
        DismissRequest { hall, guest }: DismissRequest,
    ) -> Result<Prepared<Self>, Problem> {
        find(asking.gateway, &hall).await?;
        let guest = named(asking.gateway, guest).await?;
        let admitted = asking.gateway.store.read().halls().guests(&hall).await?;
        if !admitted.iter().any(|one| one.guest == guest_id(&guest)) {
            return Err(Problem::not_found("guest"));
        }
        Ok(Self { hall, guest }.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        actor
            .unit
            .halls()
            .dismiss(&self.hall, &guest_id(&self.guest))
            .await
            .map_err(refused)?;
        depends::end_by(actor, Ended::Admission(self.hall.clone())).await?;
        Ok(actor.done())
    }
}

async fn named(gateway: &Gateway, guest: GuestRequest) -> Result<Guest, Problem> {
    Ok(match guest {
        GuestRequest::Role(role) => Guest::Role(role),
        GuestRequest::Person(id) => {
            let person = gateway.store.read().people().get(id).await?;
            let person = person.ok_or_else(|| Problem::not_found("person"))?;
            let name = line("name", &person.name)?;
            Guest::Person(NamedPerson { id, name })
        }
        GuestRequest::Visitor { realm, whom } => {
            active(gateway.store.read(), &realm).await?;
            let whom = match whom {
                WhomRequest::Role(role) => Whom::Role(role),
                WhomRequest::Person { id, name } => Whom::Person(NamedPerson {
                    id,
                    name: name.unwrap_or_else(|| Line::nearest(&id.to_string())),
                }),
            };
            Guest::Visitor(Visitor { realm, whom })
        }
    })
}

fn guest_id(guest: &Guest) -> GuestId {
    match guest {
        Guest::Person(person) => GuestId::Person(person.id),
        Guest::Role(role) => GuestId::Role(*role),
        Guest::Visitor(Visitor { realm, whom }) => {
            let whom = match whom {
                Whom::Person(person) => VisitorId::Person(person.id),
                Whom::Role(role) => VisitorId::Role(*role),
            };
            GuestId::Visitor(realm.clone(), whom)
        }
    }
}
