//! The device door. Statement: these bytes, at this time, in this order. Grant: a receipt.

pub mod announce;
pub mod challenge;
pub mod code;
mod door;
pub mod identity;
pub mod ingest;
pub mod issuers;
pub mod lifecycle;
pub mod live;
pub mod makers;
pub mod pages;
pub mod payload;
mod routes;
pub mod send;
pub mod settings;
pub mod signed;
pub mod status;
pub mod store;
pub mod thumbnail;
mod times;
pub mod transactions;
pub mod unattended;
pub mod user_code;
pub mod view;

use hallway_spine::Gateway;
use hallway_spine::door_name::DoorName;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Semaphore;

use self::ingest::Ingest;
use self::ingest::keyring::Keyring;
use self::settings::DeviceSettings;
use self::thumbnail::Thumbnails;

/// The name of the door.
pub const NAME: DoorName = DoorName::new("device");

/// The door of devices.
#[derive(Debug)]
pub struct DeviceDoor;

/// The member of an act's outcome that names the device.
pub(crate) const DEVICE: &str = "device";

/// What the door keeps in memory.
pub struct Devices {
    /// The settings, from `[device]` of `hallway.toml`.
    pub settings: DeviceSettings,
    /// The way in for device transactions.
    pub ingest: Ingest,
    /// The devices' keys.
    pub keyring: Keyring,
    /// Thumbnails, and turns at making them.
    pub thumbnails: Thumbnails,
    /// Turns at storing payloads that are too large for the database.
    pub uploads: Semaphore,
    /// Transactions that were accepted since the start.
    pub accepted: Counter,
    /// Payloads that were removed since the start, because no transaction names them.
    pub swept: Counter,
}

/// What the device door adds to a gateway.
pub trait DevicesOf {
    /// What the door keeps in memory.
    #[must_use]
    fn devices(&self) -> &Devices;
}

impl DevicesOf for Gateway {
    fn devices(&self) -> &Devices {
        self.part()
    }
}
