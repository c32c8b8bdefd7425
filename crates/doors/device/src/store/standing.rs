//! Where devices stand: what decides whether their next transaction is accepted, read and moved
//! on for many devices at once.

use std::collections::HashMap;

use hallway_evidence::{CredentialId, DeviceId, Timestamp};
use hallway_spine::store::column::{Cell, ms, number, pad, time};
use hallway_spine::store::{PersonState, StoreError, Unit, bulk};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::device::DeviceState;

/// Where a device stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it is in its life.
    pub state: DeviceState,
    /// Whether its owner may use keys here; nothing where nobody owns it.
    pub owner: Option<PersonState>,
    /// The credential that it signs with.
    pub credential: Option<CredentialId>,
    /// See [`super::Device::era`].
    pub era: u64,
    /// The sequence number of its last transaction; 0 before the first.
    pub last_sequence: u64,
    /// When its last transaction was taken.
    pub last_taken: Timestamp,
    /// The signature counter that its credential showed last.
    pub sign_count: u32,
}

/// Where a device stands after its transactions were accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advance {
    /// Which device.
    pub device: DeviceId,
    /// Its credential.
    pub credential: CredentialId,
    /// The sequence number of its last transaction.
    pub sequence: u64,
    /// When that one was taken.
    pub taken: Timestamp,
    /// The signature counter.
    pub sign_count: u32,
    /// When the gateway accepted it.
    pub accepted: Timestamp,
}

/// The standings of devices.
#[derive(Clone, Copy, Debug)]
pub struct StandingRows<'u>(pub(super) &'u Unit<'u>);

/// How many devices one query asks for.
const DEVICES_PER_QUERY: usize = 512;

/// `$1, $2` or `?, ?`: see [`bulk`].
pub(crate) fn parameters(backend: DbBackend, count: usize) -> String {
    let one = |n: usize| match backend {
        DbBackend::Postgres => format!("${n}"),
        _ => "?".to_owned(),
    };
    (1..=count).map(one).collect::<Vec<_>>().join(", ")
}

impl StandingRows<'_> {
    /// Where these devices stand; those that are not known are left out.
    pub async fn get(
        &self,
        devices: &[DeviceId],
    ) -> Result<HashMap<DeviceId, Standing>, StoreError> {
        let mut standings = HashMap::with_capacity(devices.len());
        let backend = self.0.db().get_database_backend();
        for some in devices.chunks(DEVICES_PER_QUERY) {
            let ids = pad(some.iter().map(|id| id.as_uuid().into()).collect());
            let sql = format!(
                "SELECT d.id, d.state, d.credential_id, d.era, d.last_sequence, d.last_taken_ms, \
                 c.sign_count, p.state FROM device d \
                 LEFT JOIN credential c ON c.id = d.credential_id \
                 LEFT JOIN person p ON p.id = d.owner WHERE d.id IN ({})",
                parameters(backend, ids.len())
            );
            let statement = Statement::from_sql_and_values(backend, sql, ids);
            for row in self.0.db().query_all_raw(statement).await? {
                let id: sea_orm::prelude::Uuid = row.try_get_by_index(0)?;
                let state: String = row.try_get_by_index(1)?;
                let credential: Option<Vec<u8>> = row.try_get_by_index(2)?;
                let sign_count: Option<i64> = row.try_get_by_index(6)?;
                let owner: Option<String> = row.try_get_by_index(7)?;
                let cell = |column| Cell("device", column);
                let standing = Standing {
                    state: cell("state").word(&state)?,
                    owner: owner
                        .map(|state| Cell("person", "state").word(&state))
                        .transpose()?,
                    credential: credential
                        .map(|id| cell("credential_id").credential(id))
                        .transpose()?,
                    era: cell("era").number(row.try_get_by_index(3)?)?,
                    last_sequence: cell("last_sequence").number(row.try_get_by_index(4)?)?,
                    last_taken: time(row.try_get_by_index(5)?),
                    sign_count: Cell("credential", "sign_count")
                        .counter(sign_count.unwrap_or(0))?,
                };
                standings.insert(id.into(), standing);
            }
        }
        Ok(standings)
    }

    /// Moves devices on, each at most once in a call. Only [`hallway_spine::ledger`] calls this.
    pub async fn advance(&self, advances: Vec<Advance>) -> Result<(), StoreError> {
        let mut devices = Vec::with_capacity(advances.len());
        let mut credentials = Vec::with_capacity(advances.len());
        for advance in advances {
            devices.push([
                advance.device.as_uuid().into(),
                number("sequence", advance.sequence)?.into(),
                ms(advance.taken).into(),
                ms(advance.accepted).into(),
            ]);
            credentials.push([
                advance.credential.as_bytes().to_vec().into(),
                i64::from(advance.sign_count).into(),
                ms(advance.accepted).into(),
            ]);
        }
        let columns = [
            ("id", "uuid"),
            ("last_sequence", "bigint"),
            ("last_taken_ms", "bigint"),
            ("last_seen_ms", "bigint"),
        ];
        bulk::update(&self.0.db(), "device", columns, devices).await?;
        let columns = [
            ("id", "bytea"),
            ("sign_count", "bigint"),
            ("last_used_ms", "bigint"),
        ];
        bulk::update(&self.0.db(), "credential", columns, credentials).await?;
        Ok(())
    }
}
