//! The attestation authorities whose devices may enrol.

use askama::Template;
use hallway_spine::console::view::{Frame, Moment};

/// One authority.
#[derive(Clone, Debug)]
pub struct AuthorityRow {
    /// The identifier in the API.
    pub id: String,
    /// The name that it was given here.
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

/// `/authorities`.
#[derive(Template, Clone, Debug)]
#[template(path = "authorities.html")]
pub struct AuthoritiesPage {
    /// The frame.
    pub frame: Frame,
    /// All authorities.
    pub authorities: Vec<AuthorityRow>,
}
