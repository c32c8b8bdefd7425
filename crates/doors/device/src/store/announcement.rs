//! Announcements: devices that proved their attestation and wait for somebody to type their code.

use std::time::Duration;

use hallway_ctap::aaguid::Aaguid;
use hallway_evidence::{CredentialId, DeviceId, PersonId, Timestamp};
use hallway_spine::store::column::{Cell, ms, time};
use hallway_spine::store::{AnnouncementId, CodeHash, MakerId, StoreError, Unit};
use hallway_webauthn::CredentialRecord;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryOrder, Statement,
};

use super::entity::announcement as row;

/// What a device announced, with the proof of its attestation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Which. The device polls with it.
    pub id: AnnouncementId,
    /// Keyed hash of the code that the device shows.
    pub code: CodeHash,
    /// The serial number in the attestation certificate.
    pub serial: String,
    /// The maker whose authority the certificate chains to.
    pub maker: MakerId,
    /// The model.
    pub aaguid: Aaguid,
    /// The credential that the device made.
    pub credential: CredentialId,
    /// Its public key, COSE_Key.
    pub public_key: Vec<u8>,
    /// Its signature counter.
    pub sign_count: u32,
    /// The encoded signed statement of the enrolment, which becomes evidence with the claim.
    pub signed: Vec<u8>,
    /// When it was announced.
    pub created: Timestamp,
    /// From when on the code is worth nothing.
    pub expires: Timestamp,
    /// The device that it became when somebody claimed it.
    pub device: Option<DeviceId>,
    /// The network that it came from; nothing for loopback.
    pub network: Option<String>,
}

/// How many announcements wait to be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Of all networks.
    pub total: u64,
    /// Of one.
    pub of_network: u64,
}

impl Announcement {
    /// What verifies the device's signatures before it is claimed.
    #[must_use]
    pub fn record(&self) -> CredentialRecord {
        CredentialRecord {
            id: self.credential.as_bytes().to_vec(),
            public_key: self.public_key.clone(),
            sign_count: 0,
            backup_eligible: false,
            backed_up: false,
            uv_initialized: false,
            transports: Vec::new(),
            user_handle: Vec::new(),
            aaguid: self.aaguid,
        }
    }
}

/// The announcements.
#[derive(Clone, Copy, Debug)]
pub struct AnnouncementRows<'u>(pub(super) &'u Unit<'u>);

impl TryFrom<row::Model> for Announcement {
    type Error = StoreError;

    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let cell = |column| Cell("announcement", column);
        Ok(Self {
            id: row.id.into(),
            code: cell("code_hash").hash(&row.code_hash)?,
            serial: row.serial,
            maker: row.maker_id.into(),
            aaguid: Aaguid(row.aaguid.into_bytes()),
            credential: cell("credential_id").credential(row.credential_id)?,
            public_key: row.public_key,
            sign_count: cell("sign_count").counter(row.sign_count)?,
            signed: row.signed,
            created: time(row.created_ms),
            expires: time(row.expires_ms),
            device: row.device_id.map(DeviceId::from),
            network: row.network,
        })
    }
}

impl AnnouncementRows<'_> {
    /// Adds one.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when another device shows the same code: make another code.
    pub async fn add(&self, announcement: &Announcement) -> Result<(), StoreError> {
        let row = row::Model {
            id: announcement.id.as_uuid(),
            code_hash: announcement.code.0.to_vec(),
            serial: announcement.serial.clone(),
            maker_id: announcement.maker.as_uuid(),
            aaguid: Uuid::from_bytes(announcement.aaguid.0),
            credential_id: announcement.credential.as_bytes().to_vec(),
            public_key: announcement.public_key.clone(),
            sign_count: announcement.sign_count.into(),
            signed: announcement.signed.clone(),
            created_ms: ms(announcement.created),
            expires_ms: ms(announcement.expires),
            device_id: announcement.device.map(|id| id.as_uuid()),
            network: announcement.network.clone(),
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.0.db())
            .await
            .map_err(StoreError::inserting("announcement"))?;
        Ok(())
    }

    /// One of them, claimed or expired or not, until it is pruned.
    pub async fn get(&self, id: AnnouncementId) -> Result<Option<Announcement>, StoreError> {
        row::Entity::find_by_id(id.as_uuid())
            .one(&self.0.db())
            .await?
            .map(Announcement::try_from)
            .transpose()
    }

    /// The newest one of this credential, claimed or expired or not.
    pub async fn by_credential(
        &self,
        credential: &CredentialId,
    ) -> Result<Option<Announcement>, StoreError> {
        row::Entity::find()
            .filter(row::Column::CredentialId.eq(credential.as_bytes().to_vec()))
            .order_by_desc(row::Column::CreatedMs)
            .one(&self.0.db())
            .await?
            .map(Announcement::try_from)
            .transpose()
    }

    /// The one whose device shows the code, if it can still be claimed at `now`.
    pub async fn open_by_code(
        &self,
        code: &CodeHash,
        now: Timestamp,
    ) -> Result<Option<Announcement>, StoreError> {
        row::Entity::find()
            .filter(row::Column::CodeHash.eq(code.0.to_vec()))
            .filter(row::Column::DeviceId.is_null())
            .filter(row::Column::ExpiresMs.gt(ms(now)))
            .one(&self.0.db())
            .await?
            .map(Announcement::try_from)
            .transpose()
    }

    /// Claims it for a device: for one caller, once, and only before it expires. Tells whether
    /// this caller was the one.
    pub async fn claim(
        &self,
        id: AnnouncementId,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let updated = row::Entity::update_many()
            .col_expr(row::Column::DeviceId, Expr::value(device.as_uuid()))
            .filter(row::Column::Id.eq(id.as_uuid()))
            .filter(row::Column::DeviceId.is_null())
            .filter(row::Column::ExpiresMs.gt(ms(now)))
            .exec(&self.0.db())
            .await?;
        Ok(updated.rows_affected > 0)
    }

    /// Counts an attempt of `person` to type a code, and gives the number of attempts since the
    /// first one of the last `window`. See [`hallway_spine::store::Store::alone`] for counting that
    /// outlives a cancelled unit.
    pub async fn count_attempt(
        &self,
        person: PersonId,
        now: Timestamp,
        window: Duration,
    ) -> Result<u64, StoreError> {
        // One statement, so that attempts at several gateways at once are all counted.
        let window =
            i64::try_from(window.as_millis()).map_err(|_| StoreError::TooLarge("window"))?;
        let oldest = ms(now).saturating_sub(window);
        let sql = "INSERT INTO code_attempt (person_id, started_ms, attempts) VALUES ($1, $2, 1) \
                   ON CONFLICT (person_id) DO UPDATE SET \
                   attempts = CASE WHEN code_attempt.started_ms > $3 \
                       THEN code_attempt.attempts + 1 ELSE 1 END, \
                   started_ms = CASE WHEN code_attempt.started_ms > $3 \
                       THEN code_attempt.started_ms ELSE excluded.started_ms END \
                   RETURNING attempts";
        let values: [sea_orm::Value; 3] = [person.as_uuid().into(), ms(now).into(), oldest.into()];
        let statement =
            Statement::from_sql_and_values(self.0.db().get_database_backend(), sql, values);
        let cell = Cell("code_attempt", "attempts");
        let row = self.0.db().query_one_raw(statement).await?;
        cell.number(row.ok_or(cell.corrupt())?.try_get_by_index(0)?)
    }

    /// How many can still be claimed at `now`, in all and of `network`.
    pub async fn waiting(
        &self,
        network: Option<&str>,
        now: Timestamp,
    ) -> Result<Waiting, StoreError> {
        let open = row::Entity::find()
            .filter(row::Column::DeviceId.is_null())
            .filter(row::Column::ExpiresMs.gt(ms(now)));
        let of_network = match network {
            Some(network) => {
                let open = open.clone().filter(row::Column::Network.eq(network));
                open.count(&self.0.db()).await?
            }
            None => 0,
        };
        Ok(Waiting {
            total: open.count(&self.0.db()).await?,
            of_network,
        })
    }

    /// Forgets what a device announced before and nobody claimed; tells how many.
    pub async fn withdraw(&self, maker: MakerId, serial: &str) -> Result<u64, StoreError> {
        let deleted = row::Entity::delete_many()
            .filter(row::Column::MakerId.eq(maker.as_uuid()))
            .filter(row::Column::Serial.eq(serial))
            .filter(row::Column::DeviceId.is_null())
            .exec(&self.0.db())
            .await?;
        Ok(deleted.rows_affected)
    }

    /// Forgets announcements that expired before `before`, `most` of them; tells how many.
    pub async fn prune(&self, before: Timestamp, most: u64) -> Result<u64, StoreError> {
        self.0
            .forget("announcement", "id", "expires_ms", before, most)
            .await
    }

    /// Forgets attempts at codes that began before `before`, `most` of them; tells how many.
    pub async fn prune_attempts(&self, before: Timestamp, most: u64) -> Result<u64, StoreError> {
        self.0
            .forget("code_attempt", "person_id", "started_ms", before, most)
            .await
    }
}
