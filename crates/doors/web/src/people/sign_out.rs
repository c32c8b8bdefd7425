//! `people.sign_out`: the end of a person's sessions, and of what they opened with them.

use async_trait::async_trait;
use hallway_evidence::statement::people::SignOut;
use hallway_spine::act::{Actor, Asking, Outcome, Perform, Prepared};
use hallway_spine::depends::Ended;
use hallway_spine::http::problem::Problem;

use super::{PersonRequest, name_of};
use crate::Web;

#[async_trait]
impl Perform<Web> for SignOut {
    type Request = PersonRequest;

    async fn prepare(
        asking: &Asking<'_>,
        PersonRequest { person }: PersonRequest,
    ) -> Result<Prepared<Self>, Problem> {
        let name = name_of(asking, person).await?;
        Ok(Self { person, name }.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        actor.end(Ended::Presence(self.person)).await?;
        Ok(actor.done())
    }
}
