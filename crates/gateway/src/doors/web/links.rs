//! One-time links: made by a signed act whose statement has the hash of the link's secret, listed
//! while they are open, and withdrawn by another act.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use hallway_evidence::statement::Web;
use hallway_evidence::statement::web::{LinkUse, OwnLink, WithdrawLink};
use hallway_evidence::{PersonId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::keys::line;
use crate::Gateway;
use crate::depends::Ended;
use crate::doors::act::{Actor, Outcome};
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::store::{Link, LinksOf, Person, Purpose, Repositories, Role, TokenHash};

/// How long a link for its maker's own use is good.
const OWN: Duration = Duration::from_secs(15 * 60);

/// A new link.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NewLink {
    /// The address to open, once.
    pub link: String,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: u64,
}

/// An act on one-time links, as asked for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LinkRequest {
    /// Make a link by which the caller registers a further key, here or on another machine.
    AddKey {},
    /// Make a link that signs the caller in elsewhere, once: for a person whose key is not there.
    SignInLink {},
    /// Let a link open nothing any more: one of one's own, or for an owner anybody's.
    WithdrawLink {
        /// Which, by its id in the list.
        link: String,
    },
}

/// A link that is open.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LinkRow {
    /// SHA-256 of its secret, hexadecimal: by this it can be withdrawn.
    pub id: String,
    /// invitation, recovery, additional or sign-in.
    #[schemars(with = "String")]
    pub purpose: Purpose,
    /// The name of the person whom it is for.
    pub name: String,
    /// The role that comes with an invitation.
    #[schemars(with = "Option<String>")]
    pub role: Option<Role>,
    /// The name of the person who made it.
    pub made_by: String,
    /// When it was made, milliseconds since 1970.
    pub created_ms: u64,
    /// When it ends.
    pub expires_ms: u64,
    /// The evidence that made it, hexadecimal.
    pub evidence: Option<String>,
}

/// Lists the links that are open.
pub async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
) -> Result<Json<Vec<LinkRow>>, Problem> {
    let which = visible_to(&caller);
    Ok(Json(open(&gateway, which).await?))
}

/// The links that `caller` may see: owners all, others those for them and those that they made.
pub fn visible_to(caller: &Caller) -> LinksOf {
    match caller.person.role {
        Role::Owner => LinksOf::Everybody,
        Role::Operator | Role::Member => LinksOf::ForOrBy(caller.person.id),
    }
}

/// The links that are open, the one that ends last first.
///
/// # Errors
/// The database.
pub async fn open(gateway: &Gateway, which: LinksOf) -> Result<Vec<LinkRow>, Problem> {
    let reader = gateway.store.read();
    let mut rows = Vec::new();
    for link in reader.links().list_open(which, gateway.now()).await? {
        // There is none for the first owner once somebody can ask, and it would be nobody's.
        let Some(maker) = link.created_by else {
            continue;
        };
        let maker = reader.people().get(maker).await?;
        rows.push(LinkRow {
            id: link.token.to_string(),
            purpose: link.purpose,
            name: link.name,
            role: link.role,
            made_by: maker.map(|maker| maker.name).unwrap_or_default(),
            created_ms: link.created.as_ms(),
            expires_ms: link.expires.as_ms(),
            evidence: link.evidence.map(|hash| hash.to_string()),
        });
    }
    Ok(rows)
}

/// The open link with this hash, if `person` may withdraw it. Others need not know that it exists.
async fn withdrawable(
    reader: &dyn Repositories,
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

/// What a link opens, in the words of a statement; nobody signs anything about the set-up link.
const fn opens(purpose: Purpose) -> Option<LinkUse> {
    match purpose {
        Purpose::Setup => None,
        Purpose::Invitation => Some(LinkUse::Invitation),
        Purpose::Recovery => Some(LinkUse::Recovery),
        Purpose::Additional => Some(LinkUse::Additional),
        Purpose::SignIn => Some(LinkUse::SignIn),
    }
}

/// Withdraws the link that was signed for.
///
/// # Errors
/// 404: it is open no longer, or not the signer's to withdraw.
pub async fn withdraw(actor: &Actor<'_>, terms: &WithdrawLink) -> Result<Outcome, Problem> {
    let hash = TokenHash(terms.link);
    let (link, opens) = withdrawable(actor.unit, actor.person, &hash, actor.now).await?;
    if opens != terms.opens || link.name != terms.name.as_str() {
        return Err(Problem::malformed(
            "this is not the link that was signed for",
        ));
    }
    actor.unit.links().withdraw(&hash).await?;
    Ok(Outcome::done(actor))
}

/// The statement of an act on links. `link` is the hash of the link that the act would make.
///
/// # Errors
/// The link that is to be withdrawn is not there, or not the caller's to withdraw.
pub async fn prepare(
    gateway: &Gateway,
    caller: &Caller,
    request: LinkRequest,
    link: TokenHash,
) -> Result<Web, Problem> {
    let own = OwnLink {
        person: caller.person.id,
        name: line("name", &caller.person.name)?,
        link: link.0,
    };
    Ok(match request {
        LinkRequest::AddKey {} => Web::AddKey(own),
        LinkRequest::SignInLink {} => Web::SignInLink(own),
        LinkRequest::WithdrawLink { link } => {
            let hash: TokenHash = link.parse().map_err(|_| Problem::not_found("link"))?;
            let (reader, now) = (gateway.store.read(), gateway.now());
            let (link, opens) = withdrawable(reader, &caller.person, &hash, now).await?;
            Web::WithdrawLink(WithdrawLink {
                link: hash.0,
                opens,
                name: line("name", &link.name)?,
            })
        }
    })
}

/// Makes the link for the signer's own use that was signed for.
///
/// # Errors
/// The statement is for somebody else.
pub async fn make_own(
    actor: &Actor<'_>,
    terms: &OwnLink,
    purpose: Purpose,
) -> Result<Outcome, Problem> {
    if terms.person != actor.person.id {
        return Err(Problem::malformed("this link is for somebody else"));
    }
    let new = New {
        purpose,
        name: terms.name.as_str(),
        role: None,
        person: Some(terms.person),
        lifetime: OWN,
    };
    issue(actor, terms.link, new).await
}

/// A link that is to be made.
#[derive(Debug)]
pub struct New<'a> {
    /// What it is good for.
    pub purpose: Purpose,
    /// The name of the person whom it is for.
    pub name: &'a str,
    /// The role that a new person gets.
    pub role: Option<Role>,
    /// The person whom it is for, if there is one already.
    pub person: Option<PersonId>,
    /// How long it is good.
    pub lifetime: Duration,
}

/// Makes a link of the secret whose hash was signed. One for the same person and purpose that is
/// open still gives way to it.
///
/// # Errors
/// The database.
pub async fn issue(actor: &Actor<'_>, token: [u8; 32], new: New<'_>) -> Result<Outcome, Problem> {
    if let Some(person) = new.person {
        actor.end(Ended::Link(person, new.purpose)).await?;
    }
    let link = Link {
        token: token.into(),
        purpose: new.purpose,
        name: new.name.to_owned(),
        role: new.role,
        person: new.person,
        created_by: Some(actor.person.id),
        evidence: Some(actor.evidence),
        created: actor.now,
        expires: actor.now.plus(new.lifetime),
        used: None,
    };
    actor.unit.links().add(&link).await?;
    let made = NewLink {
        link: actor.gateway.join_link(&actor.link_token()),
        expires_ms: link.expires.as_ms(),
    };
    Ok(Outcome {
        link: Some(made),
        ..Outcome::done(actor)
    })
}
