//! The grant of the web door: a session that names its evidence.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, header};
use schemars::JsonSchema;
use serde::Serialize;

use hallway_evidence::{CredentialId, PersonId, Timestamp};

use crate::Gateway;
use crate::depends;
use crate::http::problem::Problem;
use crate::http::session::{self, Caller, Token};
use crate::source;
use crate::store::{EvidenceHash, Person, Role, Session, TokenHash, Unit};

/// How many sessions a person has at a time; one more ends the one that was used longest ago.
const MOST_SESSIONS: u64 = 64;
/// The most characters of a user agent that are kept.
const AGENT: usize = 200;

/// Who is at the other end: kept with the session so that its owner recognises it.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The IP address.
    pub address: String,
    /// The user agent, cut to 200 characters.
    pub agent: String,
    /// The session that the request came with; a new one replaces it.
    pub session: Option<TokenHash>,
}

/// A person, as the API shows one.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PersonView {
    /// A UUID.
    #[schemars(with = "String")]
    pub id: PersonId,
    /// The name.
    pub name: String,
    /// owner, operator or member.
    #[schemars(with = "String")]
    pub role: Role,
}

impl From<&Person> for PersonView {
    fn from(person: &Person) -> Self {
        Self {
            id: person.id,
            name: person.name.clone(),
            role: person.role,
        }
    }
}

/// A session, before it is handed over.
#[derive(Debug)]
pub struct Granted {
    /// For its holder only.
    pub token: String,
    /// Whose.
    pub person: Person,
}

impl Granted {
    /// The header that hands the session to a browser.
    pub fn cookie(&self, gateway: &Gateway) -> Result<(header::HeaderName, HeaderValue), Problem> {
        let seconds = gateway.limits.session_hours.hours().as_secs();
        Ok((
            header::SET_COOKIE,
            session::cookie(gateway, &self.token, seconds)?,
        ))
    }
}

/// What a session rests on.
#[derive(Debug, Clone)]
pub struct Grounds {
    /// The key that was touched.
    pub credential: CredentialId,
    /// Its evidence.
    pub evidence: EvidenceHash,
    /// When that was.
    pub touched: Timestamp,
}

/// Opens a session for `person`. It lasts as long as the operator allows from the touch on, not from
/// when it was opened: a link in between makes nothing younger. The token is always new, and the session that the request came
/// with ends: nobody can plant a session in somebody's browser and wait for it to be signed in.
pub async fn open(
    gateway: &Gateway,
    unit: &Unit<'_>,
    person: Person,
    grounds: Grounds,
    peer: &Peer,
) -> Result<Granted, Problem> {
    let (token, hash) = session::new_token()?;
    let now = gateway.now();
    let expires = grounds.touched.plus(lifetime(gateway));
    if let Some(old) = peer.session {
        depends::end_session(gateway, unit, old, person.id).await?;
    }
    let session = Session {
        token: hash,
        person: person.id,
        credential: grounds.credential,
        evidence: grounds.evidence,
        touched: grounds.touched,
        created: now,
        last_seen: now,
        expires,
        address: peer.address.clone(),
        agent: peer.agent.clone(),
    };
    // Before it is added: of two that were used at one moment, the new one stays.
    let sessions = unit.sessions();
    for token in sessions.beyond_newest(person.id, MOST_SESSIONS - 1).await? {
        depends::end_session(gateway, unit, token, person.id).await?;
    }
    unit.sessions().add(&session).await?;
    Ok(Granted { token, person })
}

/// How long a session lasts from the touch on.
fn lifetime(gateway: &Gateway) -> Duration {
    gateway.limits.session_hours.hours()
}

/// Who is signed in.
pub async fn me(caller: Caller) -> Json<PersonView> {
    Json(PersonView::from(&caller.person))
}

impl Peer {
    /// Who sent a request with these headers and extensions.
    pub fn of(gateway: &Gateway, headers: &HeaderMap, extensions: &Extensions) -> Self {
        let address = extensions.get::<ConnectInfo<SocketAddr>>();
        let agent = headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok());
        Self {
            address: address
                .map(|address| address.0.ip().to_string())
                .unwrap_or_default(),
            agent: agent.unwrap_or_default().chars().take(AGENT).collect(),
            session: Token::from_headers(gateway, headers).map(|token| token.hash),
        }
    }

    /// The network of the address; nothing for loopback, behind which anybody may be.
    pub fn network(&self) -> Option<String> {
        let network = source::of_strangers(self.address.parse().ok()?)?;
        Some(network.to_string())
    }
}

impl FromRequestParts<Gateway> for Peer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        Ok(Self::of(gateway, &parts.headers, &parts.extensions))
    }
}
