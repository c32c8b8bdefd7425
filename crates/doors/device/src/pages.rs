//! The pages about devices and what they send.

use hallway_spine::console::view::Place;

pub mod authorities;
pub mod devices;
pub mod names;
pub mod transactions;

/// What devices sent.
pub const TRANSACTIONS: Place = Place::of_members("/transactions", "Transactions", 10);

/// Devices.
pub const DEVICES: Place = Place::of_members("/devices", "Devices", 20);

/// Whose attestation is accepted.
pub const AUTHORITIES: Place = Place::of_operators("/authorities", "Authorities", 80);

/// The pages to which the navigation leads.
pub(crate) fn places() -> Vec<Place> {
    vec![TRANSACTIONS, DEVICES, AUTHORITIES]
}
