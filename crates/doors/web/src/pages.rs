//! The pages about people and their keys.

use hallway_spine::console::view::NavigationEntry;

pub mod arrive;
pub mod keys;
pub mod links;
pub mod people;

/// The caller's keys and sessions.
pub const KEYS: NavigationEntry = NavigationEntry::of_members("/keys", "My keys", 60);

/// The people of the realm.
pub const PEOPLE: NavigationEntry = NavigationEntry::of_operators("/people", "People", 70);

/// The pages to which the navigation leads.
pub(crate) fn navigation() -> Vec<NavigationEntry> {
    vec![KEYS, PEOPLE]
}
