//! The first page after signing in.

use askama::Template;
use hallway_door_device::view::TransactionRow;
use hallway_spine::console::view::{Count, EvidenceRow, Frame};

/// A step that is needed before the realm is of use.
#[derive(Clone, Debug)]
pub struct NextStep {
    /// What to do: `Register a second key`.
    pub what: &'static str,
    /// Why: one sentence.
    pub why: &'static str,
    /// The page on which to do it.
    pub href: &'static str,
    /// Whether it is done.
    pub done: bool,
}

/// `/` for a person who is signed in.
#[derive(Template, Clone, Debug)]
#[template(path = "overview.html")]
pub struct OverviewPage {
    /// The frame.
    pub frame: Frame,
    /// The next steps, shown until all are done.
    pub next: Vec<NextStep>,
    /// Devices whose enrolment is complete and not suspended.
    pub devices: Count,
    /// The viewer's keys.
    pub keys: Count,
    /// Entries of the log.
    pub log_size: Count,
    /// The refusals of the last 24 hours, `200+` if there are more than one query counts; `None` if
    /// the viewer may not see them.
    pub refusals: Option<String>,
    /// Openings that wait until the viewer approves them; `None` for none.
    pub approvals: Option<Count>,
    /// The newest transactions, at most five.
    pub latest: Vec<TransactionRow>,
    /// The newest evidence, at most five.
    pub evidence: Vec<EvidenceRow>,
}

impl OverviewPage {
    fn unfinished(&self) -> bool {
        self.next.iter().any(|step| !step.done)
    }
}
