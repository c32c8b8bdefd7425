//! The sessions of a person: listing them, and ending one.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::{Caller, is_idle};
use hallway_spine::store::{Holder, Limit, Session, TokenHash};
use hallway_spine::{Gateway, depends};
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::Serialize;

/// A session of the caller's own.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SessionRow {
    /// SHA-256 of its token, hexadecimal. Ending names it.
    pub id: String,
    /// Whether the request came with this session.
    pub current: bool,
    /// The name of the key that was touched for it.
    pub key: String,
    /// The credential id of that key, base64url.
    pub credential: String,
    /// When that key was touched, milliseconds since 1970.
    pub touched_ms: u64,
    /// When the session began.
    pub created_ms: u64,
    /// When it was used last.
    pub last_seen_ms: u64,
    /// When it ends at the latest.
    pub expires_ms: u64,
    /// The address that it was opened from.
    pub address: String,
    /// The User-Agent of the browser or program.
    pub agent: String,
}

/// Lists the caller's sessions, the last used first.
pub async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
) -> Result<Json<Vec<SessionRow>>, Problem> {
    Ok(Json(of_caller(&gateway, &caller).await?))
}

/// The caller's sessions, the last used first, as many as one query returns.
///
/// # Errors
/// The database.
pub async fn of_caller(gateway: &Gateway, caller: &Caller) -> Result<Vec<SessionRow>, Problem> {
    let (reader, now) = (gateway.store.read(), gateway.now());
    let person = caller.person.id;
    let keys = reader.credentials().held_by(Holder::Person(person)).await?;
    let labels: HashMap<_, _> = keys.into_iter().map(|key| (key.id, key.label)).collect();
    let limit = Limit::nearest(u64::from(Limit::MAX));
    let mut sessions = reader.sessions().of_person(person, now, limit).await?;
    sessions.retain(|session| !is_idle(session, now));
    let row = |session: Session| SessionRow {
        id: session.token.to_string(),
        current: session.token == caller.session.token,
        key: labels.get(&session.credential).cloned().unwrap_or_default(),
        credential: Base64Url::from(session.credential.as_bytes()).to_string(),
        touched_ms: session.touched.as_ms(),
        created_ms: session.created.as_ms(),
        last_seen_ms: session.last_seen.as_ms(),
        expires_ms: session.expires.as_ms(),
        address: session.address,
        agent: session.agent,
    };
    Ok(sessions.into_iter().map(row).collect())
}

/// Ends a session of the caller's own. It needs no touch, because it gives nobody a right.
pub async fn end(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Vec<SessionRow>>, Problem> {
    let missing = || Problem::not_found("session");
    let token: TokenHash = id.parse().map_err(|_| missing())?;
    let own = gateway.store.read().sessions();
    let own = own.get(&token, gateway.now()).await?;
    own.filter(|session| session.person == caller.person.id)
        .ok_or_else(missing)?;
    end_one(&gateway, &caller, token).await?;
    Ok(Json(of_caller(&gateway, &caller).await?))
}

/// Ends a session with all that depends on it, and at once cuts the connections to halls that it
/// opened.
///
/// # Errors
/// The database.
pub async fn end_one(gateway: &Gateway, caller: &Caller, token: TokenHash) -> Result<(), Problem> {
    let by = caller.person.id;
    gateway
        .transact(|unit| Box::pin(depends::end_session(gateway, unit, token, by)))
        .await?;
    gateway.tell_doors().await;
    Ok(())
}
