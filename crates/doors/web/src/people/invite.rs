//! `people.invite`: a one-time link for a new person.

use std::time::Duration;

use async_trait::async_trait;
use hallway_evidence::statement::people::Invite;
use hallway_spine::act::{Actor, Asking, Outcome, Perform, Prepared};
use hallway_spine::http::input::line;
use hallway_spine::http::problem::Problem;
use hallway_spine::store::{Purpose, Role};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Web;
use crate::links::{self, New};

/// How long an invitation is valid: a week.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// The new person.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The name.
    name: String,
    /// The role.
    #[schemars(with = "String")]
    role: Role,
}

#[async_trait]
impl Perform<Web> for Invite {
    type Request = Request;

    async fn prepare(asking: &Asking<'_>, request: Request) -> Result<Prepared<Self>, Problem> {
        let terms = Self {
            name: line("name", &request.name)?,
            role: request.role,
            link: asking.link().0,
        };
        Ok(terms.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let new = New {
            purpose: Purpose::Invitation,
            name: self.name.as_str(),
            role: Some(self.role),
            person: None,
            lifetime: LIFETIME,
        };
        links::issue(actor, self.link, new).await
    }
}
