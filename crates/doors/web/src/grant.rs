//! The grant of the web door: a session that names its evidence.

use axum::Json;
use axum::http::{HeaderValue, header};
use hallway_api::session as api;
use hallway_evidence::{CredentialId, Line, Timestamp};
use hallway_spine::http::peer::Peer;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::{self, Caller};
use hallway_spine::store::{EvidenceHash, Person, Session, Unit};
use hallway_spine::{Gateway, depends};

use crate::WebOf;

/// How many sessions a person has at a time; one more ends the one that was used longest ago.
const MOST_SESSIONS: u64 = 64;

/// A person, as the API shows one.
pub fn shown(person: &Person) -> api::Person {
    api::Person {
        id: person.id,
        name: Line::nearest(&person.name),
        role: person.role,
    }
}

/// A new session, before its holder gets it.
#[derive(Debug)]
pub struct Granted {
    /// The secret token, for the holder alone.
    pub token: String,
    /// The holder.
    pub person: Person,
}

impl Granted {
    /// The header that hands the session to a browser.
    pub fn cookie(&self, gateway: &Gateway) -> Result<(header::HeaderName, HeaderValue), Problem> {
        let seconds = gateway.web().session().as_secs();
        Ok((
            header::SET_COOKIE,
            session::cookie(gateway, &self.token, seconds)?,
        ))
    }
}

/// The touch that a session rests on.
#[derive(Debug, Clone)]
pub struct Grounds {
    /// The key that was touched.
    pub credential: CredentialId,
    /// The evidence of the touch.
    pub evidence: EvidenceHash,
    /// When the key was touched.
    pub touched: Timestamp,
}

/// Opens a session for `person`. It lasts as long as the operator allows, counted from the touch
/// and not from the opening, so a link in between makes no session younger. The token is always
/// new, and the session that the request came with ends, so nobody can plant a session in another
/// person's browser and wait until that person signs in.
pub async fn open(
    gateway: &Gateway,
    unit: &Unit<'_>,
    person: Person,
    grounds: Grounds,
    peer: &Peer,
) -> Result<Granted, Problem> {
    let (token, hash) = session::new_token()?;
    let now = gateway.now();
    let expires = grounds.touched.plus(gateway.web().session());
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
    // Ended before the new one is added: of two that were used at one moment, the new one stays.
    let sessions = unit.sessions();
    for token in sessions.beyond_newest(person.id, MOST_SESSIONS - 1).await? {
        depends::end_session(gateway, unit, token, person.id).await?;
    }
    unit.sessions().add(&session).await?;
    Ok(Granted { token, person })
}

/// Answers who is signed in.
pub async fn me(caller: Caller) -> Json<api::Person> {
    Json(shown(&caller.person))
}
