//! Partners: other realms that are joined with this one.

use askama::Template;
use hallway_spine::console::view::{Frame, Mark, Moment};

/// A partner.
#[derive(Clone, Debug)]
pub struct PartnerRow {
    /// Which realm.
    pub realm: String,
    /// Where its gateway is reached.
    pub origin: String,
    /// How far it is.
    pub state: Mark,
    /// Whether it can be left.
    pub stands: bool,
    /// Since when it is so.
    pub since: Moment,
    /// Until when an invitation is good, while it waits.
    pub expires: Option<Moment>,
    /// When its trust bundle was last fetched.
    pub bundle: Option<Moment>,
    /// What is wrong.
    pub problem: Option<String>,
    /// The key of its log.
    pub log: String,
    /// Its authorities, SHA-256 in hexadecimal.
    pub authorities: Vec<String>,
    /// What its people are admitted to here.
    pub shared: Vec<SharedRow>,
    /// The evidence, in hexadecimal.
    pub evidence: String,
}

/// Something that is shared.
#[derive(Clone, Debug)]
pub struct SharedRow {
    /// The hall.
    pub hall: String,
    /// With whom, in words.
    pub who: String,
    /// What they may do there, in words.
    pub rights: String,
}

/// An authority of this realm.
#[derive(Clone, Debug)]
pub struct OwnAuthorityRow {
    /// SHA-256 of its certificate in hexadecimal.
    pub sha256: String,
    /// What it is there for.
    pub stage: Mark,
    /// Until when; nothing for the next one.
    pub until: Option<Moment>,
}

/// `/partners`.
#[derive(Template, Clone, Debug)]
#[template(path = "partners.html")]
pub struct PartnersPage {
    /// The frame.
    pub frame: Frame,
    /// Whether the gateway has a hall listener, without which there can be no partner.
    pub listens: bool,
    /// All partners.
    pub partners: Vec<PartnerRow>,
    /// The key of this realm's own log, for the other owner to compare.
    pub own_log: String,
    /// This realm's own authorities.
    pub own_authorities: Vec<OwnAuthorityRow>,
}
