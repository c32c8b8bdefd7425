//! Evidence, as the log orders it.

use hallway_evidence::{DeviceId, PersonId, Timestamp};
use sea_orm::sea_query::{Expr, SelectStatement};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use super::bulk;
use super::column::{Cell, ms, number, time};
use super::entity::evidence as row;
use super::error::StoreError;
use super::ids::{EvidenceHash, StatementHash};
use super::page::{Page, PageRequest};
use super::unit::Unit;
use crate::store::column::pad;

/// The act of a device's transaction; a device's history leaves these out.
pub const TRANSACTION_ACT: &str = "device.transaction";

/// A piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceRecord {
    /// Its place in the log.
    pub log_index: u64,
    /// Its hash, the log's entry.
    pub hash: EvidenceHash,
    /// The hash of the statement inside. A statement is accepted once, whatever the number of
    /// gateways: that is what makes a challenge a one-time one.
    pub statement: StatementHash,
    /// The encoded evidence; nothing once it was erased.
    pub bytes: Option<Vec<u8>>,
    /// What it is about: `door.kind`.
    pub act: String,
    /// The person who signed, or whom it is about.
    pub person: Option<PersonId>,
    /// The device that signed, or that it is about.
    pub device: Option<DeviceId>,
    /// When it was accepted.
    pub accepted: Timestamp,
}

/// Which evidence a list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EvidenceFilter {
    /// All.
    #[default]
    All,
    /// What a person signed, and what is about that person.
    Person(PersonId),
    /// A device's history: everything about it but its transactions.
    DeviceHistory(DeviceId),
}

/// The evidence.
#[derive(Clone, Copy, Debug)]
pub struct EvidenceRows<'u>(&'u Unit<'u>);

impl Unit<'_> {
    /// The evidence.
    #[must_use]
    pub const fn evidence(&self) -> EvidenceRows<'_> {
        EvidenceRows(self)
    }
}

impl TryFrom<row::Model> for EvidenceRecord {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("evidence", column);
        Ok(Self {
            log_index: cell("log_index").number(row.log_index)?,
            hash: cell("hash").hash(&row.hash)?,
            statement: cell("statement_hash").hash(&row.statement_hash)?,
            bytes: row.bytes,
            act: row.act,
            person: row.person_id.map(PersonId::from),
            device: row.device_id.map(DeviceId::from),
            accepted: time(row.accepted_ms),
        })
    }
}

/// What is about a device, without its transactions. The act is written out, not bound: the partial
/// index applies only to the constant.
fn history(device: DeviceId) -> Condition {
    Condition::all()
        .add(row::Column::DeviceId.eq(device.as_uuid()))
        .add(Expr::cust("act <> 'device.transaction'"))
}

/// How many hashes one query asks for.
const HASHES_PER_QUERY: usize = 512;

/// Every piece, newest first, as far as a page goes and one more.
fn newest_first(request: &PageRequest<u64>) -> Result<Select<row::Entity>, StoreError> {
    let query = row::Entity::find()
        .order_by_desc(row::Column::LogIndex)
        .limit(request.limit.with_one_more());
    Ok(match request.after {
        Some(after) => query.filter(row::Column::LogIndex.lt(number("log index", after)?)),
        None => query,
    })
}

impl EvidenceRows<'_> {
    /// One piece.
    pub async fn get(&self, hash: &EvidenceHash) -> Result<Option<EvidenceRecord>, StoreError> {
        row::Entity::find()
            .filter(row::Column::Hash.eq(hash.0.to_vec()))
            .one(&self.0.db())
            .await?
            .map(EvidenceRecord::try_from)
            .transpose()
    }

    /// The piece that holds this statement.
    pub async fn by_statement(
        &self,
        statement: &StatementHash,
    ) -> Result<Option<EvidenceRecord>, StoreError> {
        row::Entity::find()
            .filter(row::Column::StatementHash.eq(statement.0.to_vec()))
            .one(&self.0.db())
            .await?
            .map(EvidenceRecord::try_from)
            .transpose()
    }

    /// The pieces that hold any of these statements, in no order.
    pub async fn by_statements(
        &self,
        statements: &[StatementHash],
    ) -> Result<Vec<EvidenceRecord>, StoreError> {
        let mut found = Vec::new();
        for some in statements.chunks(HASHES_PER_QUERY) {
            let rows = row::Entity::find()
                .filter(
                    row::Column::StatementHash
                        .is_in(pad(some.iter().map(|hash| hash.0.to_vec()).collect())),
                )
                .all(&self.0.db())
                .await?;
            for row in rows {
                found.push(EvidenceRecord::try_from(row)?);
            }
        }
        Ok(found)
    }

    /// The piece at this place in the log.
    pub async fn at(&self, log_index: u64) -> Result<Option<EvidenceRecord>, StoreError> {
        row::Entity::find_by_id(number("log index", log_index)?)
            .one(&self.0.db())
            .await?
            .map(EvidenceRecord::try_from)
            .transpose()
    }

    /// The evidence, newest first.
    pub async fn page(
        &self,
        filter: EvidenceFilter,
        request: &PageRequest<u64>,
    ) -> Result<Page<EvidenceRecord, u64>, StoreError> {
        let query = newest_first(request)?;
        let query = match filter {
            EvidenceFilter::All => query,
            EvidenceFilter::Person(person) => {
                query.filter(row::Column::PersonId.eq(person.as_uuid()))
            }
            EvidenceFilter::DeviceHistory(device) => query.filter(history(device)),
        };
        self.found(query, request).await
    }

    /// That part of a device's history which is in one of `periods`, newest first. `periods` names
    /// them for a device and a place in the log, two columns of the query around it.
    pub async fn history_in(
        &self,
        device: DeviceId,
        periods: impl FnOnce(Expr, Expr) -> SelectStatement,
        request: &PageRequest<u64>,
    ) -> Result<Page<EvidenceRecord, u64>, StoreError> {
        let column = |column| Expr::col((row::Entity, column));
        let (id, log_index) = (row::Column::DeviceId, row::Column::LogIndex);
        let held = Expr::exists(periods(column(id), column(log_index)));
        let query = newest_first(request)?.filter(history(device)).filter(held);
        self.found(query, request).await
    }

    async fn found(
        &self,
        query: Select<row::Entity>,
        request: &PageRequest<u64>,
    ) -> Result<Page<EvidenceRecord, u64>, StoreError> {
        let rows = query.all(&self.0.db()).await?;
        let items = rows
            .into_iter()
            .map(EvidenceRecord::try_from)
            .collect::<Result<_, _>>()?;
        Ok(Page::of(items, request.limit, |record: &EvidenceRecord| {
            record.log_index
        }))
    }

    /// Erases the bytes where the law asks; the hash stays in the log. Tells whether there was
    /// anything to erase.
    pub async fn erase(&self, hash: &EvidenceHash) -> Result<bool, StoreError> {
        let updated = row::Entity::update_many()
            .col_expr(row::Column::Bytes, Expr::value(None::<Vec<u8>>))
            .filter(row::Column::Hash.eq(hash.0.to_vec()))
            .filter(row::Column::Bytes.is_not_null())
            .exec(&self.0.db())
            .await?;
        Ok(updated.rows_affected > 0)
    }

    /// Adds evidence that the log just took in. Only [`crate::ledger`] calls this, in the unit
    /// that moves the log's head.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when one of the statements was accepted before.
    pub async fn add_logged(&self, records: Vec<EvidenceRecord>) -> Result<(), StoreError> {
        let rows = records
            .into_iter()
            .map(|record| {
                Ok([
                    number("log index", record.log_index)?.into(),
                    record.hash.0.to_vec().into(),
                    record.statement.0.to_vec().into(),
                    record.bytes.into(),
                    record.act.into(),
                    record.person.map(|id| id.as_uuid()).into(),
                    record.device.map(|id| id.as_uuid()).into(),
                    ms(record.accepted).into(),
                ])
            })
            .collect::<Result<_, StoreError>>()?;
        let columns = [
            ("log_index", "bigint"),
            ("hash", "bytea"),
            ("statement_hash", "bytea"),
            ("bytes", "bytea"),
            ("act", "text"),
            ("person_id", "uuid"),
            ("device_id", "uuid"),
            ("accepted_ms", "bigint"),
        ];
        bulk::insert(&self.0.db(), "evidence", columns, rows)
            .await
            .map_err(StoreError::inserting("evidence"))
    }
}
