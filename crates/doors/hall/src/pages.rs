//! The pages about halls and partners.

use hallway_spine::console::view::Place;

pub mod away;
pub mod halls;
pub mod partners;

/// Halls.
pub const HALLS: Place = Place::of_members("/halls", "Halls", 30);

/// Partners.
pub const PARTNERS: Place = Place::of_operators("/partners", "Partners", 40);

/// The pages to which the navigation leads.
pub(crate) fn places() -> Vec<Place> {
    vec![HALLS, PARTNERS]
}
