//! One-time links: the purpose of one, and signing in by one.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hallway_api::link::{self, Token};
use hallway_api::session::SignedIn;
use hallway_spine::Gateway;
use hallway_spine::depends::signed_with;
use hallway_spine::door_name::DoorName;
use hallway_spine::http::input::Input;
use hallway_spine::http::peer::Peer;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::session::token_hash;
use hallway_spine::store::{Link, PersonState, Purpose as LinkPurpose, TokenHash, Unit};

use super::grant::{self, Granted, Grounds};

/// The refusal of a link that can't be used, the same for unknown, used and expired links.
pub fn spent() -> Problem {
    Problem::new(
        Code::Link,
        "this link was used or withdrawn, has expired or never existed; ask for a new one",
    )
}

/// The hash under which a link's secret is stored.
pub fn hash(token: &str) -> Result<TokenHash, Problem> {
    token_hash(token).ok_or_else(spent)
}

/// Answers what a link is for, without using it up.
pub async fn look(
    State(gateway): State<Gateway>,
    peer: Peer,
    Input(request): Input<Token>,
) -> Result<Json<link::Link>, Problem> {
    let link = open(&gateway, &request.token).await;
    let link = gateway.or_refuse(DoorName::WEB, &peer, link).await?;
    Ok(Json(link::Link {
        purpose: link.purpose,
        name: link.name,
        role: link.role,
        realm: gateway.rp.id.clone(),
        expires_ms: link.expires.as_ms(),
    }))
}

/// The link with this secret, if it can be used. This does not use it up.
pub async fn open(gateway: &Gateway, token: &str) -> Result<Link, Problem> {
    let hash = hash(token)?;
    let links = gateway.store.read().links();
    links.open(&hash, gateway.now()).await?.ok_or_else(spent)
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
    let granted = gateway.or_refuse(DoorName::WEB, &peer, granted).await?;
    let signed_in = SignedIn {
        person: grant::shown(&granted.person),
        token: None,
    };
    Ok(([granted.cookie(&gateway)?], Json(signed_in)).into_response())
}

async fn consume(
    gateway: &Gateway,
    unit: &Unit<'_>,
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
    let evidence = link.evidence.ok_or_else(spent)?;
    let grounds = Grounds {
        credential: signed_with(unit, &evidence).await?.ok_or_else(spent)?,
        evidence,
        touched: link.created,
    };
    grant::open(gateway, unit, person, grounds, peer).await
}
