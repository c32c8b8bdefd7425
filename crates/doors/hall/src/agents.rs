//! Agents join by a one-time token.

use axum::Json;
use axum::extract::State;
use hallway_api::hall::{AgentJoined, JoinAgent};
use hallway_evidence::statement::hall::P256PublicKey;
use hallway_spine::Gateway;
use hallway_spine::http::input::Input;
use hallway_spine::http::peer::Peer;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::session::token_hash;
use hallway_spine::store::{StoreError, TokenHash};

use super::certificate;
use crate::store::{HallAgent, HallTables};

/// Lets a machine join as an agent, once for each token.
pub async fn join(
    State(gateway): State<Gateway>,
    peer: Peer,
    Input(join): Input<JoinAgent>,
) -> Result<Json<AgentJoined>, Problem> {
    let joined = take_in(&gateway, &join).await;
    gateway
        .or_refuse(super::NAME, &peer, joined)
        .await
        .map(Json)
}

async fn take_in(gateway: &Gateway, join: &JoinAgent) -> Result<AgentJoined, Problem> {
    let token = token_hash(&join.token).ok_or_else(spent)?;
    let key = P256PublicKey::from_der(&join.public_key.0)
        .map_err(|error| Problem::malformed(error.to_string()))?;
    certificate::address(gateway)?;
    let agent = gateway
        .transact(|unit| Box::pin(use_up(gateway, unit, token, key)))
        .await?;
    Ok(AgentJoined {
        certified: certificate::agent(gateway, &agent.hall, &agent.name, &key)?,
        hall: agent.hall,
        agent: agent.name,
    })
}

async fn use_up(
    gateway: &Gateway,
    unit: &hallway_spine::store::Unit<'_>,
    token: TokenHash,
    key: P256PublicKey,
) -> Result<HallAgent, Problem> {
    let joined = unit
        .hall_agents()
        .join(&token, &key.sha256(), gateway.now())
        .await
        .map_err(|error| match error {
            StoreError::Exists { .. } => Problem::new(
                Code::KeyUsed,
                "another agent has this key; make a fresh key for each",
            ),
            error => error.into(),
        })?;
    joined.ok_or_else(spent)
}

/// The refusal of a token, the same for unknown, used and expired ones.
fn spent() -> Problem {
    Problem::new(
        Code::Token,
        "this token was used, has expired or never existed; ask for a new invitation",
    )
}
