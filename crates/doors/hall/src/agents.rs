//! Agents join by a one-time token.

use axum::Json;
use axum::extract::State;
use hallway_evidence::statement::hall::{AgentName, HallName, P256PublicKey};
use hallway_spine::Gateway;
use hallway_spine::http::input::Input;
use hallway_spine::http::peer::Peer;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::session::token_hash;
use hallway_spine::store::{StoreError, TokenHash};
use hallway_webauthn::wire::Base64Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::certificate::{self, Certified};
use crate::store::{HallAgent, HallTables};

/// The request of a machine that joins.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The secret token of the invitation.
    pub token: String,
    /// Its P-256 key, SubjectPublicKeyInfo, base64url.
    #[schemars(with = "String")]
    pub public_key: Base64Url,
}

/// The agent that the machine becomes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Joined {
    /// The hall.
    #[schemars(with = "String")]
    pub hall: HallName,
    /// The agent's name in the hall.
    #[schemars(with = "String")]
    pub agent: AgentName,
    /// Its certificate.
    #[serde(flatten)]
    pub certified: Certified,
}

/// Lets a machine join as an agent, once for each token.
pub async fn join(
    State(gateway): State<Gateway>,
    peer: Peer,
    Input(join): Input<Join>,
) -> Result<Json<Joined>, Problem> {
    let joined = take_in(&gateway, &join).await;
    gateway
        .or_refuse(super::NAME, &peer, joined)
        .await
        .map(Json)
}

async fn take_in(gateway: &Gateway, join: &Join) -> Result<Joined, Problem> {
    let token = token_hash(&join.token).ok_or_else(spent)?;
    let key = P256PublicKey::from_der(&join.public_key.0)
        .map_err(|error| Problem::malformed(error.to_string()))?;
    certificate::address(gateway)?;
    let agent = gateway
        .transact(|unit| Box::pin(use_up(gateway, unit, token, key)))
        .await?;
    Ok(Joined {
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
