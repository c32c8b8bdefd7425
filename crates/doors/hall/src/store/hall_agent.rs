//! Agents: machines that provide files and services to a hall.

use std::collections::BTreeSet;

use hallway_evidence::Timestamp;
use hallway_evidence::statement::hall::{AgentName, HallName, Names, ServiceName, StoreName};
use hallway_spine::store::column::{Cell, ms, time};
use hallway_spine::store::{EvidenceHash, StoreError, TokenHash, Unit};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::entity::{hall_agent as row, hall_agent_name as name_row};

/// How many agents one hall may have.
pub const MAX_AGENTS: u64 = 64;

/// An agent, invited or joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HallAgent {
    /// Of which hall.
    pub hall: HallName,
    /// What it is called there.
    pub name: AgentName,
    /// The agent beside which it provides the same.
    pub beside: Option<AgentName>,
    /// The stores that it may provide, and nobody else in this hall.
    pub stores: Names<StoreName>,
    /// The services that it may provide, and nobody else in this hall.
    pub services: Names<ServiceName>,
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
#[derive(Clone, Copy, Debug)]
pub struct HallAgentRows<'u>(pub(super) &'u Unit<'u>);

/// The kinds of names, as the table has them.
const STORE: &str = "store";
const SERVICE: &str = "service";

impl HallAgent {
    /// An agent of its row, with those of a hall's names that are its own.
    fn new(row: row::Model, names: &[name_row::Model]) -> Result<Self, StoreError> {
        let of_kind = |kind: &'static str| {
            names
                .iter()
                .filter(|name| name.agent == row.name && name.kind == kind)
                .map(|name| name.name.as_str())
                .collect::<Vec<_>>()
        };
        let (stores, services) = (of_kind(STORE), of_kind(SERVICE));
        let cell = |column| Cell("hall_agent", column);
        let key = cell("key_sha256").hash_option(row.key_sha256.as_deref())?;
        Ok(Self {
            hall: cell("hall").word(&row.hall)?,
            name: cell("name").word(&row.name)?,
            beside: names
                .iter()
                .find(|name| name.agent == row.name && !name.beside.is_empty())
                .map(|name| Cell("hall_agent_name", "beside").word(&name.beside))
                .transpose()?,
            stores: read_names(&stores)?,
            services: read_names(&services)?,
            token: cell("token_hash").hash(&row.token_hash)?,
            expires: time(row.expires_ms),
            joined: row.joined_ms.map(time).zip(key),
            invited: time(row.invited_ms),
            evidence: cell("evidence").hash(&row.evidence)?,
        })
    }
}

fn read_names<N: Ord + std::str::FromStr>(names: &[&str]) -> Result<Names<N>, StoreError> {
    let corrupt = || StoreError::Corrupt {
        table: "hall_agent_name",
        column: "name",
    };
    let names = names.iter().map(|name| name.parse().map_err(|_| corrupt()));
    let names: BTreeSet<N> = names.collect::<Result<_, _>>()?;
    names.try_into().map_err(|_| corrupt())
}

impl HallAgentRows<'_> {
    async fn names_of_agents(&self, hall: &HallName) -> Result<Vec<name_row::Model>, StoreError> {
        let names = name_row::Entity::find().filter(name_row::Column::Hall.eq(hall.as_str()));
        Ok(names.all(&self.0.db()).await?)
    }

    /// Gives an agent the names that it was invited for, and no others.
    async fn give_names(&self, agent: &HallAgent) -> Result<(), StoreError> {
        name_row::Entity::delete_many()
            .filter(name_row::Column::Hall.eq(agent.hall.as_str()))
            .filter(name_row::Column::Agent.eq(agent.name.as_str()))
            .exec(&self.0.db())
            .await?;
        let row = |kind: &str, name: &str| name_row::Model {
            hall: agent.hall.to_string(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            beside: (agent.beside.as_ref()).map_or_else(String::new, ToString::to_string),
            agent: agent.name.to_string(),
        };
        let stores = agent.stores.iter().map(|name| row(STORE, name.as_str()));
        let services = agent
            .services
            .iter()
            .map(|name| row(SERVICE, name.as_str()));
        let rows: Vec<name_row::ActiveModel> = stores
            .chain(services)
            .map(IntoActiveModel::into_active_model)
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        name_row::Entity::insert_many(rows)
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("store or service of an agent"))?;
        Ok(())
    }
}

impl HallAgentRows<'_> {
    /// Invites an agent. One of the same name is out from now on, and what it provided is free.
    ///
    /// # Errors
    /// [`StoreError::TooMany`]; [`StoreError::Exists`] when another agent of the hall provides
    /// something of one of its names.
    pub async fn invite(&self, agent: &HallAgent) -> Result<(), StoreError> {
        let others = row::Entity::find()
            .filter(row::Column::Hall.eq(agent.hall.as_str()))
            .filter(row::Column::Name.ne(agent.name.as_str()));
        if others.count(&self.0.db()).await? >= MAX_AGENTS {
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
            .exec_without_returning(&self.0.db())
            .await?;
        self.give_names(agent).await
    }

    /// One agent.
    pub async fn get(
        &self,
        hall: &HallName,
        name: &AgentName,
    ) -> Result<Option<HallAgent>, StoreError> {
        let row = row::Entity::find_by_id((hall.to_string(), name.to_string()))
            .one(&self.0.db())
            .await?;
        match row {
            Some(row) => Ok(Some(HallAgent::new(
                row,
                &self.names_of_agents(hall).await?,
            )?)),
            None => Ok(None),
        }
    }

    /// The agents of a hall by name; at most [`MAX_AGENTS`].
    pub async fn of_hall(&self, hall: &HallName) -> Result<Vec<HallAgent>, StoreError> {
        let names = self.names_of_agents(hall).await?;
        row::Entity::find()
            .filter(row::Column::Hall.eq(hall.as_str()))
            .order_by_asc(row::Column::Name)
            .limit(MAX_AGENTS)
            .all(&self.0.db())
            .await?
            .into_iter()
            .map(|row| HallAgent::new(row, &names))
            .collect()
    }

    /// The agents of all halls that are invited, have not joined and still may at `now`.
    pub async fn invited(&self, now: Timestamp) -> Result<Vec<HallAgent>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::JoinedMs.is_null())
            .filter(row::Column::ExpiresMs.gt(ms(now)))
            .all(&self.0.db())
            .await?;
        let mut agents = Vec::with_capacity(rows.len());
        for row in rows {
            let hall = Cell("hall_agent", "hall").word(&row.hall)?;
            let names = self.names_of_agents(&hall).await?;
            agents.push(HallAgent::new(row, &names)?);
        }
        Ok(agents)
    }

    /// Uses a token up: gives the agent to exactly one caller, whatever the number of gateways.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the key is another agent's.
    pub async fn join(
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
            .exec(&self.0.db())
            .await
            .map_err(StoreError::inserting("agent with this key"))?;
        if updated.rows_affected == 0 {
            return Ok(None);
        }
        let row = row::Entity::find()
            .filter(row::Column::TokenHash.eq(token.0.to_vec()))
            .one(&self.0.db())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let hall = Cell("hall_agent", "hall").word(&row.hall)?;
        let names = self.names_of_agents(&hall).await?;
        HallAgent::new(row, &names).map(Some)
    }

    /// Puts an agent out.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn dismiss(&self, hall: &HallName, name: &AgentName) -> Result<(), StoreError> {
        let deleted = row::Entity::delete_by_id((hall.to_string(), name.to_string()))
            .exec(&self.0.db())
            .await?;
        match deleted.rows_affected {
            0 => Err(StoreError::Missing("agent")),
            _ => Ok(()),
        }
    }
}
