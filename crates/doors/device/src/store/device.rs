//! Devices: machines that sign with nobody present.

use std::collections::HashSet;

use hallway_api::device::State;
use hallway_ctap::aaguid::Aaguid;
use hallway_evidence::{CredentialId, DeviceId, PersonId, Timestamp, words};
use hallway_spine::store::column::{Cell, ms, number, pad, time};
use hallway_spine::store::{
    DeviceMark, EvidenceHash, MakerId, Page, PageRequest, StoreError, Unit,
};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, OnConflict, Query};
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::entity::{device as row, device_mark as mark};
use crate::store::DeviceTables;

words! {
    /// Where a device is in its life.
    DeviceState {
        /// It made itself known and nobody owns it.
        Announced = "announced",
        /// Somebody owns it, and it did not yet confirm its registration.
        Claimed = "claimed",
        /// What it signs is accepted.
        Registered = "registered",
        /// What it signs is refused, until its owner reinstates it.
        Suspended = "suspended",
        /// Its owner reported it stolen: nobody can enrol it, factory reset or not.
        Stolen = "stolen",
        /// Its owner gave it up: whoever holds it may enrol it.
        Released = "released",
        /// It is never used again.
        Retired = "retired",
    }
}

words! {
    /// As what somebody suspended a device. What is further down is the stricter.
    SuspendedBy {
        /// As its owner, who may reinstate it.
        Owner = "owner",
        /// As an operator: no owner of the device reinstates it.
        Operator = "operator",
    }
}

impl From<DeviceState> for State {
    fn from(state: DeviceState) -> Self {
        match state {
            DeviceState::Announced => Self::Announced,
            DeviceState::Claimed => Self::Claimed,
            DeviceState::Registered => Self::Registered,
            DeviceState::Suspended => Self::Suspended,
            DeviceState::Stolen => Self::Stolen,
            DeviceState::Released => Self::Released,
            DeviceState::Retired => Self::Retired,
        }
    }
}

impl DeviceState {
    /// Whether a device may go from this state to `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use DeviceState::{Announced, Claimed, Registered, Released, Retired, Stolen, Suspended};
        match self {
            Announced => matches!(next, Claimed | Retired),
            Claimed => matches!(next, Registered | Suspended | Stolen | Released | Retired),
            Registered => matches!(next, Suspended | Stolen | Released | Retired),
            Suspended => matches!(next, Registered | Stolen | Released | Retired),
            // Found again: the owner reinstates it through suspension, and may then release it.
            Stolen => matches!(next, Suspended | Retired),
            Released => matches!(next, Announced | Claimed | Retired),
            Retired => false,
        }
    }
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Which, for good: it keeps its id when it changes owners.
    pub id: DeviceId,
    /// The serial number in its attestation certificate, as it stands there.
    pub serial: String,
    /// The maker whose authority attested it last.
    pub maker: MakerId,
    /// Its model.
    pub aaguid: Aaguid,
    /// What its owner calls it.
    pub name: String,
    /// Its owner; nobody while it is announced or released.
    pub owner: Option<PersonId>,
    /// Where it is in its life.
    pub state: DeviceState,
    /// As what somebody suspended it, while it is suspended or reported stolen.
    pub suspended_by: Option<SuspendedBy>,
    /// The credential that it signs with.
    pub credential: Option<CredentialId>,
    /// How often it was enrolled. Its sequence numbers begin anew with each enrolment.
    pub era: u64,
    /// The sequence number of its last transaction in this era; 0 before the first.
    pub last_sequence: u64,
    /// When its last transaction of this era was taken, by its own clock.
    pub last_taken: Timestamp,
    /// When the gateway heard of it last.
    pub last_seen: Option<Timestamp>,
    /// How many files it has set aside, by its own word.
    pub set_aside: u32,
    /// When that number changed last.
    pub set_aside_since: Option<Timestamp>,
    /// When it was first known.
    pub created: Timestamp,
    /// The evidence of its enrolment.
    pub enrolment: Option<EvidenceHash>,
    /// The evidence of its claim.
    pub claim: Option<EvidenceHash>,
}

/// What an enrolment that somebody claimed changes about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// The credential that it signs with from now on.
    pub credential: CredentialId,
    /// The maker whose authority attested it this time.
    pub maker: MakerId,
    /// Its owner from now on.
    pub owner: PersonId,
    /// What its owner calls it.
    pub name: String,
    /// The evidence of the enrolment.
    pub enrolment: EvidenceHash,
    /// The evidence of the claim.
    pub claim: EvidenceHash,
    /// The place in the log of the first entry that is the owner's: the enrolment's.
    pub from: u64,
}

/// Who gets a device from whoever has it, and where the log says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOver {
    /// The owner from now on.
    pub to: PersonId,
    /// What the device is called from now on.
    pub name: String,
    /// The place in the log of the first entry that is the new owner's: the handing over itself.
    pub from: u64,
}

/// Which devices a list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceFilter {
    /// Only this person's.
    pub owner: Option<PersonId>,
    /// Only those in this state.
    pub state: Option<DeviceState>,
}

/// The devices.
#[derive(Clone, Copy, Debug)]
pub struct DeviceRows<'u>(pub(super) &'u Unit<'u>);

impl TryFrom<row::Model> for Device {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("device", column);
        Ok(Self {
            id: row.id.into(),
            serial: row.serial,
            maker: row.maker_id.into(),
            aaguid: Aaguid(row.aaguid.into_bytes()),
            name: row.name,
            owner: row.owner.map(PersonId::from),
            state: cell("state").word(&row.state)?,
            suspended_by: row
                .suspended_by
                .map(|by| cell("suspended_by").word(&by))
                .transpose()?,
            credential: row
                .credential_id
                .map(|id| cell("credential_id").credential(id))
                .transpose()?,
            era: cell("era").number(row.era)?,
            last_sequence: cell("last_sequence").number(row.last_sequence)?,
            last_taken: time(row.last_taken_ms),
            last_seen: row.last_seen_ms.map(time),
            set_aside: cell("set_aside").counter(row.set_aside)?,
            set_aside_since: row.set_aside_ms.map(time),
            created: time(row.created_ms),
            enrolment: cell("enrolment_evidence").hash_option(row.enrolment_evidence.as_deref())?,
            claim: cell("claim_evidence").hash_option(row.claim_evidence.as_deref())?,
        })
    }
}

fn marked(device: DeviceId, marks: &[DeviceMark]) -> impl IntoIterator<Item = mark::ActiveModel> {
    marks.iter().map(move |known| {
        mark::Model {
            mark: known.0.to_vec(),
            device_id: device.as_uuid(),
        }
        .into_active_model()
    })
}

impl DeviceRows<'_> {
    async fn set_device(
        &self,
        id: DeviceId,
        changes: &[(row::Column, sea_orm::Value)],
    ) -> Result<(), StoreError> {
        let mut update = row::Entity::update_many().filter(row::Column::Id.eq(id.as_uuid()));
        for (column, value) in changes {
            update = update.col_expr(*column, Expr::value(value.clone()));
        }
        match update.exec(&self.0.db()).await?.rows_affected {
            0 => Err(StoreError::Missing("device")),
            _ => Ok(()),
        }
    }

    async fn device(&self, id: DeviceId) -> Result<Device, StoreError> {
        self.get(id).await?.ok_or(StoreError::Missing("device"))
    }

    /// Reads the device, which must be able to go on to `to`.
    async fn device_that_becomes(
        &self,
        id: DeviceId,
        to: DeviceState,
    ) -> Result<Device, StoreError> {
        let device = self.device(id).await?;
        if device.state.may_become(to) {
            return Ok(device);
        }
        Err(StoreError::Transition {
            device: id,
            from: device.state.as_str(),
            to: to.as_str(),
        })
    }
}

impl DeviceRows<'_> {
    /// Adds a device that is known by these marks. One that comes with an owner is theirs from the
    /// log's first entry on.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when another device is known by one of them.
    pub async fn add(&self, device: &Device, marks: &[DeviceMark]) -> Result<(), StoreError> {
        let row = row::Model {
            id: device.id.as_uuid(),
            serial: device.serial.clone(),
            maker_id: device.maker.as_uuid(),
            aaguid: Uuid::from_bytes(device.aaguid.0),
            name: device.name.clone(),
            owner: device.owner.map(|id| id.as_uuid()),
            state: device.state.as_str().to_owned(),
            credential_id: device.credential.as_ref().map(|id| id.as_bytes().to_vec()),
            era: number("era", device.era)?,
            last_sequence: number("sequence", device.last_sequence)?,
            last_taken_ms: ms(device.last_taken),
            last_seen_ms: device.last_seen.map(ms),
            created_ms: ms(device.created),
            enrolment_evidence: device.enrolment.map(|hash| hash.0.to_vec()),
            claim_evidence: device.claim.map(|hash| hash.0.to_vec()),
            suspended_by: device.suspended_by.map(|by| by.to_string()),
            set_aside: device.set_aside.into(),
            set_aside_ms: device.set_aside_since.map(ms),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("device"))?;
        if !marks.is_empty() {
            mark::Entity::insert_many(marked(device.id, marks))
                .exec_without_returning(&self.0.db())
                .await
                .map_err(StoreError::inserting("device"))?;
        }
        match device.owner {
            Some(owner) => {
                let before = Device {
                    era: 0,
                    last_sequence: 0,
                    ..device.clone()
                };
                self.0
                    .ownerships()
                    .begin_period(&before, owner, 0, &device.name)
                    .await
            }
            None => Ok(()),
        }
    }

    /// Those of these devices that the realm has or had.
    pub async fn known(&self, ids: &[DeviceId]) -> Result<HashSet<DeviceId>, StoreError> {
        let ids = ids.iter().map(DeviceId::as_uuid).collect();
        let known: Vec<Uuid> = row::Entity::find()
            .select_only()
            .column(row::Column::Id)
            .filter(row::Column::Id.is_in(pad(ids)))
            .into_tuple()
            .all(&self.0.db())
            .await?;
        Ok(known.into_iter().map(DeviceId::from).collect())
    }

    /// One device.
    pub async fn get(&self, id: DeviceId) -> Result<Option<Device>, StoreError> {
        row::Entity::find_by_id(id.as_uuid())
            .one(&self.0.db())
            .await?
            .map(Device::try_from)
            .transpose()
    }

    /// The devices that are known by any of these marks, the one first that was added first.
    pub async fn known_by(&self, marks: &[DeviceMark]) -> Result<Vec<Device>, StoreError> {
        let wanted = marks.iter().map(|mark| mark.0.to_vec());
        row::Entity::find()
            .filter(
                row::Column::Id.in_subquery(
                    Query::select()
                        .column(mark::Column::DeviceId)
                        .from(mark::Entity)
                        .and_where(mark::Column::Mark.is_in(wanted))
                        .to_owned(),
                ),
            )
            .order_by_asc(row::Column::CreatedMs)
            .order_by_asc(row::Column::Id)
            .all(&self.0.db())
            .await?
            .into_iter()
            .map(Device::try_from)
            .collect()
    }

    /// Lets a device be known by these marks too. One by which another device is known stays that
    /// one's.
    pub async fn mark(&self, id: DeviceId, marks: &[DeviceMark]) -> Result<(), StoreError> {
        if marks.is_empty() {
            return Ok(());
        }
        let known = OnConflict::column(mark::Column::Mark)
            .do_nothing()
            .to_owned();
        mark::Entity::insert_many(marked(id, marks))
            .on_conflict(known)
            .exec_without_returning(&self.0.db())
            .await?;
        Ok(())
    }

    /// The device that signs with this credential.
    pub async fn by_credential(
        &self,
        credential: &CredentialId,
    ) -> Result<Option<Device>, StoreError> {
        row::Entity::find()
            .filter(row::Column::CredentialId.eq(credential.as_bytes().to_vec()))
            .one(&self.0.db())
            .await?
            .map(Device::try_from)
            .transpose()
    }

    /// The devices, the last one added first.
    pub async fn page(
        &self,
        filter: DeviceFilter,
        request: &PageRequest<DeviceId>,
    ) -> Result<Page<Device, DeviceId>, StoreError> {
        let mut query = row::Entity::find()
            .order_by_desc(row::Column::Id)
            .limit(request.limit.with_one_more());
        if let Some(after) = request.after {
            query = query.filter(row::Column::Id.lt(after.as_uuid()));
        }
        if let Some(owner) = filter.owner {
            query = query.filter(row::Column::Owner.eq(owner.as_uuid()));
        }
        if let Some(state) = filter.state {
            query = query.filter(row::Column::State.eq(state.as_str()));
        }
        let rows = query.all(&self.0.db()).await?;
        let items = rows
            .into_iter()
            .map(Device::try_from)
            .collect::<Result<_, _>>()?;
        Ok(Page::of(items, request.limit, |device: &Device| device.id))
    }

    /// How many devices are in a state.
    pub async fn count(&self, state: DeviceState) -> Result<u64, StoreError> {
        Ok(row::Entity::find()
            .filter(row::Column::State.eq(state.as_str()))
            .count(&self.0.db())
            .await?)
    }

    /// Moves a device on in its life.
    ///
    /// # Errors
    /// [`StoreError::Transition`] when [`DeviceState::may_become`] says no;
    /// [`StoreError::Missing`].
    pub async fn set_state(&self, id: DeviceId, state: DeviceState) -> Result<(), StoreError> {
        self.device_that_becomes(id, state).await?;
        let mut changes = vec![(row::Column::State, state.as_str().into())];
        if !matches!(state, DeviceState::Suspended | DeviceState::Stolen) {
            changes.push((row::Column::SuspendedBy, None::<String>.into()));
        }
        self.set_device(id, &changes).await
    }

    /// Claims a device that is announced or released: it begins a new era, in which its sequence
    /// starts anew, and a new period of ownership.
    ///
    /// # Errors
    /// [`StoreError::Transition`] when it is neither; [`StoreError::Missing`].
    pub async fn enrol(&self, id: DeviceId, enrolment: &Enrolment) -> Result<(), StoreError> {
        let device = self.device_that_becomes(id, DeviceState::Claimed).await?;
        self.0
            .ownerships()
            .end_period(&device, enrolment.from)
            .await?;
        self.0
            .ownerships()
            .begin_period(&device, enrolment.owner, enrolment.from, &enrolment.name)
            .await?;
        self.set_device(
            id,
            &[
                (row::Column::State, DeviceState::Claimed.as_str().into()),
                (row::Column::SuspendedBy, None::<String>.into()),
                (
                    row::Column::CredentialId,
                    enrolment.credential.as_bytes().to_vec().into(),
                ),
                (row::Column::MakerId, enrolment.maker.as_uuid().into()),
                (row::Column::Owner, enrolment.owner.as_uuid().into()),
                (row::Column::Name, enrolment.name.clone().into()),
                (
                    row::Column::EnrolmentEvidence,
                    enrolment.enrolment.0.to_vec().into(),
                ),
                (
                    row::Column::ClaimEvidence,
                    enrolment.claim.0.to_vec().into(),
                ),
                (row::Column::Era, number("era", device.era + 1)?.into()),
                (row::Column::LastSequence, 0i64.into()),
                (row::Column::LastTakenMs, 0i64.into()),
                (row::Column::SetAside, 0i64.into()),
                (row::Column::SetAsideMs, None::<i64>.into()),
            ],
        )
        .await
    }

    /// Says as what somebody suspended it. Forgotten when it is no longer suspended or stolen.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn set_suspended_by(&self, id: DeviceId, by: SuspendedBy) -> Result<(), StoreError> {
        self.set_device(id, &[(row::Column::SuspendedBy, by.as_str().into())])
            .await
    }

    /// Gives it to another owner.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn hand_over(&self, id: DeviceId, change: &HandOver) -> Result<(), StoreError> {
        let device = self.device(id).await?;
        self.0.ownerships().end_period(&device, change.from).await?;
        self.0
            .ownerships()
            .begin_period(&device, change.to, change.from, &change.name)
            .await?;
        self.set_device(
            id,
            &[
                (row::Column::Owner, change.to.as_uuid().into()),
                (row::Column::Name, change.name.clone().into()),
            ],
        )
        .await
    }

    /// Takes it from its owner, whose last entry of the log about it is `last`.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn give_up(&self, id: DeviceId, last: u64) -> Result<(), StoreError> {
        let device = self.device(id).await?;
        self.0.ownerships().end_period(&device, last + 1).await?;
        self.set_device(
            id,
            &[
                (row::Column::Owner, None::<Uuid>.into()),
                (row::Column::Name, device.serial.into()),
            ],
        )
        .await
    }

    /// Gives it another name, which is its owner's for as long as it is theirs.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn rename(&self, id: DeviceId, name: &str) -> Result<(), StoreError> {
        self.0.ownerships().rename_period(id, name).await?;
        self.set_device(id, &[(row::Column::Name, name.into())])
            .await
    }

    /// Notes that the gateway heard of it.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn note_seen(&self, id: DeviceId, at: Timestamp) -> Result<(), StoreError> {
        self.set_device(id, &[(row::Column::LastSeenMs, ms(at).into())])
            .await
    }

    /// Notes that the gateway heard of it, and how many files it has set aside.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn note_set_aside(
        &self,
        id: DeviceId,
        count: u32,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let changes = [
            (row::Column::LastSeenMs, ms(at).into()),
            (row::Column::SetAside, i64::from(count).into()),
            (row::Column::SetAsideMs, ms(at).into()),
        ];
        self.set_device(id, &changes).await
    }

    /// How many files the registered devices have set aside.
    pub async fn all_set_aside(&self) -> Result<u64, StoreError> {
        // PostgreSQL adds up integers to a type of its own.
        let sum = Expr::cust("CAST(COALESCE(SUM(set_aside), 0) AS BIGINT)");
        let sum = row::Entity::find()
            .filter(row::Column::State.eq(DeviceState::Registered.as_str()))
            .select_only()
            .column_as(sum, "sum")
            .into_tuple::<i64>()
            .one(&self.0.db())
            .await?;
        Cell("device", "set_aside").number(sum.unwrap_or(0))
    }
}
