//! Device transactions: what devices signed, and where the bytes are.

use std::collections::HashSet;

use hallway_evidence::{DeviceId, PersonId, Timestamp};
use hallway_spine::store::column::{Cell, ms, number, pad, time};
use hallway_spine::store::entity::evidence;
use hallway_spine::store::{EvidenceHash, Limit, Page, PageRequest, StoreError, Unit, bulk};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::entity::device_transaction as row;
use super::ownership::{Ownership, holding};
use crate::store::DeviceTables;

/// The largest payload that is kept in the database, in bytes. Larger ones are objects.
pub const MAX_INLINE_BYTES: usize = 4096;

/// Where the bytes are that a device signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadLocation {
    /// Here: at most [`MAX_INLINE_BYTES`] bytes.
    Inline(Vec<u8>),
    /// In the object store, under this key.
    Object(String),
}

/// A transaction of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The place of its evidence in the log.
    pub log_index: u64,
    /// Whose it is.
    pub device: DeviceId,
    /// In which era of the device ([`super::Device::era`]).
    pub era: u64,
    /// Its number, from 1; it grows within an era.
    pub sequence: u64,
    /// When the bytes were taken, by the device's clock.
    pub taken: Timestamp,
    /// When it was accepted, by the gateway's clock.
    pub accepted: Timestamp,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// How many bytes.
    pub length: u64,
    /// Their media type.
    pub media_type: String,
    /// The file's name on the device.
    pub file_name: String,
    /// Where the bytes are.
    pub payload: PayloadLocation,
}

/// Which transactions a list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransactionFilter {
    /// All.
    #[default]
    All,
    /// One device's, whose ever it was.
    Device(DeviceId),
    /// Those that devices made while a person owned them.
    Owner(PersonId),
    /// Those that one device made while a person owned it.
    DeviceOfOwner(DeviceId, PersonId),
}

/// The transactions.
#[derive(Clone, Copy, Debug)]
pub struct TransactionRows<'u>(pub(super) &'u Unit<'u>);

impl TryFrom<row::Model> for Transaction {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("device_transaction", column);
        Ok(Self {
            log_index: cell("log_index").number(row.log_index)?,
            device: row.device_id.into(),
            era: cell("era").number(row.era)?,
            sequence: cell("sequence").number(row.sequence)?,
            taken: time(row.taken_ms),
            accepted: time(row.accepted_ms),
            sha256: cell("sha256").hash(&row.sha256)?,
            length: cell("length").number(row.length)?,
            media_type: row.media_type,
            file_name: row.file_name,
            payload: match (row.payload, row.object_key) {
                (Some(bytes), None) => PayloadLocation::Inline(bytes),
                (None, Some(key)) => PayloadLocation::Object(key),
                _ => return Err(cell("payload").corrupt()),
            },
        })
    }
}

fn filtered(filter: TransactionFilter) -> sea_orm::Select<row::Entity> {
    let query = row::Entity::find();
    match filter {
        TransactionFilter::All => query,
        TransactionFilter::Device(id) => query.filter(row::Column::DeviceId.eq(id.as_uuid())),
        TransactionFilter::Owner(owner) => query.filter(owned_by(owner)),
        TransactionFilter::DeviceOfOwner(id, owner) => query
            .filter(row::Column::DeviceId.eq(id.as_uuid()))
            .filter(owned_by(owner)),
    }
}

/// Whether the device was this person's when the transaction was accepted.
fn owned_by(owner: PersonId) -> Expr {
    let column = |column| Expr::col((row::Entity, column));
    let (device, log_index) = (row::Column::DeviceId, row::Column::LogIndex);
    Expr::exists(holding(owner, column(device), column(log_index)))
}

/// The eras and numbers of a period.
fn within(period: &Ownership) -> Result<Expr, StoreError> {
    // Only here: columns have methods of the same names.
    use sea_orm::sea_query::ExprTrait as _;
    let column = |column| Expr::col((row::Entity, column));
    let place = || Expr::tuple([column(row::Column::Era), column(row::Column::Sequence)]);
    let at = |(era, sequence): (u64, u64)| -> Result<Expr, StoreError> {
        let (era, sequence) = (number("era", era)?, number("sequence", sequence)?);
        Ok(Expr::tuple([Expr::val(era), Expr::val(sequence)]))
    };
    let behind = place().gt(at(period.behind)?);
    Ok(match period.until {
        Some(until) => behind.and(place().lte(at(until)?)),
        None => behind,
    })
}

/// For how many periods of a person their lists are merged here.
const MERGED: usize = 256;

impl TransactionRows<'_> {
    /// The newest of each period, merged: each list comes from an index, whereas the database would
    /// look through everybody's transactions, or sort all of the person's. Nothing for a person
    /// with more than [`MERGED`] periods, for whom looking through everybody's is the shorter way.
    async fn page_of_owner(
        &self,
        owner: PersonId,
        device: Option<DeviceId>,
        request: &PageRequest<u64>,
    ) -> Result<Option<Page<Transaction, u64>>, StoreError> {
        let periods = self
            .0
            .ownerships()
            .periods_of(owner, device, MERGED as u64 + 1)
            .await?;
        if periods.len() > MERGED {
            return Ok(None);
        }
        let (mut items, mut more) = (Vec::new(), false);
        for period in periods {
            if request.after.is_some_and(|after| after <= period.from) {
                continue;
            }
            let page = self.page_of_period(&period, request).await?;
            items.extend(page.items);
            more |= page.next.is_some();
        }
        items.sort_unstable_by_key(|item| core::cmp::Reverse(item.log_index));
        let limit = usize::from(request.limit.get());
        more |= items.len() > limit;
        items.truncate(limit);
        let next = items
            .last()
            .filter(|_| more)
            .map(|item: &Transaction| item.log_index);
        let page = Page { items, next };
        Ok(Some(page))
    }

    /// The newest of one period, straight from the index of a device's eras and numbers.
    async fn page_of_period(
        &self,
        period: &Ownership,
        request: &PageRequest<u64>,
    ) -> Result<Page<Transaction, u64>, StoreError> {
        let mut query = filtered(TransactionFilter::Device(period.device))
            .filter(within(period)?)
            .order_by_desc(row::Column::Era)
            .order_by_desc(row::Column::Sequence)
            .limit(request.limit.with_one_more());
        if let Some(after) = request.after {
            query = query.filter(row::Column::LogIndex.lt(number("log index", after)?));
        }
        page(query, request.limit, self.0).await
    }
}

async fn page(
    query: sea_orm::Select<row::Entity>,
    limit: Limit,
    unit: &Unit<'_>,
) -> Result<Page<Transaction, u64>, StoreError> {
    let rows = query.all(&unit.db()).await?;
    let items = rows
        .into_iter()
        .map(Transaction::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Page::of(items, limit, |item: &Transaction| item.log_index))
}

impl TransactionRows<'_> {
    /// The one whose evidence has this hash.
    pub async fn get(&self, hash: &EvidenceHash) -> Result<Option<Transaction>, StoreError> {
        row::Entity::find()
            .filter(
                row::Column::LogIndex.in_subquery(
                    Query::select()
                        .column(evidence::Column::LogIndex)
                        .from(evidence::Entity)
                        .and_where(evidence::Column::Hash.eq(hash.0.to_vec()))
                        .to_owned(),
                ),
            )
            .one(&self.0.db())
            .await?
            .map(Transaction::try_from)
            .transpose()
    }

    /// The one at this place in the log.
    pub async fn at(&self, log_index: u64) -> Result<Option<Transaction>, StoreError> {
        row::Entity::find_by_id(number("log index", log_index)?)
            .one(&self.0.db())
            .await?
            .map(Transaction::try_from)
            .transpose()
    }

    /// The transactions, the last one accepted first.
    pub async fn page(
        &self,
        filter: TransactionFilter,
        request: &PageRequest<u64>,
    ) -> Result<Page<Transaction, u64>, StoreError> {
        let of_owner = match filter {
            TransactionFilter::Owner(owner) => Some((owner, None)),
            TransactionFilter::DeviceOfOwner(device, owner) => Some((owner, Some(device))),
            TransactionFilter::All | TransactionFilter::Device(_) => None,
        };
        if let Some((owner, device)) = of_owner
            && let Some(page) = self.page_of_owner(owner, device, request).await?
        {
            return Ok(page);
        }
        let mut query = filtered(filter).limit(request.limit.with_one_more());
        // Within a device the log's order is the order of (era, sequence), which has an index.
        query = match filter {
            TransactionFilter::Device(_) => query
                .order_by_desc(row::Column::Era)
                .order_by_desc(row::Column::Sequence),
            _ => query.order_by_desc(row::Column::LogIndex),
        };
        if let Some(after) = request.after {
            query = query.filter(row::Column::LogIndex.lt(number("log index", after)?));
        }
        page(query, request.limit, self.0).await
    }

    /// Those behind the log index `after` (from the beginning without one), the first one accepted
    /// first: for a view that follows the log.
    pub async fn since(
        &self,
        filter: TransactionFilter,
        after: Option<u64>,
        limit: Limit,
    ) -> Result<Vec<Transaction>, StoreError> {
        let mut query = filtered(filter)
            .order_by_asc(row::Column::LogIndex)
            .limit(u64::from(limit.get()));
        if let Some(after) = after {
            query = query.filter(row::Column::LogIndex.gt(number("log index", after)?));
        }
        query
            .all(&self.0.db())
            .await?
            .into_iter()
            .map(Transaction::try_from)
            .collect()
    }

    /// Those of these keys of objects that a transaction names.
    pub async fn named(&self, keys: &[String]) -> Result<HashSet<String>, StoreError> {
        let named: Vec<Option<String>> = row::Entity::find()
            .select_only()
            .column(row::Column::ObjectKey)
            .filter(row::Column::ObjectKey.is_in(pad(keys.to_vec())))
            .into_tuple()
            .all(&self.0.db())
            .await?;
        Ok(named.into_iter().flatten().collect())
    }

    /// Adds transactions whose evidence the log just took in. Only [`hallway_spine::ledger`] calls
    /// this.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when a device's sequence number was used before.
    pub async fn add_logged(&self, transactions: Vec<Transaction>) -> Result<(), StoreError> {
        let rows = transactions
            .into_iter()
            .map(|transaction| {
                let (payload, object_key) = match transaction.payload {
                    PayloadLocation::Inline(bytes) => (Some(bytes), None),
                    PayloadLocation::Object(key) => (None, Some(key)),
                };
                Ok([
                    number("log index", transaction.log_index)?.into(),
                    transaction.device.as_uuid().into(),
                    number("era", transaction.era)?.into(),
                    number("sequence", transaction.sequence)?.into(),
                    ms(transaction.taken).into(),
                    ms(transaction.accepted).into(),
                    transaction.sha256.to_vec().into(),
                    number("length", transaction.length)?.into(),
                    transaction.media_type.into(),
                    transaction.file_name.into(),
                    payload.into(),
                    object_key.into(),
                ])
            })
            .collect::<Result<_, StoreError>>()?;
        let columns = [
            ("log_index", "bigint"),
            ("device_id", "uuid"),
            ("era", "bigint"),
            ("sequence", "bigint"),
            ("taken_ms", "bigint"),
            ("accepted_ms", "bigint"),
            ("sha256", "bytea"),
            ("length", "bigint"),
            ("media_type", "text"),
            ("file_name", "text"),
            ("payload", "bytea"),
            ("object_key", "text"),
        ];
        bulk::insert(&self.0.db(), "device_transaction", columns, rows)
            .await
            .map_err(StoreError::inserting("device transaction"))
    }
}
