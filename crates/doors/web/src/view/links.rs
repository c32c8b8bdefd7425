//! One-time links that are open, on the pages of those whom they concern.

use hallway_spine::console::view::Moment;

/// A link that somebody can still use.
#[derive(Clone, Debug)]
pub struct LinkItem {
    /// The identifier in the API.
    pub id: String,
    /// Whom it is for.
    pub name: String,
    /// What it opens: `Joins as operator`.
    pub opens: String,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made: Moment,
    /// Until when it works.
    pub ends: Moment,
    /// The evidence that made it, in hexadecimal.
    pub evidence: Option<String>,
}
