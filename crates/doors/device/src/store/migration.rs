//! The migrations of the device door. The tables that it began with are in [`hallway_spine::store`]'s first.

use sea_orm_migration::MigrationTrait;

mod announcement_networks;
mod device_marks;
mod object_keys;
mod ownerships;
mod set_aside;

/// All of them.
pub(crate) fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(device_marks::DeviceMarks),
        Box::new(ownerships::Ownerships),
        Box::new(announcement_networks::AnnouncementNetworks),
        Box::new(set_aside::SetAside),
        Box::new(object_keys::ObjectKeys),
    ]
}
