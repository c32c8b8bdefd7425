//! `hall.end`: a grant ends before its time.

use async_trait::async_trait;
use hallway_evidence::statement::hall::End;

use super::grants::{GrantRequest, name_of};
use crate::act::{Actor, Asking, Outcome, Perform, Prepared};
use crate::doors::hall::store;
use crate::doors::hall::store::GrantState;
use crate::http::input::line;
use crate::http::problem::Problem;

#[async_trait]
impl Perform for End {
    type Request = GrantRequest;

    async fn prepare(
        asking: &Asking<'_>,
        GrantRequest { grant }: GrantRequest,
    ) -> Result<Prepared<Self>, Problem> {
        let reader = asking.gateway.store.read();
        let found = reader.grants().get(grant).await?;
        let found = found.ok_or_else(|| Problem::not_found("grant"))?;
        if matches!(
            found.state(asking.gateway.now()),
            GrantState::Ended | GrantState::RunOut
        ) {
            return Err(ended_already());
        }
        let name = name_of(reader, &found).await?;
        let terms = Self {
            grant,
            opened: found.evidence.0,
            hall: found.hall,
            name: line("name", &name)?,
        };
        Ok(terms.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let end = store::End::by(actor.person.id, actor.now);
        if !actor.unit.grants().end(self.grant, &end).await? {
            return Err(ended_already());
        }
        Ok(Outcome::done(actor))
    }
}

fn ended_already() -> Problem {
    Problem::conflict("grant-ended", "this grant has ended already")
}
