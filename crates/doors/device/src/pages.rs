//! The pages about devices and what they send.

use hallway_spine::console::view::NavigationEntry;

pub mod devices;
pub mod makers;
pub mod names;
pub mod transactions;

/// The transactions of devices.
pub const TRANSACTIONS: NavigationEntry =
    NavigationEntry::of_members("/transactions", "Transactions", 20);

/// Devices.
pub const DEVICES: NavigationEntry = NavigationEntry::of_members("/devices", "Devices", 10);

/// The makers whose devices are accepted.
pub const MAKERS: NavigationEntry = NavigationEntry::of_operators("/makers", "Makers", 25);

/// The pages to which the navigation leads.
pub(crate) fn navigation() -> Vec<NavigationEntry> {
    vec![TRANSACTIONS, DEVICES, MAKERS]
}
