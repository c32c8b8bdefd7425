//! One-time links: what one is for, and the one kind that signs in by itself.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::grant::{self, Granted, Grounds, Peer, PersonView};
use super::sign_in::SignedIn;
use crate::Gateway;
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::session::{Caller, Carrier, new_token, token_hash};
use crate::refusal::Door;
use crate::store::{Link, PersonState, Purpose as LinkPurpose, Repositories, Role, TokenHash};

/// How many links of one person may be open when they make another that signs in.
const MOST_LINKS: u64 = 64;
/// How long a link that signs in is good.
const SIGN_IN_LINK: Duration = Duration::from_secs(15 * 60);

/// The secret of a link.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Token {
    /// What follows the `#` in the link.
    pub token: String,
}

/// What a link is for.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LinkView {
    /// setup, invitation, recovery or sign-in.
    #[schemars(with = "String")]
    pub purpose: LinkPurpose,
    /// For whom; empty for a set-up link.
    pub name: String,
    /// The role that comes with it.
    #[schemars(with = "Option<String>")]
    pub role: Option<Role>,
    /// The realm.
    pub realm: String,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: u64,
}

/// A new link.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NewLink {
    /// The address to open, once.
    pub link: String,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: u64,
}

/// A link can't be used: one answer for unknown, used and expired ones.
pub fn spent() -> Problem {
    Problem::forbidden(
        "link",
        "this link was used, has expired or never existed; ask for a new one",
    )
}

/// The hash under which a link's secret is stored.
pub fn hash(token: &str) -> Result<TokenHash, Problem> {
    token_hash(token).ok_or_else(spent)
}

/// Tells what a link is for. Looking does not use it up.
pub async fn look(
    State(gateway): State<Gateway>,
    Input(request): Input<Token>,
) -> Result<Json<LinkView>, Problem> {
    let now = gateway.now();
    let link = gateway
        .store
        .read()
        .links()
        .open(&hash(&request.token)?, now)
        .await?
        .ok_or_else(spent)?;
    Ok(Json(LinkView {
        purpose: link.purpose,
        name: link.name,
        role: link.role,
        realm: gateway.rp.id.clone(),
        expires_ms: link.expires.as_ms(),
    }))
}

/// Uses up a link that signs in.
pub async fn sign_in(
    State(gateway): State<Gateway>,
    peer: Peer,
    Input(request): Input<Token>,
) -> Result<Response, Problem> {
    let token = hash(&request.token)?;
    let granted = gateway
        .transact(|unit| Box::pin(consume(&gateway, unit, &token, &peer)))
        .await;
    match granted {
        Ok(granted) => {
            let signed_in = SignedIn {
                person: PersonView::from(&granted.person),
                token: None,
            };
            Ok(([granted.cookie(&gateway)?], Json(signed_in)).into_response())
        }
        Err(problem) => {
            gateway.refuse(Door::Web, &problem, &peer).await;
            Err(problem)
        }
    }
}

async fn consume(
    gateway: &Gateway,
    unit: &dyn Repositories,
    token: &TokenHash,
    peer: &Peer,
) -> Result<Granted, Problem> {
    let link = unit
        .links()
        .consume(token, gateway.now())
        .await?
        .ok_or_else(spent)?;
    let (LinkPurpose::SignIn, Some(person)) = (link.purpose, link.person) else {
        return Err(spent());
    };
    let person = unit
        .people()
        .get(person)
        .await?
        .filter(|person| person.state == PersonState::Active)
        .ok_or_else(spent)?;
    let grounds = Grounds {
        credential: None,
        evidence: link.evidence,
    };
    grant::open(gateway, unit, person, grounds, peer).await
}

/// Makes a link that signs the caller in elsewhere, once: for a person whose key is not in the
/// browser. Only a program can ask for it, with the session that the touch of a key opened.
pub async fn new_sign_in_link(
    State(gateway): State<Gateway>,
    caller: Caller,
) -> Result<Json<NewLink>, Problem> {
    if caller.carrier != Carrier::Bearer || caller.session.credential.is_none() {
        return Err(Problem::forbidden(
            "bearer",
            "only a program that signed in with a key can ask for this",
        ));
    }
    let (token, hash) = new_token()?;
    let now = gateway.now();
    let link = Link {
        token: hash,
        purpose: LinkPurpose::SignIn,
        name: caller.person.name.clone(),
        role: None,
        person: Some(caller.person.id),
        created_by: Some(caller.person.id),
        evidence: caller.session.evidence,
        created: now,
        expires: now.plus(SIGN_IN_LINK),
        used: None,
    };
    let (added, maker) = (&link, caller.person.id);
    gateway
        .transact(|unit| {
            Box::pin(async move {
                if unit.links().count_open_of(maker, now).await? >= MOST_LINKS {
                    return Err(Problem::new(
                        StatusCode::TOO_MANY_REQUESTS,
                        "too-many-links",
                        format!("{MOST_LINKS} links of yours are open; use one, or wait"),
                    )
                    .after(60));
                }
                Ok(unit.links().add(added).await?)
            })
        })
        .await?;
    Ok(Json(NewLink {
        link: gateway.join_link(&token),
        expires_ms: link.expires.as_ms(),
    }))
}
