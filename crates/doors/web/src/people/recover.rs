//! `people.recover`: a one-time link for a person who lost their keys.

use std::time::Duration;

use async_trait::async_trait;
use hallway_evidence::PersonId;
use hallway_evidence::statement::people::Recover;
use hallway_spine::act::{Actor, Asking, Outcome, Perform, Prepared};
use hallway_spine::http::input::line;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::store::{Person, PersonState, Purpose, Unit};

use super::PersonRequest;
use crate::Web;
use crate::links::{self, New};

/// How long a recovery link is valid: a day.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

#[async_trait]
impl Perform<Web> for Recover {
    type Request = PersonRequest;

    async fn prepare(
        asking: &Asking<'_>,
        PersonRequest { person }: PersonRequest,
    ) -> Result<Prepared<Self>, Problem> {
        let found = recoverable(asking.gateway.store.read(), person).await?;
        let terms = Self {
            person,
            name: line("name", &found.name)?,
            role: found.role,
            link: asking.link().0,
        };
        Ok(terms.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let person = recoverable(actor.unit, self.person).await?;
        if person.role != self.role {
            return Err(Problem::new(
                Code::RoleChanged,
                "this person's role has changed; begin again",
            ));
        }
        let new = New {
            purpose: Purpose::Recovery,
            name: self.name.as_str(),
            role: None,
            person: Some(self.person),
            lifetime: LIFETIME,
        };
        links::issue(actor, self.link, new).await
    }
}

/// Refuses a link for a person who is suspended: they could not use it, and after a reinstatement
/// it would be a link of before.
async fn recoverable(reader: &Unit<'_>, id: PersonId) -> Result<Person, Problem> {
    let person = reader.people().get(id).await?;
    let person = person.ok_or_else(|| Problem::not_found("person"))?;
    match person.state {
        PersonState::Active => Ok(person),
        PersonState::Suspended => Err(Problem::new(
            Code::PersonSuspended,
            "this person is suspended; reinstate them first, then make the link",
        )),
    }
}
