//! Open one-time links, on the pages of the people whom they concern.

use hallway_spine::console::view::Moment;

/// A link that can still be used.
#[derive(Clone, Debug)]
pub struct LinkItem {
    /// The identifier in the API.
    pub id: String,
    /// The name of the person who may use it.
    pub name: String,
    /// What it opens: `Joins as operator`.
    pub opens: String,
    /// The name of its maker.
    pub made_by: String,
    /// When it was made.
    pub made: Moment,
    /// When it expires.
    pub ends: Moment,
    /// The evidence that made it, in hexadecimal.
    pub evidence: Option<String>,
}
