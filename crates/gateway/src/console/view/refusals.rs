//! What was refused, and why.

use askama::Template;

use super::{Frame, Moment, Paging};

/// One refusal.
#[derive(Clone, Debug)]
pub struct RefusalRow {
    /// When.
    pub at: Moment,
    /// The problem's code, as the API says it: `replayed`.
    pub code: String,
    /// What was refused and why, in a sentence.
    pub detail: String,
    /// Which device or person it was about, where that is known.
    pub subject: Option<String>,
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
