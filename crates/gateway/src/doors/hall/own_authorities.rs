//! The realm's own authorities: which there are, and an owner's touch that has the next one sign.

use axum::Json;
use axum::extract::State;
use hallway_evidence::statement::hall::{Hall as HallAct, Turn};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::act::{Actor, Outcome, includes, role_needed};
use crate::Gateway;
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::realm_authority::AuthoritiesError;
use crate::realm_authority::rotation::{self, NotYet, Replacement};
use crate::store::{OwnAuthority, OwnStage, Role, StoreError};

/// An act on the realm's own authorities, as asked for.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum OwnAuthorityRequest {
    /// Have the next authority sign. What was signed before is good until it ends.
    ReplaceAuthority {},
    /// Have the next authority sign, and make nothing of what was signed before: a key leaked.
    WithdrawAuthority {},
}

/// An authority of this realm.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OwnAuthorityView {
    /// SHA-256 of its certificate, hexadecimal.
    pub sha256: String,
    /// next, signing or retiring.
    #[schemars(with = "String")]
    pub stage: OwnStage,
    /// Since when it is in the bundle, milliseconds since 1970.
    pub published_ms: u64,
    /// Since when it is in this stage, milliseconds since 1970.
    pub since_ms: u64,
    /// Until when at the latest: one that signs is replaced, one that retires leaves the bundle.
    /// Null for the next one.
    pub until_ms: Option<u64>,
}

impl From<OwnAuthority> for OwnAuthorityView {
    fn from(authority: OwnAuthority) -> Self {
        let until = match authority.stage {
            OwnStage::Next => None,
            OwnStage::Signing => Some(rotation::replaced_by_itself(&authority)),
            OwnStage::Retiring => Some(rotation::stays_until(&authority)),
        };
        Self {
            sha256: hex::encode(authority.sha256),
            stage: authority.stage,
            published_ms: authority.published.as_ms(),
            since_ms: authority.since.as_ms(),
            until_ms: until.map(|at| at.as_ms()),
        }
    }
}

/// The realm's own authorities: the next one, the one that signs, those that retire.
pub async fn list(State(gateway): State<Gateway>) -> Result<Json<Vec<OwnAuthorityView>>, Problem> {
    let mut all = gateway.store.read().own_authorities().all().await?;
    all.sort_by_key(|authority| (authority.stage, authority.since));
    Ok(Json(all.into_iter().map(Into::into).collect()))
}

/// The statement of an act on the realm's own authorities.
///
/// # Errors
/// The caller is no owner, or not everybody knows the next one yet.
pub async fn prepare(
    gateway: &Gateway,
    caller: &Caller,
    request: OwnAuthorityRequest,
) -> Result<HallAct, Problem> {
    if !includes(caller.person.role, Role::Owner) {
        return Err(role_needed(Role::Owner));
    }
    let all = gateway.store.read().own_authorities().all().await?;
    let turn = turn(&all)?;
    Ok(match request {
        OwnAuthorityRequest::ReplaceAuthority {} => {
            rotation::may_replace(&all, gateway.now()).map_err(not_yet)?;
            HallAct::ReplaceAuthority(turn)
        }
        OwnAuthorityRequest::WithdrawAuthority {} => HallAct::WithdrawAuthority(turn),
    })
}

/// Does what an owner signed.
///
/// # Errors
/// The signer is no owner, or another authority signs by now.
pub async fn perform(
    actor: &Actor<'_>,
    terms: &Turn,
    how: Replacement,
) -> Result<Outcome, Problem> {
    actor.needs(Role::Owner)?;
    let all = actor.unit.own_authorities().all().await?;
    if turn(&all)? != *terms {
        return Err(Problem::conflict(
            "authority-changed",
            "another authority signs by now; look again",
        ));
    }
    let all = rotation::replace(all, actor.now, how).map_err(not_yet)?;
    let authorities = &actor.gateway.halls.authorities;
    authorities.keep(actor.unit, all, actor.now).await?;
    Ok(Outcome::done(actor))
}

fn turn(all: &[OwnAuthority]) -> Result<Turn, Problem> {
    let both = rotation::signing(all).zip(rotation::next(all));
    let (from, to) = both.ok_or(StoreError::Missing("own authority"))?;
    Ok(Turn {
        from: from.sha256,
        to: to.sha256,
    })
}

fn not_yet(NotYet(at): NotYet) -> Problem {
    Problem::conflict(
        "authority-too-new",
        format!(
            "not everybody knows the next authority before {at}; only if a key leaked, replace it \
             at once (--now)"
        ),
    )
    .with("at_ms", at.as_ms())
}

impl From<AuthoritiesError> for Problem {
    fn from(error: AuthoritiesError) -> Self {
        match error {
            AuthoritiesError::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}
