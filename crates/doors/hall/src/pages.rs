//! The pages about halls and partners.

use hallway_spine::console::view::NavigationEntry;

pub mod away;
pub mod halls;
pub mod partners;

/// Halls.
pub const HALLS: NavigationEntry = NavigationEntry::of_members("/halls", "Halls", 30);

/// Partners.
pub const PARTNERS: NavigationEntry = NavigationEntry::of_operators("/partners", "Partners", 40);

/// The pages to which the navigation leads.
pub(crate) fn navigation() -> Vec<NavigationEntry> {
    vec![HALLS, PARTNERS]
}
