//! The witnesses of the realm's log, and the logs to which the realm is witness.

use askama::Template;

use super::{Count, Frame, Mark, Moment, Tone};

/// A witness of the realm's log.
#[derive(Clone, Debug)]
pub struct CosignerRow {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
    /// The last checkpoint that it cosigned: the number of entries, and the time.
    pub cosigned: Option<(Count, Moment)>,
    /// Why it did not cosign the last time, if it did not.
    pub problem: Option<String>,
    /// Whether the log grew since it cosigned.
    pub behind: bool,
}

impl CosignerRow {
    fn mark(&self) -> Mark {
        match (&self.problem, self.cosigned, self.behind) {
            (Some(_), _, _) => Mark::new(Tone::Bad, "did not cosign"),
            (None, None, _) => Mark::new(Tone::Waiting, "not asked yet"),
            (None, Some(_), true) => Mark::new(Tone::Waiting, "will be asked"),
            (None, Some(_), false) => Mark::new(Tone::Good, "cosigned"),
        }
    }
}

/// A log that is witnessed.
#[derive(Clone, Debug)]
pub struct WitnessedRow {
    /// Its origin.
    pub origin: String,
    /// The number of entries when it was cosigned last.
    pub size: Count,
    /// When that was.
    pub cosigned: Moment,
    /// Whether this realm still is its witness.
    pub watched: bool,
    /// A checkpoint that came without a valid proof: the number of entries, and the time.
    pub doubted: Option<(Count, Moment)>,
    /// The proof that the log was rewritten.
    pub fork: Option<ForkCard>,
    /// The new key under which the log would begin anew.
    pub other_key: Option<String>,
    /// The evidence of the act by which the log began anew, and the time.
    pub ended: Option<(String, Moment)>,
}

/// Two signed checkpoints of one log that contradict each other.
#[derive(Clone, Debug)]
pub struct ForkCard {
    /// When the contradiction was found.
    pub at: Moment,
    /// The checkpoint that was cosigned.
    pub first: String,
    /// The later checkpoint.
    pub second: String,
}

impl WitnessedRow {
    fn mark(&self) -> Mark {
        if self.ended.is_some() {
            return Mark::new(Tone::Quiet, "began anew");
        }
        if self.other_key.is_some() {
            return Mark::new(Tone::Warning, "another key");
        }
        match (&self.fork, self.doubted, self.watched) {
            (Some(_), _, _) => Mark::new(Tone::Bad, "rewritten"),
            (None, _, false) => Mark::new(Tone::Quiet, "no longer watched"),
            (None, Some(_), true) => Mark::new(Tone::Warning, "in doubt"),
            (None, None, true) => Mark::new(Tone::Good, "only grew"),
        }
    }
}

/// `/witnesses`.
#[derive(Template, Clone, Debug)]
#[template(path = "witnesses.html")]
pub struct WitnessesPage {
    /// The frame.
    pub frame: Frame,
    /// How many entries the log has.
    pub size: Count,
    /// The realm's key as a witness.
    pub key: String,
    /// The realm's address as a witness.
    pub url: String,
    /// The witnesses of the log.
    pub witnesses: Vec<CosignerRow>,
    /// The logs to which the realm is witness.
    pub witnessed: Vec<WitnessedRow>,
    /// The last state of logs that have begun anew.
    pub former: Vec<WitnessedRow>,
}
