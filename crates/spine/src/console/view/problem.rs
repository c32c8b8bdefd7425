//! A page that could not be shown.

use askama::Template;

use super::Frame;

/// The page in place of one that could not be shown.
#[derive(Template, Clone, Debug)]
#[template(path = "problem.html")]
pub struct ProblemPage {
    /// The frame.
    pub frame: Frame,
    /// The HTTP status.
    pub status: u16,
    /// The problem: `There is no such page`.
    pub title: String,
    /// What happened and what to do.
    pub detail: String,
    /// The request's identifier, to find the request in the gateway's log.
    pub request: Option<String>,
}
