//! `people.suspend`: no key of the person opens a door until they are reinstated.

use async_trait::async_trait;
use hallway_evidence::statement::people::Suspend;
use hallway_spine::act::{Actor, Asking, Outcome, Perform, Prepared};
use hallway_spine::depends::Ended;
use hallway_spine::http::problem::Problem;
use hallway_spine::store::PersonState;

use super::{PersonRequest, last_owner, name_of};
use crate::Web;

#[async_trait]
impl Perform<Web> for Suspend {
    type Request = PersonRequest;

    async fn prepare(
        asking: &Asking<'_>,
        PersonRequest { person }: PersonRequest,
    ) -> Result<Prepared<Self>, Problem> {
        let name = name_of(asking, person).await?;
        Ok(Self { person, name }.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        actor
            .unit
            .people()
            .set_state(self.person, PersonState::Suspended)
            .await
            .map_err(last_owner)?;
        actor.end(Ended::Activity(self.person)).await?;
        Ok(actor.done())
    }
}
