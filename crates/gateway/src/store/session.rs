//! Sessions: who is signed in, where.

use async_trait::async_trait;
use hallway_evidence::{CredentialId, PersonId, Timestamp};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

use super::column::{Cell, ms, text, time};
use super::entity::session as row;
use super::error::StoreError;
use super::ids::{EvidenceHash, TokenHash};
use super::page::Limit;
use super::unit::Sql;

/// A session. Its secret is the browser's; only its hash is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the secret.
    pub token: TokenHash,
    /// Who is signed in.
    pub person: PersonId,
    /// The key that signed; nothing when a one-time link opened the session.
    pub credential: Option<CredentialId>,
    /// The evidence that opened it.
    pub evidence: Option<EvidenceHash>,
    /// When it began.
    pub created: Timestamp,
    /// When it was used last.
    pub last_seen: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// The address that it was opened from.
    pub address: String,
    /// The browser, as it calls itself.
    pub agent: String,
}

/// The sessions.
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// Opens a session.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the token is taken.
    async fn add(&self, session: &Session) -> Result<(), StoreError>;
    /// The session, if it has not ended at `now`.
    async fn get(&self, token: &TokenHash, now: Timestamp) -> Result<Option<Session>, StoreError>;
    /// A person's sessions that have not ended, the last used first.
    async fn of_person(
        &self,
        person: PersonId,
        now: Timestamp,
        limit: Limit,
    ) -> Result<Vec<Session>, StoreError>;
    /// Notes that it was used, and that it now ends at `expires`. A session that is gone stays so.
    async fn touch(
        &self,
        token: &TokenHash,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), StoreError>;
    /// Ends it; tells whether there was one.
    async fn remove(&self, token: &TokenHash) -> Result<bool, StoreError>;
    /// Ends every session of a person; tells how many.
    async fn remove_of_person(&self, person: PersonId) -> Result<u64, StoreError>;
    /// Ends every session that a credential opened; tells how many.
    async fn remove_of_credential(&self, credential: &CredentialId) -> Result<u64, StoreError>;
    /// Forgets sessions that ended before `before`; tells how many.
    async fn prune(&self, before: Timestamp) -> Result<u64, StoreError>;
}

impl TryFrom<row::Model> for Session {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("session", column);
        Ok(Self {
            token: cell("token_hash").hash(&row.token_hash)?,
            person: row.person_id.into(),
            credential: row
                .credential_id
                .map(|id| cell("credential_id").credential(id))
                .transpose()?,
            evidence: cell("evidence").hash_option(row.evidence.as_deref())?,
            created: time(row.created_ms),
            last_seen: time(row.last_seen_ms),
            expires: time(row.expires_ms),
            address: row.address,
            agent: row.agent,
        })
    }
}

#[async_trait]
impl SessionRepository for Sql<'_> {
    async fn add(&self, session: &Session) -> Result<(), StoreError> {
        let row = row::Model {
            token_hash: session.token.0.to_vec(),
            person_id: session.person.as_uuid(),
            credential_id: session.credential.as_ref().map(|id| id.as_bytes().to_vec()),
            evidence: session.evidence.map(|hash| hash.0.to_vec()),
            created_ms: ms(session.created),
            last_seen_ms: ms(session.last_seen),
            expires_ms: ms(session.expires),
            address: session.address.clone(),
            agent: text(&session.agent),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(self.db())
            .await
            .map_err(StoreError::inserting("session"))?;
        Ok(())
    }

    async fn get(&self, token: &TokenHash, now: Timestamp) -> Result<Option<Session>, StoreError> {
        row::Entity::find_by_id(token.0.to_vec())
            .filter(row::Column::ExpiresMs.gt(ms(now)))
            .one(self.db())
            .await?
            .map(Session::try_from)
            .transpose()
    }

    async fn of_person(
        &self,
        person: PersonId,
        now: Timestamp,
        limit: Limit,
    ) -> Result<Vec<Session>, StoreError> {
        row::Entity::find()
            .filter(row::Column::PersonId.eq(person.as_uuid()))
            .filter(row::Column::ExpiresMs.gt(ms(now)))
            .order_by_desc(row::Column::LastSeenMs)
            .limit(u64::from(limit.get()))
            .all(self.db())
            .await?
            .into_iter()
            .map(Session::try_from)
            .collect()
    }

    async fn touch(
        &self,
        token: &TokenHash,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        row::Entity::update_many()
            .col_expr(row::Column::LastSeenMs, Expr::value(ms(now)))
            .col_expr(row::Column::ExpiresMs, Expr::value(ms(expires)))
            .filter(row::Column::TokenHash.eq(token.0.to_vec()))
            .exec(self.db())
            .await?;
        Ok(())
    }

    async fn remove(&self, token: &TokenHash) -> Result<bool, StoreError> {
        let deleted = row::Entity::delete_by_id(token.0.to_vec())
            .exec(self.db())
            .await?;
        Ok(deleted.rows_affected > 0)
    }

    async fn remove_of_credential(&self, credential: &CredentialId) -> Result<u64, StoreError> {
        let removed = row::Entity::delete_many()
            .filter(row::Column::CredentialId.eq(credential.as_bytes().to_vec()))
            .exec(self.db())
            .await?;
        Ok(removed.rows_affected)
    }

    async fn remove_of_person(&self, person: PersonId) -> Result<u64, StoreError> {
        let deleted = row::Entity::delete_many()
            .filter(row::Column::PersonId.eq(person.as_uuid()))
            .exec(self.db())
            .await?;
        Ok(deleted.rows_affected)
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, StoreError> {
        let deleted = row::Entity::delete_many()
            .filter(row::Column::ExpiresMs.lt(ms(before)))
            .exec(self.db())
            .await?;
        Ok(deleted.rows_affected)
    }
}
