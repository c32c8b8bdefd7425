//! `hall.end`: a grant ends before its time.

use async_trait::async_trait;
use hallway_evidence::statement::hall::End;
use hallway_spine::act::{Actor, Asking, Outcome, Perform, Prepared};
use hallway_spine::http::input::line;
use hallway_spine::http::problem::{Code, Problem};

use super::grants::{GrantRequest, name_of};
use crate::store::{GrantState, HallTables};
use crate::{HallDoor, store};

#[async_trait]
impl Perform<HallDoor> for End {
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
        Ok(actor.done())
    }
}

fn ended_already() -> Problem {
    Problem::new(Code::AlreadyEnded, "this grant has ended already")
}
