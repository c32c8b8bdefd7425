//! The realm's people.

use askama::Template;
use hallway_spine::console::view::{Count, Frame, Mark, Moment, Paging, Standing};

use super::LinkItem;

/// One person.
#[derive(Clone, Debug)]
pub struct PersonRow {
    /// The identifier in the API.
    pub id: String,
    /// The name.
    pub name: String,
    /// The role.
    pub standing: Standing,
    /// Active, invited, suspended.
    pub state: Mark,
    /// Whether the person is suspended now.
    pub suspended: bool,
    /// How many keys they have.
    pub keys: Count,
    /// When they joined the realm.
    pub since: Moment,
    /// Whether this is the person who sees the page: nobody can suspend themselves.
    pub is_self: bool,
}

/// `/people`.
#[derive(Template, Clone, Debug)]
#[template(path = "people.html")]
pub struct PeoplePage {
    /// The frame.
    pub frame: Frame,
    /// One page of people, the newest first.
    pub people: Vec<PersonRow>,
    /// One-time links that are open, for an owner.
    pub links: Vec<LinkItem>,
    /// The neighbouring pages.
    pub paging: Paging,
}
