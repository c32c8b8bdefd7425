//! `people.change_role`: another role for a person.

use async_trait::async_trait;
use hallway_evidence::PersonId;
use hallway_evidence::statement::people::ChangeRole;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{last_owner, name_of};
use crate::depends::Ended;
use crate::doors::act::{Actor, Asking, Outcome, Perform, Prepared};
use crate::http::problem::Problem;
use crate::store::Role;

/// The person, and the new role.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The person.
    #[schemars(with = "String")]
    person: PersonId,
    /// The new role.
    #[schemars(with = "String")]
    role: Role,
}

#[async_trait]
impl Perform for ChangeRole {
    type Request = Request;

    async fn prepare(
        asking: &Asking<'_>,
        Request { person, role }: Request,
    ) -> Result<Prepared<Self>, Problem> {
        let name = name_of(asking, person).await?;
        Ok(Self { person, name, role }.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let people = actor.unit.people();
        let before = people.get(self.person).await?;
        people
            .set_role(self.person, self.role)
            .await
            .map_err(last_owner)?;
        actor.end(Ended::Role(self.person)).await?;
        let was_owner = before.is_some_and(|before| before.role == Role::Owner);
        if was_owner && self.role != Role::Owner {
            actor.end(Ended::Ownership(self.person)).await?;
        }
        Ok(Outcome::done(actor))
    }
}
