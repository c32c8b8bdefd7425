//! `web.add_key` and `web.sign_in_link`: one-time links that people make for themselves.

use std::time::Duration;

use async_trait::async_trait;
use hallway_evidence::PersonId;
use hallway_evidence::statement::web::{AddKey, SignInLink};
use hallway_spine::act::{Actor, Asking, NameAlone, Outcome, Perform, Prepared};
use hallway_spine::http::input::line;
use hallway_spine::http::problem::Problem;
use hallway_spine::store::Purpose;

use super::{New, issue};
use crate::Web;

/// How long such a link is valid.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

#[async_trait]
impl Perform<Web> for AddKey {
    type Request = NameAlone;

    async fn prepare(asking: &Asking<'_>, _: NameAlone) -> Result<Prepared<Self>, Problem> {
        let terms = Self {
            person: asking.caller.person.id,
            name: line("name", &asking.caller.person.name)?,
            link: asking.link().0,
        };
        Ok(terms.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let new = new(actor, self.person, self.name.as_str(), Purpose::Additional)?;
        issue(actor, self.link, new).await
    }
}

#[async_trait]
impl Perform<Web> for SignInLink {
    type Request = NameAlone;

    async fn prepare(asking: &Asking<'_>, _: NameAlone) -> Result<Prepared<Self>, Problem> {
        let terms = Self {
            person: asking.caller.person.id,
            name: line("name", &asking.caller.person.name)?,
            link: asking.link().0,
        };
        Ok(terms.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let new = new(actor, self.person, self.name.as_str(), Purpose::SignIn)?;
        issue(actor, self.link, new).await
    }
}

fn new<'a>(
    actor: &Actor<'_>,
    person: PersonId,
    name: &'a str,
    purpose: Purpose,
) -> Result<New<'a>, Problem> {
    if person != actor.person.id {
        return Err(Problem::malformed("this link is for another person"));
    }
    Ok(New {
        purpose,
        name,
        role: None,
        person: Some(person),
        lifetime: LIFETIME,
    })
}
