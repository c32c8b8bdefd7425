//! The links between the pages of a long list.

use askama::Template;
use askama::filters::HtmlSafe;

/// Links to the neighbouring pages of a list that is newest first.
#[derive(Template, Clone, PartialEq, Eq, Debug, Default)]
#[template(path = "paging.html")]
pub struct Paging {
    /// The address of newer entries; `None` on the first page.
    pub newest: Option<String>,
    /// The address of older entries; `None` on the last page.
    pub older: Option<String>,
}

impl HtmlSafe for Paging {}
