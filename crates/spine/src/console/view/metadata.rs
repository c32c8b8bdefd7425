//! What is known about models of keys, and what the realm asks of them.

use askama::Template;

use super::{Count, Frame, Mark, Moment, Tone};

/// What is shown of a model, beside a key or in the list.
#[derive(Clone, Debug)]
pub struct ModelCard {
    /// An AAGUID or a key identifier.
    pub id: String,
    /// The model's name.
    pub name: String,
    /// The path of its picture.
    pub icon: Option<String>,
    /// Its certification: `L1`, or `none`.
    pub certification: String,
    /// Where keys live, in words.
    pub protection: String,
    /// The status that speaks against it, and since when.
    pub status: Option<(String, Option<Moment>)>,
}

impl ModelCard {
    /// Whether it is certified at all.
    pub fn is_certified(&self) -> bool {
        self.certification != "none"
    }
}

/// The BLOB in use.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Its number.
    pub number: Count,
    /// Where it came from.
    pub source: String,
    /// When it was taken.
    pub taken: Moment,
    /// When its successor is due.
    pub next_update: Moment,
    /// Whether that has passed.
    pub overdue: bool,
}

impl Blob {
    fn mark(&self) -> Mark {
        if self.overdue {
            Mark::new(Tone::Warning, "Out of date")
        } else {
            Mark::new(Tone::Good, "Current")
        }
    }
}

/// A file with a local statement.
#[derive(Clone, Debug)]
pub struct StatementRow {
    /// The file's name.
    pub name: String,
    /// Why it is not used, where it is not.
    pub problem: Option<String>,
}

impl StatementRow {
    fn mark(&self) -> Mark {
        match self.problem {
            None => Mark::new(Tone::Good, "In use"),
            Some(_) => Mark::new(Tone::Bad, "Not used"),
        }
    }
}

/// What is asked of somebody's keys.
#[derive(Clone, Debug)]
pub struct PolicyRow {
    /// Whose: `Owners`.
    pub who: String,
    /// What is asked, in sentences.
    pub asks: String,
}

/// `/metadata`.
#[derive(Template, Clone, Debug)]
#[template(path = "metadata.html")]
pub struct MetadataPage {
    /// The frame.
    pub frame: Frame,
    /// Whether anything is configured.
    pub configured: bool,
    /// Where BLOBs come from.
    pub sources: Vec<String>,
    /// Who may sign a BLOB.
    pub signer: String,
    /// The BLOB in use.
    pub blob: Option<Blob>,
    /// When somebody last looked.
    pub checked: Option<Moment>,
    /// Why nothing came of it.
    pub problem: Option<String>,
    /// How many models are known.
    pub known: Count,
    /// Entries of the BLOB that could not be read; keys of their models are refused.
    pub unreadable: Count,
    /// The local statements.
    pub statements: Vec<StatementRow>,
    /// What is asked of keys.
    pub policies: Vec<PolicyRow>,
    /// What was searched for.
    pub query: String,
    /// One page of what was found.
    pub models: Vec<ModelCard>,
    /// The path of the next page.
    pub more: Option<String>,
}
