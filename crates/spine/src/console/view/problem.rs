//! A page that could not be shown.

use askama::Template;

use super::Frame;

/// What takes the place of a page that could not be shown.
#[derive(Template, Clone, Debug)]
#[template(path = "problem.html")]
pub struct ProblemPage {
    /// The frame.
    pub frame: Frame,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong: `There is no such page`.
    pub title: String,
    /// What happened and what to do.
    pub detail: String,
    /// The request's identifier, for whoever reads the gateway's own record.
    pub request: Option<String>,
}
