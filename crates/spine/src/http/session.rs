//! Sessions, the web door's grant: a random token in a cookie or a bearer header, kept as a hash.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use hallway_evidence::Timestamp;
use hallway_webauthn::wire::Base64Url;

use super::problem::Problem;
use crate::door_name::DoorName;
use crate::operator_key::random_bytes;
use crate::seal::Purpose;
use crate::store::{Person, PersonState, Session, TokenHash};
use crate::{Gateway, sha256};

/// The length of a session token.
const TOKEN_BYTES: usize = 32;
/// A session that was unused for this time has ended.
const IDLE_MS: u64 = 2 * 60 * 60 * 1000;
/// `last_seen` is written at most this often, so that reading pages does not cost a disk flush.
const SEEN_EVERY_MS: u64 = 60 * 1000;

/// The way in which a token came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A browser's cookie.
    Cookie,
    /// A program's `Authorization: Bearer`.
    Bearer,
}

/// A session token as presented; only its hash is compared and stored.
pub struct Token {
    /// The way in which the token came.
    pub carrier: Carrier,
    /// SHA-256 of the token.
    pub hash: TokenHash,
}

/// The person who makes a request, with a valid session.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The person.
    pub person: Person,
    /// The session.
    pub session: Session,
    /// The way in which the session's token came.
    pub carrier: Carrier,
}

/// A fresh token: the text for its holder, the hash for the store.
pub fn new_token() -> Result<(String, TokenHash), Problem> {
    let token = random_bytes::<TOKEN_BYTES>().map_err(|error| Problem::internal(&error))?;
    Ok((
        Base64Url::from(token.as_slice()).to_string(),
        TokenHash(sha256(token.as_slice())),
    ))
}

/// The hash under which a token from [`new_token`] is stored; `None` for any other text.
pub fn token_hash(text: &str) -> Option<TokenHash> {
    // Bounds the work before decoding: 32 bytes are 43 characters.
    let bytes: Base64Url = (text.len() <= 64).then(|| text.parse().ok()).flatten()?;
    (bytes.0.len() == TOKEN_BYTES).then(|| TokenHash(sha256(&bytes.0)))
}

/// The secret of a link that an act makes. It follows from the statement's nonce, so that the
/// gateway need not keep it between the two steps of the act.
pub fn link_token(gateway: &Gateway, nonce: &[u8; 16]) -> String {
    Base64Url::from(link_secret(gateway, nonce)).to_string()
}

/// The hash of [`link_token`], for the statement.
pub fn link_token_hash(gateway: &Gateway, nonce: &[u8; 16]) -> TokenHash {
    TokenHash(sha256(&link_secret(gateway, nonce)))
}

fn link_secret(gateway: &Gateway, nonce: &[u8; 16]) -> Vec<u8> {
    gateway.sealer.seal(Purpose::Link, &[], nonce)
}

impl Token {
    /// The bearer token if there is one, else the cookie.
    pub fn from_headers(gateway: &Gateway, headers: &HeaderMap) -> Option<Self> {
        let bearer = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .and_then(token_hash);
        if let Some(hash) = bearer {
            return Some(Self {
                carrier: Carrier::Bearer,
                hash,
            });
        }
        let name = gateway.cookie_name();
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split("; "))
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .and_then(|(_, value)| token_hash(value))
            .map(|hash| Self {
                carrier: Carrier::Cookie,
                hash,
            })
    }
}

/// The caller with this token, if the session, the person and the session's key are still valid.
pub async fn find(gateway: &Gateway, token: Token) -> Result<Option<Caller>, Problem> {
    let now = gateway.now();
    let reader = gateway.store.read();
    let Some(session) = reader.sessions().get(&token.hash, now).await? else {
        return Ok(None);
    };
    if is_idle(&session, now) {
        return Ok(None);
    }
    let Some(person) = reader.people().get(session.person).await? else {
        return Ok(None);
    };
    if person.state != PersonState::Active || !key_still_opens(gateway, &session, &person).await? {
        return Ok(None);
    }
    if unused(&session, now) > SEEN_EVERY_MS {
        gateway
            .store
            .touch_session(&token.hash, now, session.expires)
            .await?;
    }
    Ok(Some(Caller {
        person,
        session,
        carrier: token.carrier,
    }))
}

/// The time for which a session was unused, in milliseconds.
fn unused(session: &Session, now: Timestamp) -> u64 {
    now.as_ms().saturating_sub(session.last_seen.as_ms())
}

/// Whether a session has ended because it was unused for two hours.
pub fn is_idle(session: &Session, now: Timestamp) -> bool {
    unused(session, now) > IDLE_MS
}

/// Whether the session's key could open a session now: since then its model may have been revoked, or the
/// policy changed.
async fn key_still_opens(
    gateway: &Gateway,
    session: &Session,
    person: &Person,
) -> Result<bool, Problem> {
    let id = &session.credential;
    if !gateway.models.may_refuse(DoorName::WEB, person.role) {
        return Ok(true);
    }
    let reader = gateway.store.read();
    let Some(key) = reader.credentials().get(id).await? else {
        return Ok(false);
    };
    let attestation = reader.attestations().get(id).await?;
    let admitted = gateway.models.admit_person(
        DoorName::WEB,
        person.role,
        &key,
        attestation.as_ref(),
        gateway.now(),
    );
    Ok(admitted.is_ok())
}

/// The `Set-Cookie` that gives a session to a browser for `seconds`; 0 removes the cookie.
pub fn cookie(gateway: &Gateway, token: &str, seconds: u64) -> Result<HeaderValue, Problem> {
    let secure = if gateway.is_https() { "; Secure" } else { "" };
    let text = format!(
        "{}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}",
        gateway.cookie_name()
    );
    HeaderValue::from_str(&text).map_err(|error| Problem::internal(&error))
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(Problem::unauthenticated)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
