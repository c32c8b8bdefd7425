//! The pages about devices and what they send.

use hallway_spine::console::view::Place;

pub mod devices;
pub mod makers;
pub mod names;
pub mod transactions;

/// The transactions of devices.
pub const TRANSACTIONS: Place = Place::of_members("/transactions", "Transactions", 20);

/// Devices.
pub const DEVICES: Place = Place::of_members("/devices", "Devices", 10);

/// The makers whose devices are accepted.
pub const MAKERS: Place = Place::of_operators("/makers", "Makers", 25);

/// The pages to which the navigation leads.
pub(crate) fn places() -> Vec<Place> {
    vec![TRANSACTIONS, DEVICES, MAKERS]
}
