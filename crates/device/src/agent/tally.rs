//! Tells the gateway how many files are set aside: as soon as the number changes, and again until
//! the gateway has it on record.

use std::time::Duration;

use hallway_evidence::Timestamp;

use super::Agent;
use crate::refused;
use crate::signer::Signer;

/// How often the files that are set aside are counted again: people take them away.
const RECOUNT_EVERY: Duration = Duration::from_secs(10);

/// How long to wait before the number is told again: a gateway records it once a minute.
const REPEAT_AFTER: Duration = Duration::from_secs(30);

/// The number of files that are set aside, as counted here and as the gateway has it on record.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// How many files there were at the last count.
    count: u32,
    /// When the files were last counted.
    looked: Timestamp,
    /// The number in the last question.
    said: Option<u32>,
    /// The number that the gateway has on record; `None` if it keeps no such number.
    pub(super) on_record: Option<u32>,
}

impl<S: Signer> Agent<S> {
    /// Counts the files that are set aside.
    pub(super) fn recount(&mut self) {
        self.tally.count = refused::count(self.spool.watched());
        self.tally.looked = self.clock.now();
    }

    /// Counts the files that are set aside, for a question that tells the number.
    pub(super) fn state_tally(&mut self) -> u32 {
        self.recount();
        self.tally.said = Some(self.tally.count);
        self.tally.count
    }

    /// Whether the gateway has another number on record and is to be told now. `since_asked` is the
    /// time since the last question.
    pub(super) fn owes_tally(&mut self, since_asked: Duration) -> bool {
        if self.clock.now().distance(self.tally.looked) >= RECOUNT_EVERY {
            self.recount();
        }
        let Tally {
            count,
            said,
            on_record,
            ..
        } = self.tally;
        on_record.is_some_and(|on_record| on_record != count)
            && (said != Some(count) || since_asked >= REPEAT_AFTER)
    }
}
