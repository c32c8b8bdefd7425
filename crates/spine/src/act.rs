//! The acts of people who are signed in. Each takes two steps and one touch, and leaves one piece
//! of evidence.
//!
//! A client asks for an act by the name of its statement. Each act is a file that implements
//! [`Perform`] for the statement's terms, and a line in the list of its door; see [`Door::acts`](crate::door::Door::acts).

use std::sync::atomic::{AtomicBool, Ordering};

use hallway_api::act::NewLink;
pub use hallway_api::act::Outcome;
use hallway_evidence::{CredentialId, Statement, Timestamp};
use serde::Serialize;
use serde_json::Map;

use crate::Gateway;
use crate::depends::{self, Ended};
use crate::http::problem::Problem;
use crate::http::session::{Caller, link_token};
use crate::store::{EvidenceHash, Person, Unit};

pub mod assertion;
pub mod ceremony;
pub mod options;
mod perform;

pub use perform::{Asking, Given, NameAlone, Perform, Prepared, Registered, act};

/// A person who performs an act, and the unit of work in which they do.
pub struct Actor<'a> {
    /// The gateway at which the act is performed.
    pub gateway: &'a Gateway,
    /// The unit of work that logged the evidence.
    pub unit: &'a Unit<'a>,
    /// The person who signed.
    pub person: &'a Person,
    /// The key that signed.
    pub credential: &'a CredentialId,
    /// The session in which the person signed.
    pub caller: &'a Caller,
    /// The evidence of the act.
    pub evidence: EvidenceHash,
    /// The index of the evidence in the log, counted from 0.
    pub log_index: u64,
    /// The signed statement.
    pub statement: &'a Statement,
    /// When the evidence was accepted.
    pub now: Timestamp,
    /// The bytes of which the statement has only the hash, if the act has some.
    pub attachment: Option<&'a [u8]>,
    /// Whether the act ended anything on which other doors depend.
    pub(crate) ended: AtomicBool,
}

impl Actor<'_> {
    /// An outcome that has only the evidence.
    pub fn done(&self) -> Outcome {
        Outcome {
            evidence: self.evidence.to_string(),
            accepted_ms: self.now.as_ms(),
            link: None,
            more: Map::new(),
        }
    }

    /// An outcome that has the evidence, and `more` under `name`.
    ///
    /// # Errors
    /// `more` cannot be written as JSON.
    pub fn done_with(&self, name: &str, more: &impl Serialize) -> Result<Outcome, Problem> {
        let more = serde_json::to_value(more).map_err(|error| Problem::internal(&error))?;
        Ok(Outcome {
            more: Map::from_iter([(name.to_owned(), more)]),
            ..self.done()
        })
    }

    /// An outcome that has the evidence, and a one-time link to `page` of this gateway, which this
    /// act makes.
    pub fn done_with_link(&self, page: &str, expires: Timestamp) -> Outcome {
        Outcome {
            link: Some(NewLink {
                link: format!("{}/{page}#{}", self.gateway.origin, self.link_token()),
                expires_ms: expires.as_ms(),
            }),
            ..self.done()
        }
    }

    /// Ends everything that depends on what this act ended.
    ///
    /// # Errors
    /// The database fails.
    pub async fn end(&self, ended: Ended) -> Result<(), Problem> {
        self.ended.store(true, Ordering::Relaxed);
        depends::end(self.gateway, self.unit, ended, Some(self.person.id)).await
    }

    /// The secret of the link that this act makes; its hash is in the statement.
    pub fn link_token(&self) -> String {
        link_token(self.gateway, &self.statement.nonce)
    }
}
