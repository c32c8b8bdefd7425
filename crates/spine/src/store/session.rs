//! Sessions: who is signed in, where.

use hallway_evidence::{CredentialId, PersonId, Timestamp};
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

use super::column::{Cell, ms, text, time};
use super::entity::session as row;
use super::error::StoreError;
use super::ids::{EvidenceHash, TokenHash};
use super::page::Limit;
use super::unit::Unit;

/// A session. Its secret is the browser's; only its hash is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the secret.
    pub token: TokenHash,
    /// Who is signed in.
    pub person: PersonId,
    /// The key that signed: for the session, or for the one-time link that opened it.
    pub credential: CredentialId,
    /// The evidence of that.
    pub evidence: EvidenceHash,
    /// When that key was touched. A session is as old as this, however it was handed on since.
    pub touched: Timestamp,
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

/// How many sessions of one person are looked at to make room for a new one.
const MOST_AT_ONCE: u64 = 1024;

/// Which sessions end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionsOf {
    /// The one with this token.
    Token(TokenHash),
    /// A person's.
    Person(PersonId),
    /// Those that came from a key.
    Credential(CredentialId),
}

/// The sessions.
#[derive(Clone, Copy, Debug)]
pub struct SessionRows<'u>(&'u Unit<'u>);

impl Unit<'_> {
    /// The sessions.
    #[must_use]
    pub const fn sessions(&self) -> SessionRows<'_> {
        SessionRows(self)
    }
}

/// A gateway of the version before opens sessions by links without saying whose touch that was:
/// here they open nothing.
fn names_its_touch() -> Condition {
    Condition::all()
        .add(row::Column::CredentialId.is_not_null())
        .add(row::Column::Evidence.is_not_null())
}

impl TryFrom<row::Model> for Session {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("session", column);
        Ok(Self {
            token: cell("token_hash").hash(&row.token_hash)?,
            person: row.person_id.into(),
            credential: cell("credential_id").credential(row.credential_id.unwrap_or_default())?,
            evidence: cell("evidence").hash(&row.evidence.unwrap_or_default())?,
            touched: time(row.touched_ms.unwrap_or_default()),
            created: time(row.created_ms),
            last_seen: time(row.last_seen_ms),
            expires: time(row.expires_ms),
            address: row.address,
            agent: row.agent,
        })
    }
}

impl SessionRows<'_> {
    /// Opens a session.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the token is taken.
    pub async fn add(&self, session: &Session) -> Result<(), StoreError> {
        let row = row::Model {
            token_hash: session.token.0.to_vec(),
            person_id: session.person.as_uuid(),
            credential_id: Some(session.credential.as_bytes().to_vec()),
            evidence: Some(session.evidence.0.to_vec()),
            touched_ms: Some(ms(session.touched)),
            created_ms: ms(session.created),
            last_seen_ms: ms(session.last_seen),
            expires_ms: ms(session.expires),
            address: session.address.clone(),
            agent: text(&session.agent),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("session"))?;
        Ok(())
    }

    /// The session, if it has not ended at `now`.
    pub async fn get(
        &self,
        token: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        row::Entity::find_by_id(token.0.to_vec())
            .filter(row::Column::ExpiresMs.gt(ms(now)))
            .filter(names_its_touch())
            .one(&self.0.db())
            .await?
            .map(Session::try_from)
            .transpose()
    }

    /// A person's sessions that have not ended, the last used first.
    pub async fn of_person(
        &self,
        person: PersonId,
        now: Timestamp,
        limit: Limit,
    ) -> Result<Vec<Session>, StoreError> {
        row::Entity::find()
            .filter(row::Column::PersonId.eq(person.as_uuid()))
            .filter(row::Column::ExpiresMs.gt(ms(now)))
            .filter(names_its_touch())
            .order_by_desc(row::Column::LastSeenMs)
            .limit(u64::from(limit.get()))
            .all(&self.0.db())
            .await?
            .into_iter()
            .map(Session::try_from)
            .collect()
    }

    /// Notes that it was used, and that it now ends at `expires`. A session that is gone stays so.
    pub async fn touch(
        &self,
        token: &TokenHash,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        row::Entity::update_many()
            .col_expr(row::Column::LastSeenMs, Expr::value(ms(now)))
            .col_expr(row::Column::ExpiresMs, Expr::value(ms(expires)))
            .filter(row::Column::TokenHash.eq(token.0.to_vec()))
            .exec(&self.0.db())
            .await?;
        Ok(())
    }

    /// The sessions of a person beyond the `keep` that were used last.
    pub async fn beyond_newest(
        &self,
        person: PersonId,
        keep: u64,
    ) -> Result<Vec<TokenHash>, StoreError> {
        let tokens: Vec<Vec<u8>> = row::Entity::find()
            .select_only()
            .column(row::Column::TokenHash)
            .filter(row::Column::PersonId.eq(person.as_uuid()))
            .order_by_desc(row::Column::LastSeenMs)
            .offset(keep)
            // SQLite takes no offset without a limit.
            .limit(MOST_AT_ONCE)
            .into_tuple()
            .all(&self.0.db())
            .await?;
        let cell = Cell("session", "token_hash");
        tokens.iter().map(|token| cell.hash(token)).collect()
    }

    /// Ends sessions; gives their tokens. What hangs on them is for [`crate::depends`], which is
    /// whom this is for.
    pub async fn end(&self, which: &SessionsOf) -> Result<Vec<TokenHash>, StoreError> {
        let matching = match which {
            SessionsOf::Token(token) => row::Column::TokenHash.eq(token.0.to_vec()),
            SessionsOf::Person(person) => row::Column::PersonId.eq(person.as_uuid()),
            SessionsOf::Credential(id) => row::Column::CredentialId.eq(id.as_bytes().to_vec()),
        };
        let tokens: Vec<Vec<u8>> = row::Entity::find()
            .select_only()
            .column(row::Column::TokenHash)
            .filter(matching.clone())
            .into_tuple()
            .all(&self.0.db())
            .await?;
        row::Entity::delete_many()
            .filter(matching)
            .exec(&self.0.db())
            .await?;
        let cell = Cell("session", "token_hash");
        tokens.iter().map(|token| cell.hash(token)).collect()
    }

    /// Forgets sessions that ended before `before`, `most` of them; tells how many.
    pub async fn prune(&self, before: Timestamp, most: u64) -> Result<u64, StoreError> {
        self.0
            .forget("session", "token_hash", "expires_ms", before, most)
            .await
    }
}
