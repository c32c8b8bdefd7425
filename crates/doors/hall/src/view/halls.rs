//! The halls, one hall with everybody in it, and the files of one store.

use askama::Template;
use hallway_spine::console::view::{Count, Frame, Mark, Moment, Size};

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

/// An opening that waits until the visitor, or somebody else, approves it.
#[derive(Clone, Debug)]
pub struct ApprovalRow {
    /// The grant.
    pub grant: String,
    /// The hall's name.
    pub hall: String,
    /// Who opened it.
    pub name: String,
    /// To do what.
    pub rights: String,
    /// Since when.
    pub opened: Moment,
    /// The evidence of the opening, in hexadecimal.
    pub evidence: String,
}

/// The visitor's own opening, which waits.
#[derive(Clone, Debug)]
pub struct WaitingNotice {
    /// The grant.
    pub grant: String,
    /// Who has to approve it: `an operator`.
    pub approver: String,
    /// The names of some who can; nothing where only a partner knows them.
    pub names: String,
    /// When it is too late.
    pub until: Moment,
}

/// An admission of the visitor's that demands something.
#[derive(Clone, Debug)]
pub struct DemandRow {
    /// What it is for.
    pub rights: String,
    /// What it demands, in words.
    pub needs: String,
    /// Whether that is so now.
    pub state: Mark,
    /// What is missing, each a sentence.
    pub missing: Vec<String>,
}

/// `/halls`.
#[derive(Template, Clone, Debug)]
#[template(path = "halls.html")]
pub struct HallsPage {
    /// The frame.
    pub frame: Frame,
    /// The halls that the visitor may see.
    pub halls: Vec<HallRow>,
    /// The partners, whose halls the visitor may be let into.
    pub partners: Vec<String>,
    /// Halls of partners that people of this realm have open.
    pub away: Vec<AwayRow>,
    /// Whether the gateway has a hall listener.
    pub listens: bool,
    /// What the visitor can approve.
    pub approvals: Vec<ApprovalRow>,
}

/// A hall of a partner that somebody of this realm has open.
#[derive(Clone, Debug)]
pub struct AwayRow {
    /// The realm where it is.
    pub host: String,
    /// The hall's name there.
    pub hall: String,
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
    /// What is demanded, in words; nothing for nothing.
    pub needs: String,
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
    /// What it was invited to provide.
    pub provides: String,
    /// What of it is not there while the agent is.
    pub missing: String,
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
    /// Which hall.
    pub place: HallPlace,
    /// What the visitor may do here, in words.
    pub rights: String,
    /// The visitor's admissions that demand something.
    pub demands: Vec<DemandRow>,
    /// The grant of this browser, if the hall is open in it.
    pub open: Option<GrantRow>,
    /// The opening of this browser that waits.
    pub waiting: Option<WaitingNotice>,
    /// Why what was open is so no longer; only partners' pages say it.
    pub over: Option<String>,
    /// What the visitor can approve in this hall.
    pub approvals: Vec<ApprovalRow>,
    /// Whether an admission can demand a certain key: whether anything is known about models.
    pub knows_models: bool,
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

/// Where a hall is: one of ours, or a partner's.
#[derive(Clone, Debug)]
pub struct HallPlace {
    /// The realm where it is, when it is a partner's.
    pub host: Option<String>,
    /// Its name, for programs.
    pub name: String,
    /// What people call it.
    pub title: String,
}

impl HallPlace {
    /// The address of its page; that of the same in the API has `/api` in front.
    pub fn path(&self) -> String {
        match &self.host {
            Some(host) => format!("/partners/{host}/halls/{}", self.name),
            None => format!("/halls/{}", self.name),
        }
    }
}

/// A partner's hall that the visitor may enter.
#[derive(Clone, Debug)]
pub struct HallThereRow {
    /// Its name, for programs.
    pub name: String,
    /// What people call it there.
    pub title: String,
    /// What the visitor may do there, in words.
    pub rights: String,
}

/// `/partners/{realm}/halls`.
#[derive(Template, Clone, Debug)]
#[template(path = "partner_halls.html")]
pub struct PartnerHallsPage {
    /// The frame.
    pub frame: Frame,
    /// The partner.
    pub realm: String,
    /// Its halls that the visitor may enter.
    pub halls: Vec<HallThereRow>,
}

/// `/partners/{realm}/halls/{hall}`.
#[derive(Template, Clone, Debug)]
#[template(path = "partner_hall.html")]
pub struct PartnerHallPage {
    /// The frame.
    pub frame: Frame,
    /// Which hall, and where.
    pub place: HallPlace,
    /// The realm where it is.
    pub realm: String,
    /// What the visitor may do there, in words.
    pub rights: String,
    /// The grant of this browser, if the hall is open in it.
    pub open: Option<GrantRow>,
    /// The opening of this browser that waits.
    pub waiting: Option<WaitingNotice>,
    /// Why the partner ended what was open, or did not let it begin.
    pub over: Option<String>,
    /// The stores in which the visitor may do something.
    pub stores: Vec<OfferRow>,
    /// The services that the visitor may reach.
    pub services: Vec<String>,
}

/// `/halls/{name}/files/{store}`, and the same of a partner's hall.
#[derive(Template, Clone, Debug)]
#[template(path = "store.html")]
pub struct StorePage {
    /// The frame.
    pub frame: Frame,
    /// The hall.
    pub place: HallPlace,
    /// The store.
    pub store: String,
    /// The grant of this browser, if the hall is open in it.
    pub open: Option<GrantRow>,
    /// The opening of this browser that waits.
    pub waiting: Option<WaitingNotice>,
    /// Why a partner ended what was open, or did not let it begin.
    pub over: Option<String>,
    /// What the visitor may do here: `read`, `write`, `delete`, separated by blanks.
    pub may: String,
}
