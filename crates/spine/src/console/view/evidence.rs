//! The list of the realm's evidence.

use askama::Template;

use super::{Count, Frame, Moment, Paging};

/// One piece of evidence in a list.
#[derive(Clone, Debug)]
pub struct EvidenceRow {
    /// Its hash, in hexadecimal.
    pub hash: String,
    /// Its sentence.
    pub sentence: String,
    /// The person or device that signed it.
    pub signer: String,
    /// Its place in the log.
    pub index: Count,
    /// When it was accepted.
    pub accepted: Moment,
}

/// `/evidence`.
#[derive(Template, Clone, Debug)]
#[template(path = "evidence.html")]
pub struct EvidencePage {
    /// The frame.
    pub frame: Frame,
    /// One page of evidence, newest first.
    pub rows: Vec<EvidenceRow>,
    /// The neighbouring pages.
    pub paging: Paging,
}
