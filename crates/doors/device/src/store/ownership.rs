//! Whose devices were when: what lets each owner see what the device did while it was theirs, and
//! nothing else.
//!
//! A period begins with the log entry that makes somebody the owner, and ends before the one that
//! makes it somebody else's. [`super::DeviceRows`] writes it whenever it changes an owner, in
//! the same unit as the evidence of that. Beside its places in the log a period keeps those among
//! the device's transactions, so that a list of it is read from an index.

use hallway_evidence::{DeviceId, PersonId};
use hallway_spine::store::column::{Cell, number};
use hallway_spine::store::{EvidenceRecord, Page, PageRequest, StoreError, Unit};
use sea_orm::sea_query::{Expr, Query, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

use super::device::Device;
use super::entity::ownership as row;

/// A period in which somebody owned a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// Which device.
    pub device: DeviceId,
    /// Whose it was.
    pub owner: PersonId,
    /// The first entry of the log that is theirs.
    pub from: u64,
    /// The first one behind it that is not; nothing while the period lasts.
    pub to: Option<u64>,
    /// The device's era and the number of its last transaction before the period.
    pub(crate) behind: (u64, u64),
    /// The device's era and the number of its last transaction in the period, once it ended.
    pub(crate) until: Option<(u64, u64)>,
    /// What the owner called it.
    pub name: String,
}

/// The periods of all devices.
#[derive(Clone, Copy, Debug)]
pub struct OwnershipRows<'u>(pub(super) &'u Unit<'u>);

impl TryFrom<row::Model> for Ownership {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("ownership", column);
        let until = row.to_era.zip(row.to_sequence);
        Ok(Self {
            device: row.device_id.into(),
            owner: row.owner_id.into(),
            from: cell("from_index").number(row.from_index)?,
            to: row
                .to_index
                .map(|to| cell("to_index").number(to))
                .transpose()?,
            behind: (
                cell("from_era").number(row.from_era)?,
                cell("from_sequence").number(row.from_sequence)?,
            ),
            until: match until {
                Some((era, sequence)) => Some((
                    cell("to_era").number(era)?,
                    cell("to_sequence").number(sequence)?,
                )),
                None => None,
            },
            name: row.name,
        })
    }
}

/// The periods of a person that hold the entry `log_index` about the device `device_id`, two columns
/// of the query around it.
pub(crate) fn holding(owner: PersonId, device_id: Expr, log_index: Expr) -> SelectStatement {
    // Only here: columns have methods of the same names.
    use sea_orm::sea_query::ExprTrait as _;
    let column = |column| Expr::col((row::Entity, column));
    Query::select()
        .expr(Expr::val(1))
        .from(row::Entity)
        .and_where(column(row::Column::DeviceId).eq(device_id))
        .and_where(column(row::Column::OwnerId).eq(owner.as_uuid()))
        .and_where(column(row::Column::FromIndex).lte(log_index.clone()))
        .and_where(
            column(row::Column::ToIndex)
                .is_null()
                .or(column(row::Column::ToIndex).gt(log_index)),
        )
        .take()
}

impl OwnershipRows<'_> {
    /// That part of a device's history which came while a person owned the device, newest first.
    pub async fn history(
        &self,
        device: DeviceId,
        owner: PersonId,
        request: &PageRequest<u64>,
    ) -> Result<Page<EvidenceRecord, u64>, StoreError> {
        let periods = |device, log_index| holding(owner, device, log_index);
        self.0.evidence().history_in(device, periods, request).await
    }

    /// The periods in which a person owned any device, or this one: at most `limit`.
    pub(crate) async fn periods_of(
        &self,
        owner: PersonId,
        device: Option<DeviceId>,
        limit: u64,
    ) -> Result<Vec<Ownership>, StoreError> {
        let mut query = row::Entity::find()
            .filter(row::Column::OwnerId.eq(owner.as_uuid()))
            .limit(limit);
        if let Some(device) = device {
            query = query.filter(row::Column::DeviceId.eq(device.as_uuid()));
        }
        query
            .all(&self.0.db())
            .await?
            .into_iter()
            .map(Ownership::try_from)
            .collect()
    }

    /// Ends the period that lasts, if there is one: the entry `to` is no longer part of it. One
    /// that would hold no entry is removed.
    pub(crate) async fn end_period(&self, device: &Device, to: u64) -> Result<(), StoreError> {
        row::Entity::delete_many()
            .filter(row::Column::DeviceId.eq(device.id.as_uuid()))
            .filter(row::Column::ToIndex.is_null())
            .filter(row::Column::FromIndex.gte(number("log index", to)?))
            .exec(&self.0.db())
            .await?;
        row::Entity::update_many()
            .col_expr(row::Column::ToIndex, Expr::value(number("log index", to)?))
            .col_expr(row::Column::ToEra, Expr::value(number("era", device.era)?))
            .col_expr(
                row::Column::ToSequence,
                Expr::value(number("sequence", device.last_sequence)?),
            )
            .filter(row::Column::DeviceId.eq(device.id.as_uuid()))
            .filter(row::Column::ToIndex.is_null())
            .exec(&self.0.db())
            .await?;
        Ok(())
    }

    /// Begins a period with the entry `from`, and with the transactions behind the last one of
    /// `device`, as it was before.
    pub(crate) async fn begin_period(
        &self,
        device: &Device,
        owner: PersonId,
        from: u64,
        name: &str,
    ) -> Result<(), StoreError> {
        let row = row::Model {
            device_id: device.id.as_uuid(),
            from_index: number("log index", from)?,
            owner_id: owner.as_uuid(),
            to_index: None,
            from_era: number("era", device.era)?,
            from_sequence: number("sequence", device.last_sequence)?,
            to_era: None,
            to_sequence: None,
            name: name.to_owned(),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("period of ownership"))?;
        Ok(())
    }

    /// Gives the device another name in the period that lasts.
    pub(crate) async fn rename_period(
        &self,
        device: DeviceId,
        name: &str,
    ) -> Result<(), StoreError> {
        row::Entity::update_many()
            .col_expr(row::Column::Name, Expr::value(name))
            .filter(row::Column::DeviceId.eq(device.as_uuid()))
            .filter(row::Column::ToIndex.is_null())
            .exec(&self.0.db())
            .await?;
        Ok(())
    }
}

impl OwnershipRows<'_> {
    /// Whose a device was when the log took in an entry; nothing where it was nobody's.
    pub async fn at(
        &self,
        device: DeviceId,
        log_index: u64,
    ) -> Result<Option<Ownership>, StoreError> {
        let found = row::Entity::find()
            .filter(row::Column::DeviceId.eq(device.as_uuid()))
            .filter(row::Column::FromIndex.lte(number("log index", log_index)?))
            .order_by_desc(row::Column::FromIndex)
            .one(&self.0.db())
            .await?
            .map(Ownership::try_from)
            .transpose()?;
        // Periods of one device do not overlap, so the last one that began is the only candidate.
        Ok(found.filter(|period| period.to.is_none_or(|to| log_index < to)))
    }

    /// The last period in which a person owned a device, whether it lasts or not.
    pub async fn last_of(
        &self,
        device: DeviceId,
        owner: PersonId,
    ) -> Result<Option<Ownership>, StoreError> {
        row::Entity::find()
            .filter(row::Column::DeviceId.eq(device.as_uuid()))
            .filter(row::Column::OwnerId.eq(owner.as_uuid()))
            .order_by_desc(row::Column::FromIndex)
            .one(&self.0.db())
            .await?
            .map(Ownership::try_from)
            .transpose()
    }
}
