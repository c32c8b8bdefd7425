//! Who cosigned a log.

use std::error::Error;

use hallway_evidence::log::{Checkpoint, Cosigned, TileSource as _, cosigned};
use serde::Serialize;

use super::Trusted;
use super::source::Source;

/// A checkpoint that witnesses cosigned.
#[derive(Debug, Serialize)]
pub(super) struct Seen {
    /// How many entries it is for.
    pub(super) size: u64,
    /// Who cosigned it, and when.
    pub(super) by: Vec<Cosigned>,
    #[serde(skip)]
    pub(super) checkpoint: Checkpoint,
}

impl Seen {
    /// The cosigned checkpoint that a log has beside its newest one, if it has one and `trusted`
    /// knows somebody who cosigned it.
    pub(super) fn beside(
        source: &mut Source,
        trusted: &Trusted,
    ) -> Result<Option<Self>, Box<dyn Error>> {
        let found = source.read("cosigned");
        let Some(note) = found
            .map_err(|error| format!("the log's cosigned checkpoint could not be read: {error}"))?
        else {
            return Ok(None);
        };
        let note = String::from_utf8(note)?;
        Self::of(&note, trusted).map_err(|error| format!("the cosigned checkpoint: {error}").into())
    }

    /// The witnesses of `trusted` that cosigned `note`; `None` if none did.
    pub(super) fn of(note: &str, trusted: &Trusted) -> Result<Option<Self>, Box<dyn Error>> {
        let checkpoint = Checkpoint::open(note, &trusted.log)?;
        let by = cosigned(note, &trusted.witnesses)?;
        Ok((!by.is_empty()).then_some(Self {
            size: checkpoint.size,
            by,
            checkpoint,
        }))
    }
}
