//! The realm's own authorities: their list, and the acts by which an owner has the next one sign.

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use hallway_evidence::Hash;
use hallway_evidence::statement::realm::{ReplaceAuthority, WithdrawAuthority};
use hallway_spine::Gateway;
use hallway_spine::act::{Actor, Asking, NameAlone, Outcome, Perform, Prepared, Registered, act};
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::realm_authority::rotation::{self, NotYet, Replacement};
use hallway_spine::store::{OwnAuthority, OwnStage, StoreError};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{HallDoor, HallsOf};

/// The acts on the realm's own authorities.
pub fn acts() -> Vec<Registered> {
    vec![
        act::<HallDoor, ReplaceAuthority>(),
        act::<HallDoor, WithdrawAuthority>(),
    ]
}

/// An authority of this realm.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OwnAuthorityView {
    /// SHA-256 of its certificate, hexadecimal.
    pub sha256: String,
    /// next, signing or retiring.
    #[schemars(with = "String")]
    pub stage: OwnStage,
    /// When it came into the bundle, milliseconds since 1970.
    pub published_ms: u64,
    /// When it came to this stage, milliseconds since 1970.
    pub since_ms: u64,
    /// When the stage ends at the latest: then one that signs is replaced, and one that retires
    /// leaves the bundle. Null for the next one.
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

#[async_trait]
impl Perform<HallDoor> for ReplaceAuthority {
    type Request = NameAlone;

    async fn prepare(asking: &Asking<'_>, _: NameAlone) -> Result<Prepared<Self>, Problem> {
        let all = asking.gateway.store.read().own_authorities().all().await?;
        let (from, to) = turn(&all)?;
        rotation::may_replace(&all, asking.gateway.now()).map_err(not_yet)?;
        Ok(Self { from, to }.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        replace(actor, (self.from, self.to), Replacement::InTurn).await
    }
}

#[async_trait]
impl Perform<HallDoor> for WithdrawAuthority {
    type Request = NameAlone;

    async fn prepare(asking: &Asking<'_>, _: NameAlone) -> Result<Prepared<Self>, Problem> {
        let all = asking.gateway.store.read().own_authorities().all().await?;
        let (from, to) = turn(&all)?;
        Ok(Self { from, to }.into())
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        replace(actor, (self.from, self.to), Replacement::AtOnce).await
    }
}

async fn replace(
    actor: &Actor<'_>,
    signed: (Hash, Hash),
    how: Replacement,
) -> Result<Outcome, Problem> {
    let all = actor.unit.own_authorities().all().await?;
    if turn(&all)? != signed {
        return Err(Problem::new(
            Code::AuthorityChanged,
            "another authority signs now; look again",
        ));
    }
    let all = rotation::replace(all, actor.now, how).map_err(not_yet)?;
    let authorities = &actor.gateway.halls().authorities;
    authorities.keep(actor.unit, all, actor.now).await?;
    Ok(actor.done())
}

/// The hashes of the certificates of the authority that signs, and of the next one.
fn turn(all: &[OwnAuthority]) -> Result<(Hash, Hash), Problem> {
    let both = rotation::signing(all).zip(rotation::next(all));
    let (from, to) = both.ok_or(StoreError::Missing("own authority"))?;
    Ok((from.sha256, to.sha256))
}

fn not_yet(NotYet(at): NotYet) -> Problem {
    Problem::new(
        Code::AuthorityTooNew,
        format!(
            "not everybody knows the next authority before {at}; only if a key leaked, replace it \
             at once (--now)"
        ),
    )
    .with("at_ms", at.as_ms())
}
