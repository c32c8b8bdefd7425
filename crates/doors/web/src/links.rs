//! One-time links: made by a signed act whose statement has the hash of the link's secret, listed
//! while they are open, and withdrawn by another act.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use hallway_api::act::NewLink;
use hallway_evidence::PersonId;
use hallway_evidence::statement::web as stated;
use hallway_spine::Gateway;
use hallway_spine::act::{Actor, Outcome, Registered, act};
use hallway_spine::depends::Ended;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::store::{Link, LinksOf, Purpose, Role};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Web;

mod own;
mod withdraw;

/// The acts on one-time links that people make for themselves.
pub fn acts() -> Vec<Registered> {
    vec![
        act::<Web, stated::AddKey>(),
        act::<Web, stated::SignInLink>(),
        act::<Web, stated::WithdrawLink>(),
    ]
}

/// A link that is open.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LinkRow {
    /// SHA-256 of its secret, hexadecimal. Withdrawing names it.
    pub id: String,
    /// invitation, recovery, additional or sign-in.
    #[schemars(with = "String")]
    pub purpose: Purpose,
    /// The name of the person who may use it.
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
        // A set-up link has no maker, and there is none once an owner can ask.
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

/// A link that is to be made.
#[derive(Debug)]
pub struct New<'a> {
    /// What it opens.
    pub purpose: Purpose,
    /// The name of the person who may use it.
    pub name: &'a str,
    /// The role that a new person gets.
    pub role: Option<Role>,
    /// The person who may use it, if that person exists already.
    pub person: Option<PersonId>,
    /// How long it is valid.
    pub lifetime: Duration,
}

/// Makes a link of the secret whose hash was signed. It replaces an open link for the same person
/// and purpose.
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
        ..actor.done()
    })
}
