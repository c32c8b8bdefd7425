//! The makers whose devices may enrol.

use askama::Template;
use hallway_spine::console::view::{Frame, Moment};

/// One maker.
#[derive(Clone, Debug)]
pub struct MakerRow {
    /// The identifier in the API.
    pub id: String,
    /// The realm's name for it.
    pub name: String,
    /// The certificate's subject.
    pub subject: String,
    /// SHA-256 of the certificate, in hexadecimal.
    pub fingerprint: String,
    /// When the certificate ends.
    pub until: Option<Moment>,
    /// When it was added.
    pub added: Moment,
}

/// `/makers`.
#[derive(Template, Clone, Debug)]
#[template(path = "makers.html")]
pub struct MakersPage {
    /// The frame.
    pub frame: Frame,
    /// All makers.
    pub makers: Vec<MakerRow>,
}
