//! The halls, one hall with everybody in it, and the files of one store.

use askama::Template;

use super::{Count, Frame, Mark, Moment, Size};

/// A hall in the list.
#[derive(Clone, Debug)]
pub struct HallRow {
    /// The name, for programs.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What the visitor may do there, in words; nothing if they are not admitted.
    pub rights: String,
    /// How many are inside.
    pub inside: Count,
}

/// `/halls`.
#[derive(Template, Clone, Debug)]
#[template(path = "halls.html")]
pub struct HallsPage {
    /// The frame.
    pub frame: Frame,
    /// The halls that the visitor may see.
    pub halls: Vec<HallRow>,
    /// Halls of partners that people of this realm have open.
    pub away: Vec<AwayRow>,
    /// Whether the gateway has a hall listener.
    pub listens: bool,
}

/// A hall of a partner that somebody of this realm has open.
#[derive(Clone, Debug)]
pub struct AwayRow {
    /// `REALM/HALL`.
    pub place: String,
    /// The grant, as far as it is this realm's business.
    pub grant: GrantRow,
}

/// What a hall offers.
#[derive(Clone, Debug)]
pub struct OfferRow {
    /// What rights call it.
    pub name: String,
    /// The agent that provides it; nothing for the gateway itself.
    pub agent: Option<String>,
    /// What the visitor may do with it: `read, write`.
    pub rights: String,
}

/// Somebody inside.
#[derive(Clone, Debug)]
pub struct InsideRow {
    /// The grant.
    pub grant: String,
    /// Whose.
    pub name: String,
    /// Streams open.
    pub streams: Count,
    /// Bytes that came from them.
    pub received: Size,
    /// Bytes that went to them.
    pub sent: Size,
    /// Whether it is the visitor.
    pub own: bool,
}

/// Somebody who is admitted.
#[derive(Clone, Debug)]
pub struct GuestRow {
    /// In words.
    pub who: String,
    /// `person` or `role`.
    pub kind: &'static str,
    /// The person's identifier, or the role.
    pub value: String,
    /// What they may do.
    pub rights: String,
    /// Since when.
    pub since: Moment,
    /// The evidence, in hexadecimal.
    pub evidence: String,
}

/// A machine.
#[derive(Clone, Debug)]
pub struct AgentRow {
    /// Its name.
    pub name: String,
    /// Invited, here, away.
    pub state: Mark,
    /// Since when it belongs to the hall, or was invited.
    pub since: Moment,
    /// What it provides now.
    pub provides: String,
    /// The evidence, in hexadecimal.
    pub evidence: String,
}

/// A grant.
#[derive(Clone, Debug)]
pub struct GrantRow {
    /// The identifier in the API.
    pub id: String,
    /// Whose.
    pub name: String,
    /// What it allows.
    pub rights: String,
    /// Open or over.
    pub state: Mark,
    /// Whether it is open.
    pub open: bool,
    /// Since when.
    pub opened: Moment,
    /// Until when.
    pub ends: Moment,
    /// Whether it is the visitor's own.
    pub own: bool,
    /// The evidence, in hexadecimal.
    pub evidence: String,
}

/// `/halls/{name}`.
#[derive(Template, Clone, Debug)]
#[template(path = "hall.html")]
pub struct HallPage {
    /// The frame.
    pub frame: Frame,
    /// The name, for programs.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What the visitor may do here, in words.
    pub rights: String,
    /// The grant of this browser, if the hall is open in it.
    pub open: Option<GrantRow>,
    /// Its stores.
    pub stores: Vec<OfferRow>,
    /// Its services.
    pub services: Vec<OfferRow>,
    /// Who is inside now.
    pub inside: Vec<InsideRow>,
    /// Whether the visitor looks after halls.
    pub looks_after: bool,
    /// Who may enter.
    pub guests: Vec<GuestRow>,
    /// Whom an owner may admit: identifiers and names.
    pub people: Vec<(String, String)>,
    /// The partners whose people an owner may admit.
    pub partners: Vec<String>,
    /// Its machines.
    pub agents: Vec<AgentRow>,
    /// The newest grants.
    pub grants: Vec<GrantRow>,
}

/// `/halls/{name}/files/{store}`.
#[derive(Template, Clone, Debug)]
#[template(path = "store.html")]
pub struct StorePage {
    /// The frame.
    pub frame: Frame,
    /// The hall's name.
    pub hall: String,
    /// What people call it.
    pub title: String,
    /// The store.
    pub store: String,
    /// Whether the hall is open in this browser.
    pub open: bool,
    /// What the visitor may do here: `read`, `write`, `delete`, separated by blanks.
    pub may: String,
}
