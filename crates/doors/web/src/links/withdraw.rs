//! `web.withdraw_link`: withdraws a one-time link, one's own or, as an owner, any.

use async_trait::async_trait;
use hallway_evidence::Timestamp;
use hallway_evidence::statement::web::{LinkUse, WithdrawLink};
use hallway_spine::act::{Actor, Asking, Outcome, Perform, Prepared};
use hallway_spine::http::input::line;
use hallway_spine::http::problem::Problem;
use hallway_spine::store::{Link, Person, Purpose, Role, TokenHash, Unit};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Web;

/// The link.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The link's id in the list.
    link: String,
}

#[async_trait]
impl Perform<Web> for WithdrawLink {
    type Request = Request;

    async fn prepare(asking: &Asking<'_>, request: Request) -> Result<Prepared<Self>, Problem> {
        let hash: TokenHash = request
            .link
            .parse()
            .map_err(|_| Problem::not_found("link"))?;
        let (reader, now) = (asking.gateway.store.read(), asking.gateway.now());
        let (link, opens) = withdrawable(reader, &asking.caller.person, &hash, now).await?;
        let terms = Self {
            link: hash.0,
            opens,
            name: line("name", &link.name)?,
        };
        Ok(terms.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let hash = TokenHash(self.link);
        let (link, opens) = withdrawable(actor.unit, actor.person, &hash, actor.now).await?;
        if opens != self.opens || link.name != self.name.as_str() {
            return Err(Problem::malformed(
                "this is not the link that was signed for",
            ));
        }
        actor.unit.links().withdraw(&hash).await?;
        Ok(actor.done())
    }
}

/// The open link with this hash, if `person` may withdraw it; another person gets the same 404 as
/// for a link that does not exist.
async fn withdrawable(
    reader: &Unit<'_>,
    person: &Person,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<(Link, LinkUse), Problem> {
    let missing = || Problem::not_found("link");
    let link = reader.links().open(hash, now).await?.ok_or_else(missing)?;
    let own = [link.person, link.created_by].contains(&Some(person.id));
    match opens(link.purpose) {
        Some(opens) if own || person.role == Role::Owner => Ok((link, opens)),
        _ => Err(missing()),
    }
}

/// What a link opens, as a statement says it; `None` for the set-up link, about which nobody signs.
const fn opens(purpose: Purpose) -> Option<LinkUse> {
    match purpose {
        Purpose::Setup => None,
        Purpose::Invitation => Some(LinkUse::Invitation),
        Purpose::Recovery => Some(LinkUse::Recovery),
        Purpose::Additional => Some(LinkUse::Additional),
        Purpose::SignIn => Some(LinkUse::SignIn),
    }
}
