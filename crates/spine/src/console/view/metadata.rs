//! The knowledge about models of keys, and the realm's policies.

use askama::Template;

use super::{Count, Frame, Mark, Moment, Tone};

/// A model, beside a key or in the list.
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
    /// The place of the model's keys, in words.
    pub protection: String,
    /// The status that rules the model out, and its date.
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
    /// Its source.
    pub source: String,
    /// When the realm accepted it.
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
    /// Why the statement is not used; `None` if it is.
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

/// The policy on some people's keys.
#[derive(Clone, Debug)]
pub struct PolicyRow {
    /// The people: `Owners`.
    pub who: String,
    /// The demands of the policy, in sentences.
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
    /// The sources of BLOBs.
    pub sources: Vec<String>,
    /// The certificates that may sign a BLOB.
    pub signer: String,
    /// The BLOB in use.
    pub blob: Option<Blob>,
    /// When a gateway last looked for a newer BLOB.
    pub checked: Option<Moment>,
    /// Why that failed, if it did.
    pub problem: Option<String>,
    /// How many models are known.
    pub known: Count,
    /// Entries of the BLOB that could not be read; keys of their models are refused.
    pub unreadable: Count,
    /// The local statements.
    pub statements: Vec<StatementRow>,
    /// The policies on keys.
    pub policies: Vec<PolicyRow>,
    /// The search text.
    pub query: String,
    /// One page of the result.
    pub models: Vec<ModelCard>,
    /// The path of the next page.
    pub more: Option<String>,
}
