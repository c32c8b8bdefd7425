//! Telling the gateway how many files are set aside: as soon as the number changes, and again until the
//! gateway keeps it.

use std::time::Duration;

use hallway_evidence::Timestamp;

use super::Agent;
use crate::refused;
use crate::signer::Signer;

/// How often the folder of what is set aside is looked at: people empty it.
const LOOK: Duration = Duration::from_secs(10);

/// How long a gateway that has another number on record is left alone: it notes one once a minute.
const AGAIN: Duration = Duration::from_secs(30);

/// The number of files that are set aside, here and there.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// How many there were when the folder was looked at last.
    count: u32,
    /// When that was.
    looked: Timestamp,
    /// What the last question said.
    said: Option<u32>,
    /// What the gateway has on record; nothing where it keeps no such number.
    pub(super) on_record: Option<u32>,
}

impl<S: Signer> Agent<S> {
    /// Counts what is set aside.
    pub(super) fn recount(&mut self) {
        self.tally.count = refused::count(self.spool.watched());
        self.tally.looked = self.clock.now();
    }

    /// Counts what is set aside, for a question that says so.
    pub(super) fn state_tally(&mut self) -> u32 {
        self.recount();
        self.tally.said = Some(self.tally.count);
        self.tally.count
    }

    /// Whether the gateway has another number on record and is to hear of it now. `since_asked` is the
    /// time since the last question.
    pub(super) fn owes_tally(&mut self, since_asked: Duration) -> bool {
        if self.clock.now().distance(self.tally.looked) >= LOOK {
            self.recount();
        }
        let Tally {
            count,
            said,
            on_record,
            ..
        } = self.tally;
        on_record.is_some_and(|on_record| on_record != count)
            && (said != Some(count) || since_asked >= AGAIN)
    }
}
