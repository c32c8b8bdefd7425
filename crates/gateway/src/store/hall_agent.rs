//! Agents: machines that provide files and services to a hall.

use async_trait::async_trait;
use hallway_evidence::Timestamp;
use hallway_evidence::statement::hall::{AgentName, HallName};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::column::{Cell, ms, time};
use super::entity::hall_agent as row;
use super::error::StoreError;
use super::ids::{EvidenceHash, TokenHash};
use super::unit::Sql;

/// How many agents one hall may have.
pub const MAX_AGENTS: u64 = 64;

/// An agent, invited or joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HallAgent {
    /// Of which hall.
    pub hall: HallName,
    /// What it is called there.
    pub name: AgentName,
    /// SHA-256 of the token with which it joins.
    pub token: TokenHash,
    /// Until when it may join.
    pub expires: Timestamp,
    /// When it joined, and SHA-256 of its public key (SubjectPublicKeyInfo).
    pub joined: Option<(Timestamp, [u8; 32])>,
    /// When it was invited.
    pub invited: Timestamp,
    /// The evidence of that.
    pub evidence: EvidenceHash,
}

/// The agents of all halls.
#[async_trait]
pub trait HallAgentRepository: Send + Sync {
    /// Invites an agent. One of the same name is out from now on.
    ///
    /// # Errors
    /// [`StoreError::TooMany`].
    async fn invite(&self, agent: &HallAgent) -> Result<(), StoreError>;
    /// One agent.
    async fn get(&self, hall: &HallName, name: &AgentName)
    -> Result<Option<HallAgent>, StoreError>;
    /// The agents of a hall by name; at most [`MAX_AGENTS`].
    async fn of_hall(&self, hall: &HallName) -> Result<Vec<HallAgent>, StoreError>;
    /// The agents of all halls that are invited, have not joined and still may at `now`.
    async fn invited(&self, now: Timestamp) -> Result<Vec<HallAgent>, StoreError>;
    /// Uses a token up: gives the agent to exactly one caller, whatever the number of gateways.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the key is another agent's.
    async fn join(
        &self,
        token: &TokenHash,
        key_sha256: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<HallAgent>, StoreError>;
    /// Puts an agent out.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    async fn dismiss(&self, hall: &HallName, name: &AgentName) -> Result<(), StoreError>;
}

impl TryFrom<row::Model> for HallAgent {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("hall_agent", column);
        let key = cell("key_sha256").hash_option(row.key_sha256.as_deref())?;
        Ok(Self {
            hall: cell("hall").word(&row.hall)?,
            name: cell("name").word(&row.name)?,
            token: cell("token_hash").hash(&row.token_hash)?,
            expires: time(row.expires_ms),
            joined: row.joined_ms.map(time).zip(key),
            invited: time(row.invited_ms),
            evidence: cell("evidence").hash(&row.evidence)?,
        })
    }
}

#[async_trait]
impl HallAgentRepository for Sql<'_> {
    async fn invite(&self, agent: &HallAgent) -> Result<(), StoreError> {
        let agents = row::Entity::find().filter(row::Column::Hall.eq(agent.hall.as_str()));
        if agents.count(self.db()).await? >= MAX_AGENTS {
            return Err(StoreError::TooMany {
                what: "agents of this hall",
                max: MAX_AGENTS,
            });
        }
        let row = row::Model {
            hall: agent.hall.to_string(),
            name: agent.name.to_string(),
            token_hash: agent.token.0.to_vec(),
            expires_ms: ms(agent.expires),
            key_sha256: agent.joined.map(|(_, key)| key.to_vec()),
            joined_ms: agent.joined.map(|(at, _)| ms(at)),
            invited_ms: ms(agent.invited),
            evidence: agent.evidence.0.to_vec(),
        };
        row::Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::columns([row::Column::Hall, row::Column::Name])
                    .update_columns([
                        row::Column::TokenHash,
                        row::Column::ExpiresMs,
                        row::Column::KeySha256,
                        row::Column::JoinedMs,
                        row::Column::InvitedMs,
                        row::Column::Evidence,
                    ])
                    .to_owned(),
            )
            .exec_without_returning(self.db())
            .await?;
        Ok(())
    }

    async fn get(
        &self,
        hall: &HallName,
        name: &AgentName,
    ) -> Result<Option<HallAgent>, StoreError> {
        row::Entity::find_by_id((hall.to_string(), name.to_string()))
            .one(self.db())
            .await?
            .map(HallAgent::try_from)
            .transpose()
    }

    async fn of_hall(&self, hall: &HallName) -> Result<Vec<HallAgent>, StoreError> {
        row::Entity::find()
            .filter(row::Column::Hall.eq(hall.as_str()))
            .order_by_asc(row::Column::Name)
            .limit(MAX_AGENTS)
            .all(self.db())
            .await?
            .into_iter()
            .map(HallAgent::try_from)
            .collect()
    }

    async fn invited(&self, now: Timestamp) -> Result<Vec<HallAgent>, StoreError> {
        row::Entity::find()
            .filter(row::Column::JoinedMs.is_null())
            .filter(row::Column::ExpiresMs.gt(ms(now)))
            .all(self.db())
            .await?
            .into_iter()
            .map(HallAgent::try_from)
            .collect()
    }

    async fn join(
        &self,
        token: &TokenHash,
        key_sha256: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<HallAgent>, StoreError> {
        // One statement decides: of any number that run at once, one changes the row.
        let updated = row::Entity::update_many()
            .col_expr(row::Column::JoinedMs, Expr::value(ms(now)))
            .col_expr(row::Column::KeySha256, Expr::value(key_sha256.to_vec()))
            .filter(row::Column::TokenHash.eq(token.0.to_vec()))
            .filter(row::Column::JoinedMs.is_null())
            .filter(row::Column::ExpiresMs.gt(ms(now)))
            .exec(self.db())
            .await
            .map_err(StoreError::inserting("agent with this key"))?;
        if updated.rows_affected == 0 {
            return Ok(None);
        }
        row::Entity::find()
            .filter(row::Column::TokenHash.eq(token.0.to_vec()))
            .one(self.db())
            .await?
            .map(HallAgent::try_from)
            .transpose()
    }

    async fn dismiss(&self, hall: &HallName, name: &AgentName) -> Result<(), StoreError> {
        let deleted = row::Entity::delete_by_id((hall.to_string(), name.to_string()))
            .exec(self.db())
            .await?;
        match deleted.rows_affected {
            0 => Err(StoreError::Missing("agent")),
            _ => Ok(()),
        }
    }
}
