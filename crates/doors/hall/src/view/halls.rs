//! The list of halls, one hall with the people inside, and the files of one store.

use askama::Template;
use hallway_spine::console::view::{Count, Frame, Mark, Moment, Size};

/// A hall in the list.
#[derive(Clone, Debug)]
pub struct HallRow {
    /// The name, for programs.
    pub name: String,
    /// Its title.
    pub title: String,
    /// The viewer's rights, in words; empty if not admitted.
    pub rights: String,
    /// How many people are inside.
    pub inside: Count,
}

/// An opening that the viewer can approve.
#[derive(Clone, Debug)]
pub struct ApprovalRow {
    /// The grant.
    pub grant: String,
    /// The hall's name.
    pub hall: String,
    /// The name of the opener.
    pub name: String,
    /// Its rights, in words.
    pub rights: String,
    /// Since when.
    pub opened: Moment,
    /// The evidence of the opening, in hexadecimal.
    pub evidence: String,
}

/// The viewer's own opening, which waits for an approval.
#[derive(Clone, Debug)]
pub struct WaitingNotice {
    /// The grant.
    pub grant: String,
    /// The role that has to approve it: `an operator`.
    pub approver: String,
    /// The names of some people who can approve it; empty if only a partner knows them.
    pub names: String,
    /// When the opening expires.
    pub until: Moment,
}

/// An admission of the viewer's that demands something.
#[derive(Clone, Debug)]
pub struct DemandRow {
    /// The rights that it gives.
    pub rights: String,
    /// The demands, in words.
    pub needs: String,
    /// Whether the demands are met now.
    pub state: Mark,
    /// The demands that are not met, a sentence each.
    pub missing: Vec<String>,
}

/// `/halls`.
#[derive(Template, Clone, Debug)]
#[template(path = "halls.html")]
pub struct HallsPage {
    /// The frame.
    pub frame: Frame,
    /// The halls that the viewer may see.
    pub halls: Vec<HallRow>,
    /// The partners, whose halls may admit the viewer.
    pub partners: Vec<String>,
    /// Halls of partners that people of this realm have open.
    pub away: Vec<AwayRow>,
    /// Whether the gateway has a hall listener.
    pub listens: bool,
    /// The openings that the viewer can approve.
    pub approvals: Vec<ApprovalRow>,
}

/// A hall of a partner that a person of this realm has open.
#[derive(Clone, Debug)]
pub struct AwayRow {
    /// The partner's realm.
    pub host: String,
    /// The hall's name.
    pub hall: String,
    /// The grant, as far as this realm knows it.
    pub grant: GrantRow,
}

/// A store or service of a hall.
#[derive(Clone, Debug)]
pub struct OfferRow {
    /// The name by which rights name it.
    pub name: String,
    /// The agent that provides it; `None` for the gateway itself.
    pub agent: Option<String>,
    /// The viewer's rights on it: `read, write`.
    pub rights: String,
}

/// A person inside.
#[derive(Clone, Debug)]
pub struct InsideRow {
    /// The grant.
    pub grant: String,
    /// Whose.
    pub name: String,
    /// Streams open.
    pub streams: Count,
    /// Bytes received from the person.
    pub received: Size,
    /// Bytes sent to the person.
    pub sent: Size,
    /// Whether it is the viewer.
    pub own: bool,
}

/// A guest.
#[derive(Clone, Debug)]
pub struct GuestRow {
    /// The guest, in words.
    pub who: String,
    /// `person` or `role`.
    pub kind: &'static str,
    /// The person's identifier, or the role.
    pub value: String,
    /// The guest's rights.
    pub rights: String,
    /// The demands, in words; `None` without any.
    pub needs: String,
    /// Since when.
    pub since: Moment,
    /// The evidence, in hexadecimal.
    pub evidence: String,
}

/// An agent.
#[derive(Clone, Debug)]
pub struct AgentRow {
    /// Its name.
    pub name: String,
    /// Its state: invited, here or away.
    pub state: Mark,
    /// When it joined or was invited.
    pub since: Moment,
    /// The stores and services that it was invited to provide.
    pub provides: String,
    /// Those of them that the connected agent does not provide.
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
    /// Its rights.
    pub rights: String,
    /// Its state.
    pub state: Mark,
    /// Whether it is open.
    pub open: bool,
    /// Since when.
    pub opened: Moment,
    /// Until when.
    pub ends: Moment,
    /// Whether it is the viewer's own.
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
    /// The hall.
    pub place: HallPlace,
    /// The viewer's rights, in words.
    pub rights: String,
    /// The viewer's admissions that demand something.
    pub demands: Vec<DemandRow>,
    /// The grant of this browser, if the hall is open in it.
    pub open: Option<GrantRow>,
    /// The opening of this browser that waits for an approval.
    pub waiting: Option<WaitingNotice>,
    /// Why the grant ended; only pages of partners' halls show it.
    pub over: Option<String>,
    /// The openings of this hall that the viewer can approve.
    pub approvals: Vec<ApprovalRow>,
    /// Whether an admission can demand certain keys: only if metadata about models are known.
    pub knows_models: bool,
    /// Its stores.
    pub stores: Vec<OfferRow>,
    /// Its services.
    pub services: Vec<OfferRow>,
    /// The people inside now.
    pub inside: Vec<InsideRow>,
    /// Whether the viewer is an operator or owner.
    pub looks_after: bool,
    /// The guests.
    pub guests: Vec<GuestRow>,
    /// The people whom an owner may admit, with identifiers and names.
    pub people: Vec<(String, String)>,
    /// The partners whose people an owner may admit.
    pub partners: Vec<String>,
    /// Its agents.
    pub agents: Vec<AgentRow>,
    /// The newest grants.
    pub grants: Vec<GrantRow>,
}

/// A hall of this realm or of a partner.
#[derive(Clone, Debug)]
pub struct HallPlace {
    /// The partner's realm; `None` for a hall of this realm.
    pub host: Option<String>,
    /// Its name, for programs.
    pub name: String,
    /// Its title.
    pub title: String,
}

impl HallPlace {
    /// The address of its page. Its address in the API has `/api` in front.
    pub fn path(&self) -> String {
        match &self.host {
            Some(host) => format!("/partners/{host}/halls/{}", self.name),
            None => format!("/halls/{}", self.name),
        }
    }
}

/// A partner's hall that the viewer may enter.
#[derive(Clone, Debug)]
pub struct HallThereRow {
    /// Its name, for programs.
    pub name: String,
    /// Its title there.
    pub title: String,
    /// The viewer's rights, in words.
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
    /// Its halls that the viewer may enter.
    pub halls: Vec<HallThereRow>,
}

/// `/partners/{realm}/halls/{hall}`.
#[derive(Template, Clone, Debug)]
#[template(path = "partner_hall.html")]
pub struct PartnerHallPage {
    /// The frame.
    pub frame: Frame,
    /// The hall.
    pub place: HallPlace,
    /// The partner's realm.
    pub realm: String,
    /// The viewer's rights, in words.
    pub rights: String,
    /// The grant of this browser, if the hall is open in it.
    pub open: Option<GrantRow>,
    /// The opening of this browser that waits for an approval.
    pub waiting: Option<WaitingNotice>,
    /// Why the partner ended or refused the opening.
    pub over: Option<String>,
    /// The stores on which the viewer has rights.
    pub stores: Vec<OfferRow>,
    /// The services to which the viewer may connect.
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
    /// The opening of this browser that waits for an approval.
    pub waiting: Option<WaitingNotice>,
    /// Why a partner ended what was open, or did not let it begin.
    pub over: Option<String>,
    /// What the viewer may do here: `read`, `write`, `delete`, separated by blanks.
    pub may: String,
}
