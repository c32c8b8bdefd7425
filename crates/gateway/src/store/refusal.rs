//! Refusals: what was not let through, and why. The newest only; they are no evidence.

use async_trait::async_trait;
use hallway_evidence::{DeviceId, PersonId, Timestamp};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

use super::column::{ms, time};
use super::entity::refusal as row;
use super::error::StoreError;
use super::ids::RefusalId;
use super::page::{Page, PageRequest};
use super::unit::Sql;

/// How many refusals are kept.
pub const MAX_REFUSALS: u64 = 10_000;

/// Something that was not let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which.
    pub id: RefusalId,
    /// When.
    pub at: Timestamp,
    /// At which door.
    pub door: String,
    /// Why, as a word for programs.
    pub code: String,
    /// Why, as a sentence for people. Never holds a secret.
    pub detail: String,
    /// Which device asked, if that is known.
    pub device: Option<DeviceId>,
    /// Who asked, if that is known.
    pub person: Option<PersonId>,
    /// From which address.
    pub address: String,
}

/// The refusals.
#[async_trait]
pub trait RefusalRepository: Send + Sync {
    /// Adds one. See [`super::Store::record_refusal`] for one that outlives a cancelled unit.
    async fn add(&self, refusal: &Refusal) -> Result<(), StoreError>;
    /// The refusals, the last one first.
    async fn page(
        &self,
        request: &PageRequest<RefusalId>,
    ) -> Result<Page<Refusal, RefusalId>, StoreError>;
    /// Forgets all but the newest `keep`; tells how many.
    async fn prune(&self, keep: u64) -> Result<u64, StoreError>;
    /// Forgets those from before `before`, `most` of them; tells how many.
    async fn forget_old(&self, before: Timestamp, most: u64) -> Result<u64, StoreError>;
}

impl From<row::Model> for Refusal {
    fn from(row: row::Model) -> Self {
        Self {
            id: row.id.into(),
            at: time(row.at_ms),
            door: row.door,
            code: row.code,
            detail: row.detail,
            device: row.device_id.map(DeviceId::from),
            person: row.person_id.map(PersonId::from),
            address: row.address,
        }
    }
}

#[async_trait]
impl RefusalRepository for Sql<'_> {
    async fn add(&self, refusal: &Refusal) -> Result<(), StoreError> {
        let row = row::Model {
            id: refusal.id.as_uuid(),
            at_ms: ms(refusal.at),
            door: refusal.door.clone(),
            code: refusal.code.clone(),
            detail: refusal.detail.clone(),
            device_id: refusal.device.map(|id| id.as_uuid()),
            person_id: refusal.person.map(|id| id.as_uuid()),
            address: refusal.address.clone(),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(self.db())
            .await?;
        Ok(())
    }

    async fn page(
        &self,
        request: &PageRequest<RefusalId>,
    ) -> Result<Page<Refusal, RefusalId>, StoreError> {
        let mut query = row::Entity::find()
            .order_by_desc(row::Column::Id)
            .limit(request.limit.with_one_more());
        if let Some(after) = request.after {
            query = query.filter(row::Column::Id.lt(after.as_uuid()));
        }
        let rows = query.all(self.db()).await?;
        let items = rows.into_iter().map(Refusal::from).collect();
        Ok(Page::of(items, request.limit, |refusal: &Refusal| {
            refusal.id
        }))
    }

    async fn prune(&self, keep: u64) -> Result<u64, StoreError> {
        // The ids are UUIDv7: their order is that of time.
        let newest_to_go = row::Entity::find()
            .order_by_desc(row::Column::Id)
            .offset(keep)
            .limit(1)
            .one(self.db())
            .await?;
        let Some(newest_to_go) = newest_to_go else {
            return Ok(0);
        };
        let deleted = row::Entity::delete_many()
            .filter(row::Column::Id.lte(newest_to_go.id))
            .exec(self.db())
            .await?;
        Ok(deleted.rows_affected)
    }

    async fn forget_old(&self, before: Timestamp, most: u64) -> Result<u64, StoreError> {
        self.forget("refusal", "id", "at_ms", before, most).await
    }
}
