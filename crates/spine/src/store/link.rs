//! One-time links: set up the gateway, join, get back in, add a key, sign in once.

pub use hallway_api::link::Purpose;
use hallway_evidence::{PersonId, Timestamp};
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use super::column::{Cell, ms, time};
use super::entity::link as row;
use super::error::StoreError;
use super::ids::{EvidenceHash, TokenHash};
use super::person::Role;
use super::unit::Unit;

/// A one-time link. Its secret was shown once and only its hash is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// SHA-256 of the secret.
    pub token: TokenHash,
    /// What it is good for.
    pub purpose: Purpose,
    /// The name of the person whom it is for.
    pub name: String,
    /// The role that a new person gets.
    pub role: Option<Role>,
    /// The person whom it is for, if there is one already.
    pub person: Option<PersonId>,
    /// Who made it; nobody for the set-up link.
    pub created_by: Option<PersonId>,
    /// The evidence that allowed it.
    pub evidence: Option<EvidenceHash>,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it opens nothing.
    pub expires: Timestamp,
    /// When it was used.
    pub used: Option<Timestamp>,
}

/// Which links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinksOf {
    /// All.
    Everybody,
    /// Those for the first owner.
    Setup,
    /// Those for a person who is here already.
    For(PersonId),
    /// Those that a person made.
    MadeBy(PersonId),
    /// Those for a person and a purpose.
    Purpose(PersonId, Purpose),
    /// Those for a person, and those that the person made.
    ForOrBy(PersonId),
}

/// The one-time links.
#[derive(Clone, Copy, Debug)]
pub struct LinkRows<'u>(&'u Unit<'u>);

impl Unit<'_> {
    /// The one-time links.
    #[must_use]
    pub const fn links(&self) -> LinkRows<'_> {
        LinkRows(self)
    }
}

impl TryFrom<row::Model> for Link {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("link", column);
        Ok(Self {
            token: cell("token_hash").hash(&row.token_hash)?,
            purpose: cell("purpose").word(&row.purpose)?,
            name: row.name,
            role: row.role.map(|role| cell("role").word(&role)).transpose()?,
            person: row.person_id.map(PersonId::from),
            created_by: row.created_by.map(PersonId::from),
            evidence: cell("evidence").hash_option(row.evidence.as_deref())?,
            created: time(row.created_ms),
            expires: time(row.expires_ms),
            used: row.used_ms.map(time),
        })
    }
}

impl LinkRows<'_> {
    /// Adds a link.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the token is taken.
    pub async fn add(&self, link: &Link) -> Result<(), StoreError> {
        let row = row::Model {
            token_hash: link.token.0.to_vec(),
            purpose: link.purpose.as_str().to_owned(),
            name: link.name.clone(),
            role: link.role.map(|role| role.as_str().to_owned()),
            person_id: link.person.map(|id| id.as_uuid()),
            created_by: link.created_by.map(|id| id.as_uuid()),
            evidence: link.evidence.map(|hash| hash.0.to_vec()),
            created_ms: ms(link.created),
            expires_ms: ms(link.expires),
            used_ms: link.used.map(ms),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("link"))?;
        Ok(())
    }

    /// The link, if it can still be used at `now`. Looking does not use it up.
    pub async fn open(
        &self,
        token: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<Link>, StoreError> {
        row::Entity::find_by_id(token.0.to_vec())
            .filter(row::Column::UsedMs.is_null())
            .filter(row::Column::ExpiresMs.gt(ms(now)))
            .one(&self.0.db())
            .await?
            .map(Link::try_from)
            .transpose()
    }

    /// Uses the link up: gives it to exactly one caller, whatever the number of gateways, and
    /// only before it expires.
    pub async fn consume(
        &self,
        token: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<Link>, StoreError> {
        // One statement decides: of any number that run at once, one changes the row.
        let updated = row::Entity::update_many()
            .col_expr(row::Column::UsedMs, Expr::value(ms(now)))
            .filter(row::Column::TokenHash.eq(token.0.to_vec()))
            .filter(row::Column::UsedMs.is_null())
            .filter(row::Column::ExpiresMs.gt(ms(now)))
            .exec(&self.0.db())
            .await?;
        if updated.rows_affected == 0 {
            return Ok(None);
        }
        row::Entity::find_by_id(token.0.to_vec())
            .one(&self.0.db())
            .await?
            .map(Link::try_from)
            .transpose()
    }

    /// The links that can still be used, the one that expires last first.
    pub async fn list_open(&self, which: LinksOf, now: Timestamp) -> Result<Vec<Link>, StoreError> {
        let is_for = |person: PersonId| row::Column::PersonId.eq(person.as_uuid());
        let is_by = |person: PersonId| row::Column::CreatedBy.eq(person.as_uuid());
        let matching = match which {
            LinksOf::Everybody => Condition::all(),
            LinksOf::Setup => {
                Condition::all().add(row::Column::Purpose.eq(Purpose::Setup.as_str()))
            }
            LinksOf::For(person) => Condition::all().add(is_for(person)),
            LinksOf::Purpose(person, purpose) => Condition::all()
                .add(is_for(person))
                .add(row::Column::Purpose.eq(purpose.as_str())),
            LinksOf::MadeBy(person) => Condition::all().add(is_by(person)),
            LinksOf::ForOrBy(person) => Condition::any().add(is_for(person)).add(is_by(person)),
        };
        row::Entity::find()
            .filter(matching)
            .filter(row::Column::UsedMs.is_null())
            .filter(row::Column::ExpiresMs.gt(ms(now)))
            .order_by_desc(row::Column::ExpiresMs)
            .all(&self.0.db())
            .await?
            .into_iter()
            .map(Link::try_from)
            .collect()
    }

    /// Withdraws a link: it opens nothing any more. Tells whether it still could.
    pub async fn withdraw(&self, token: &TokenHash) -> Result<bool, StoreError> {
        let deleted = row::Entity::delete_many()
            .filter(row::Column::TokenHash.eq(token.0.to_vec()))
            .filter(row::Column::UsedMs.is_null())
            .exec(&self.0.db())
            .await?;
        Ok(deleted.rows_affected > 0)
    }

    /// Forgets links that expired before `before`, used or not, `most` of them; tells how many.
    pub async fn prune(&self, before: Timestamp, most: u64) -> Result<u64, StoreError> {
        self.0
            .forget("link", "token_hash", "expires_ms", before, most)
            .await
    }
}
