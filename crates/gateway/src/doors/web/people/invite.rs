//! `people.invite`: a one-time link for a new person.

use std::time::Duration;

use async_trait::async_trait;
use hallway_evidence::statement::people::Invite;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::act::{Actor, Asking, Outcome, Perform, Prepared};
use crate::doors::web::links::{self, New};
use crate::http::input::line;
use crate::http::problem::Problem;
use crate::store::{Purpose, Role};

/// How long an invitation is good: a week.
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
impl Perform for Invite {
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
