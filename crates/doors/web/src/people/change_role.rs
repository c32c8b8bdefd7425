//! `people.change_role`: another role for a person.

use async_trait::async_trait;
use hallway_evidence::PersonId;
use hallway_evidence::statement::people::ChangeRole;
use hallway_spine::act::{Actor, Asking, Outcome, Perform, Prepared};
use hallway_spine::depends::Ended;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::store::{Person, Role, Unit};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{last_owner, name_of};
use crate::Web;

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
impl Perform<Web> for ChangeRole {
    type Request = Request;

    async fn prepare(
        asking: &Asking<'_>,
        Request { person, role }: Request,
    ) -> Result<Prepared<Self>, Problem> {
        another_role(asking.gateway.store.read(), person, role).await?;
        let name = name_of(asking, person).await?;
        Ok(Self { person, name, role }.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let before = another_role(actor.unit, self.person, self.role).await?;
        actor
            .unit
            .people()
            .set_role(self.person, self.role)
            .await
            .map_err(last_owner)?;
        actor.end(Ended::Role(self.person)).await?;
        if before == Role::Owner {
            actor.end(Ended::Ownership(self.person)).await?;
        }
        Ok(actor.done())
    }
}

/// The role of a person. It must differ from `next`, because an act that gives the same role would
/// only prove it twice.
async fn another_role(reader: &Unit<'_>, id: PersonId, next: Role) -> Result<Role, Problem> {
    let person = reader.people().get(id).await?;
    let Person { name, role, .. } = person.ok_or_else(|| Problem::not_found("person"))?;
    if role == next {
        return Err(Problem::new(
            Code::SameRole,
            format!("{name} has the role {role} already; choose another"),
        ));
    }
    Ok(role)
}
