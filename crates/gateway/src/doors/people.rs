//! Who belongs to the realm: inviting, recovering, roles, suspending. Owners decide.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use hallway_evidence::PersonId;
use hallway_evidence::statement::People;
use hallway_evidence::statement::people::{ChangeRole, Invite, Named, Recover};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::act::{Actor, Outcome};
use super::web::keys::line;
use super::web::links::{self, New};
use crate::Gateway;
use crate::depends::Ended;
use crate::http::input::Asked;
use crate::http::page::{PageQuery, PageView};
use crate::http::problem::Problem;
use crate::store::{
    Holder, Person, PersonState, Purpose as LinkPurpose, Repositories, Role, StoreError, TokenHash,
};

/// How long an invitation is good: a week.
const INVITATION: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a recovery link is good: a day.
const RECOVERY: Duration = Duration::from_secs(24 * 3600);

/// A person in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PersonRow {
    /// A UUID.
    #[schemars(with = "String")]
    pub id: PersonId,
    /// The name.
    pub name: String,
    /// owner, operator or member.
    #[schemars(with = "String")]
    pub role: Role,
    /// active or suspended.
    #[schemars(with = "String")]
    pub state: PersonState,
    /// How many keys the person has. One is dangerous: without it the person is locked out.
    pub keys: usize,
    /// Since when, milliseconds since 1970.
    pub created_ms: u64,
}

/// Lists the people of the realm.
pub async fn list(
    State(gateway): State<Gateway>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<PageView<PersonRow>>, Problem> {
    let reader = gateway.store.read();
    let page = reader.people().page(&query.request()?).await?;
    let mut rows = Vec::with_capacity(page.items.len());
    for person in &page.items {
        let keys = reader
            .credentials()
            .held_by(Holder::Person(person.id))
            .await?
            .len();
        rows.push(PersonRow {
            id: person.id,
            name: person.name.clone(),
            role: person.role,
            state: person.state,
            keys,
            created_ms: person.created.as_ms(),
        });
    }
    Ok(Json(PageView::new(rows, page.next)))
}

/// An act on people, as asked for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PeopleRequest {
    /// Invite somebody by a one-time link.
    Invite {
        /// The name.
        name: String,
        /// The role.
        #[schemars(with = "String")]
        role: Role,
    },
    /// Let somebody who lost the keys register a new one, by a one-time link.
    Recover {
        /// Who.
        #[schemars(with = "String")]
        person: PersonId,
    },
    /// Give somebody another role.
    ChangeRole {
        /// Who.
        #[schemars(with = "String")]
        person: PersonId,
        /// The role.
        #[schemars(with = "String")]
        role: Role,
    },
    /// Let no key of somebody's open a door.
    Suspend {
        /// Who.
        #[schemars(with = "String")]
        person: PersonId,
    },
    /// End a suspension.
    ResumePerson {
        /// Who.
        #[schemars(with = "String")]
        person: PersonId,
    },
    /// End somebody's sessions, and what they opened.
    SignOut {
        /// Who.
        #[schemars(with = "String")]
        person: PersonId,
    },
}

/// The statement of an act on people. `link` is the hash of the link that the act would make.
pub async fn prepare(
    gateway: &Gateway,
    request: PeopleRequest,
    link: TokenHash,
) -> Result<People, Problem> {
    Ok(match request {
        PeopleRequest::Invite { name, role } => People::Invite(Invite {
            name: line("name", &name)?,
            role,
            link: link.0,
        }),
        PeopleRequest::Recover { person } => {
            let found = recoverable(gateway.store.read(), person).await?;
            People::Recover(Recover {
                person,
                name: line("name", &found.name)?,
                role: found.role,
                link: link.0,
            })
        }
        PeopleRequest::ChangeRole { person, role } => {
            let Named { person, name } = named(gateway, person).await?;
            People::ChangeRole(ChangeRole { person, name, role })
        }
        PeopleRequest::Suspend { person } => People::Suspend(named(gateway, person).await?),
        PeopleRequest::SignOut { person } => People::SignOut(named(gateway, person).await?),
        PeopleRequest::ResumePerson { person } => People::Reinstate(named(gateway, person).await?),
    })
}

async fn named(gateway: &Gateway, id: PersonId) -> Result<Named, Problem> {
    let person = gateway
        .store
        .read()
        .people()
        .get(id)
        .await?
        .ok_or_else(|| Problem::not_found("person"))?;
    Ok(Named {
        person: id,
        name: line("name", &person.name)?,
    })
}

/// Does what an owner signed.
pub async fn perform(actor: &Actor<'_>, act: &People) -> Result<Outcome, Problem> {
    actor.needs(Role::Owner)?;
    let unit = actor.unit;
    match act {
        People::Invite(terms) => {
            let new = New {
                purpose: LinkPurpose::Invitation,
                name: terms.name.as_str(),
                role: Some(terms.role),
                person: None,
                lifetime: INVITATION,
            };
            links::issue(actor, terms.link, new).await
        }
        People::Recover(terms) => {
            let person = recoverable(unit, terms.person).await?;
            if person.role != terms.role {
                return Err(Problem::conflict(
                    "role-changed",
                    "this person's role is another by now; begin again",
                ));
            }
            let new = New {
                purpose: LinkPurpose::Recovery,
                name: terms.name.as_str(),
                role: None,
                person: Some(terms.person),
                lifetime: RECOVERY,
            };
            links::issue(actor, terms.link, new).await
        }
        People::ChangeRole(terms) => {
            let before = unit.people().get(terms.person).await?;
            unit.people()
                .set_role(terms.person, terms.role)
                .await
                .map_err(last_owner)?;
            actor.end(Ended::Role(terms.person)).await?;
            let was_owner = before.is_some_and(|before| before.role == Role::Owner);
            if was_owner && terms.role != Role::Owner {
                actor.end(Ended::Ownership(terms.person)).await?;
            }
            Ok(Outcome::done(actor))
        }
        People::Suspend(terms) => {
            unit.people()
                .set_state(terms.person, PersonState::Suspended)
                .await
                .map_err(last_owner)?;
            actor.end(Ended::Activity(terms.person)).await?;
            Ok(Outcome::done(actor))
        }
        People::SignOut(terms) => {
            actor.end(Ended::Presence(terms.person)).await?;
            Ok(Outcome::done(actor))
        }
        People::Reinstate(terms) => {
            unit.people()
                .set_state(terms.person, PersonState::Active)
                .await
                .map_err(last_owner)?;
            Ok(Outcome::done(actor))
        }
    }
}

/// Refuses to make a link for somebody who could not use it, until they are reinstated: then it would
/// be one of before.
async fn recoverable(reader: &dyn Repositories, id: PersonId) -> Result<Person, Problem> {
    let person = reader.people().get(id).await?;
    let person = person.ok_or_else(|| Problem::not_found("person"))?;
    match person.state {
        PersonState::Active => Ok(person),
        PersonState::Suspended => Err(Problem::conflict(
            "suspended",
            "this person is suspended; resume them first, then make the link",
        )),
    }
}

fn last_owner(error: StoreError) -> Problem {
    match error {
        StoreError::LastOwner => Problem::conflict("last-owner", error.to_string()),
        StoreError::Missing(what) => Problem::not_found(what),
        error => error.into(),
    }
}
