//! Refusals and their reasons. Only the newest are kept; they are no evidence.

use hallway_evidence::{DeviceId, PersonId, Timestamp};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};

use super::bulk;
use super::column::{ms, number, text, time};
use super::entity::refusal as row;
use super::error::StoreError;
use super::ids::RefusalId;
use super::page::{Page, PageRequest};
use super::unit::Unit;

/// How many refusals are kept.
pub const MAX_REFUSALS: u64 = 10_000;

/// The longest sentence that is kept, in characters.
const LONGEST_DETAIL: usize = 500;

/// A refused request.
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
    /// The number of similar refusals without a record of their own.
    pub more: u64,
    /// When the last one of them was.
    pub last: Timestamp,
}

/// How often a refusal was repeated so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// Which refusal.
    pub id: RefusalId,
    /// How many more like it there were.
    pub more: u64,
    /// When the last one was.
    pub last: Timestamp,
}

/// The refusals.
#[derive(Clone, Copy, Debug)]
pub struct RefusalRows<'u>(&'u Unit<'u>);

impl Unit<'_> {
    /// The refusals.
    #[must_use]
    pub const fn refusals(&self) -> RefusalRows<'_> {
        RefusalRows(self)
    }
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
            more: u64::try_from(row.more).unwrap_or(0),
            last: time(row.last_ms.unwrap_or(row.at_ms)),
        }
    }
}

impl RefusalRows<'_> {
    /// Adds one. See [`super::Store::record_refusal`] for one that outlives a cancelled unit.
    pub async fn add(&self, refusal: &Refusal) -> Result<(), StoreError> {
        let row = row::Model {
            id: refusal.id.as_uuid(),
            at_ms: ms(refusal.at),
            door: refusal.door.clone(),
            code: refusal.code.clone(),
            detail: text(&refusal.detail).chars().take(LONGEST_DETAIL).collect(),
            device_id: refusal.device.map(|id| id.as_uuid()),
            person_id: refusal.person.map(|id| id.as_uuid()),
            address: text(&refusal.address),
            more: number("count", refusal.more)?,
            last_ms: Some(ms(refusal.last)),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await?;
        Ok(())
    }

    /// The refusals, the last one first.
    pub async fn page(
        &self,
        request: &PageRequest<RefusalId>,
    ) -> Result<Page<Refusal, RefusalId>, StoreError> {
        let mut query = row::Entity::find()
            .order_by_desc(row::Column::Id)
            .limit(request.limit.with_one_more());
        if let Some(after) = request.after {
            query = query.filter(row::Column::Id.lt(after.as_uuid()));
        }
        let rows = query.all(&self.0.db()).await?;
        let items = rows.into_iter().map(Refusal::from).collect();
        Ok(Page::of(items, request.limit, |refusal: &Refusal| {
            refusal.id
        }))
    }

    /// Writes down how often refusals were repeated. Those that are forgotten are passed over.
    pub async fn count(&self, repeated: &[Repeated]) -> Result<(), StoreError> {
        let rows = repeated
            .iter()
            .map(|repeated| {
                Ok([
                    repeated.id.as_uuid().into(),
                    number("count", repeated.more)?.into(),
                    ms(repeated.last).into(),
                ])
            })
            .collect::<Result<_, StoreError>>()?;
        let columns = [("id", "uuid"), ("more", "bigint"), ("last_ms", "bigint")];
        Ok(bulk::update(&self.0.db(), "refusal", columns, rows).await?)
    }

    /// Forgets all but `keep`; tells how many. Every kind of refusal (a code at a door, of somebody
    /// known or unknown) keeps as many as the others, its newest: a flood of one pushes out no other.
    pub async fn prune(&self, keep: u64) -> Result<u64, StoreError> {
        // The ids are UUIDv7: their order is that of time. The newest of every kind come first, then
        // the second newest of every kind, and so on, until there are enough.
        let backend = self.0.db().get_database_backend();
        // SQLite has no OFFSET without a LIMIT, and PostgreSQL no LIMIT of -1.
        let all = match backend {
            DbBackend::Postgres => "ALL",
            _ => "-1",
        };
        let sql = format!(
            "DELETE FROM refusal WHERE id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER \
             (PARTITION BY door, code, device_id IS NULL AND person_id IS NULL ORDER BY id DESC) \
             AS place FROM refusal) AS placed ORDER BY place, id DESC LIMIT {all} OFFSET $1)"
        );
        let keep = [number("count", keep)?.into()];
        let statement = Statement::from_sql_and_values(backend, sql, keep);
        Ok(self.0.db().execute_raw(statement).await?.rows_affected())
    }

    /// Forgets those from before `before`, `most` of them; tells how many.
    pub async fn forget_old(&self, before: Timestamp, most: u64) -> Result<u64, StoreError> {
        self.0.forget("refusal", "id", "at_ms", before, most).await
    }
}
