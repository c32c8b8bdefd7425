//! The tables of the device door.

use hallway_spine::store::{Table, Unit};

mod announcement;
mod device;
pub(crate) mod entity;
mod maker;
mod migration;
mod object_name;
mod ownership;
mod payload_sweep;
mod standing;
mod transaction;

pub use announcement::{Announcement, AnnouncementRows, Waiting};
pub use device::{Device, DeviceFilter, DeviceRows, DeviceState, Enrolment, HandOver, SuspendedBy};
pub use maker::{MAX_MAKERS, Maker, MakerRows};
pub(crate) use migration::all as migrations;
pub use object_name::{Day, ObjectName, OtherName};
pub use ownership::{Ownership, OwnershipRows};
pub use payload_sweep::PayloadSweepRows;
pub use standing::{Advance, Standing, StandingRows};
pub use transaction::{
    MAX_INLINE_BYTES, PayloadLocation, Transaction, TransactionFilter, TransactionRows,
};

/// The tables of the device door, as a unit of work has them.
pub trait DeviceTables {
    /// The devices.
    #[must_use]
    fn devices(&self) -> DeviceRows<'_>;

    /// The periods of all devices.
    #[must_use]
    fn ownerships(&self) -> OwnershipRows<'_>;

    /// The standings of devices.
    #[must_use]
    fn standings(&self) -> StandingRows<'_>;

    /// The transactions.
    #[must_use]
    fn transactions(&self) -> TransactionRows<'_>;

    /// The state of the sweep of payloads.
    #[must_use]
    fn payload_sweep(&self) -> PayloadSweepRows<'_>;

    /// The announcements.
    #[must_use]
    fn announcements(&self) -> AnnouncementRows<'_>;

    /// The makers, past and present.
    #[must_use]
    fn makers(&self) -> MakerRows<'_>;
}

impl DeviceTables for Unit<'_> {
    fn devices(&self) -> DeviceRows<'_> {
        DeviceRows(self)
    }

    fn ownerships(&self) -> OwnershipRows<'_> {
        OwnershipRows(self)
    }

    fn standings(&self) -> StandingRows<'_> {
        StandingRows(self)
    }

    fn transactions(&self) -> TransactionRows<'_> {
        TransactionRows(self)
    }

    fn payload_sweep(&self) -> PayloadSweepRows<'_> {
        PayloadSweepRows(self)
    }

    fn announcements(&self) -> AnnouncementRows<'_> {
        AnnouncementRows(self)
    }

    fn makers(&self) -> MakerRows<'_> {
        MakerRows(self)
    }
}

/// What a backup holds of them.
pub(crate) fn tables() -> Vec<Table> {
    vec![
        Table::of::<entity::maker::Entity>(),
        Table::of::<entity::device::Entity>().after(&["person", "authority"]),
        Table::of::<entity::device_mark::Entity>().after(&["device"]),
        Table::of::<entity::ownership::Entity>().after(&["device"]),
        Table::of::<entity::device_transaction::Entity>(),
        // A code that was used since must not work again.
        Table::left_behind("announcement"),
        Table::left_behind("code_attempt"),
    ]
}
