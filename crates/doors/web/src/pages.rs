//! The pages about people and their keys.

use hallway_spine::console::view::Place;

pub mod arrive;
pub mod keys;
pub mod links;
pub mod people;

/// The caller's keys and sessions.
pub const KEYS: Place = Place::of_members("/keys", "My keys", 60);

/// The people of the realm.
pub const PEOPLE: Place = Place::of_operators("/people", "People", 70);

/// The pages to which the navigation leads.
pub(crate) fn places() -> Vec<Place> {
    vec![KEYS, PEOPLE]
}
