//! Making one-time links: each by a signed act, whose statement has the hash of the link's secret.

use std::time::Duration;

use hallway_evidence::PersonId;
use hallway_evidence::statement::Web;
use hallway_evidence::statement::web::OwnLink;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::keys::line;
use crate::doors::act::{Actor, Outcome};
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::store::{Link, Purpose, Role, TokenHash};

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
}

/// The statement of an act on links. `link` is the hash of the link that the act would make.
///
/// # Errors
/// The caller's name is no line.
pub fn prepare(caller: &Caller, request: &LinkRequest, link: TokenHash) -> Result<Web, Problem> {
    let own = OwnLink {
        person: caller.person.id,
        name: line("name", &caller.person.name)?,
        link: link.0,
    };
    Ok(match request {
        LinkRequest::AddKey {} => Web::AddKey(own),
        LinkRequest::SignInLink {} => Web::SignInLink(own),
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

/// Makes a link of the secret whose hash was signed.
///
/// # Errors
/// The database.
pub async fn issue(actor: &Actor<'_>, token: [u8; 32], new: New<'_>) -> Result<Outcome, Problem> {
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
