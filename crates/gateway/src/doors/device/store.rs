//! The tables of the device door.

use crate::store::Table;

mod announcement;
mod authority;
mod device;
pub(crate) mod entity;
mod migration;
mod ownership;
mod standing;
mod transaction;

pub use announcement::{Announcement, AnnouncementRows, Waiting};
pub use authority::{Authority, AuthorityRows, MAX_AUTHORITIES};
pub use device::{Device, DeviceFilter, DeviceRows, DeviceState, Enrolment, HandOver, SuspendedBy};
pub(crate) use migration::all as migrations;
pub use ownership::{Ownership, OwnershipRows};
pub use standing::{Advance, Standing, StandingRows};
pub use transaction::{
    MAX_INLINE, PayloadLocation, Transaction, TransactionFilter, TransactionRows,
};

/// What a backup holds of them.
pub(crate) fn tables() -> Vec<Table> {
    vec![
        Table::of::<entity::authority::Entity>(),
        Table::of::<entity::device::Entity>().after(&["person", "authority"]),
        Table::of::<entity::device_mark::Entity>().after(&["device"]),
        Table::of::<entity::ownership::Entity>().after(&["device"]),
        Table::of::<entity::device_transaction::Entity>(),
        // A code that was used since must not work again.
        Table::left_behind("announcement"),
        Table::left_behind("code_attempt"),
    ]
}
