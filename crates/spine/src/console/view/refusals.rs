//! The list of refusals, with their reasons.

use askama::Template;

use super::{Count, Frame, Moment, Paging};

/// One refusal.
#[derive(Clone, Debug)]
pub struct RefusalRow {
    /// When.
    pub at: Moment,
    /// The problem's code, as the API says it: `replayed`.
    pub code: String,
    /// The refused request and the reason, in a sentence.
    pub detail: String,
    /// The device or person that was refused, if it is known.
    pub subject: Option<String>,
    /// The similar refusals that are not listed.
    pub more: Option<More>,
}

/// Refusals that are counted instead of listed.
#[derive(Clone, Debug)]
pub struct More {
    /// How many.
    pub count: Count,
    /// When the last one was.
    pub last: Moment,
}

/// `/refusals`.
#[derive(Template, Clone, Debug)]
#[template(path = "refusals.html")]
pub struct RefusalsPage {
    /// The frame.
    pub frame: Frame,
    /// One page of refusals, newest first.
    pub rows: Vec<RefusalRow>,
    /// The neighbouring pages.
    pub paging: Paging,
}
