//! Who watches the realm's log, and whose logs it watches.

use askama::Template;

use super::{Count, Frame, Mark, Moment, Tone};

/// A witness of the realm's log.
#[derive(Clone, Debug)]
pub struct CosignerRow {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
    /// What it cosigned last: how many entries, and when.
    pub cosigned: Option<(Count, Moment)>,
    /// Why it did not cosign when it was asked last.
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
    /// How many entries it had when it was cosigned last.
    pub size: Count,
    /// When that was.
    pub cosigned: Moment,
    /// Whether it still is watched.
    pub watched: bool,
    /// A checkpoint that came without a proof that holds: how many entries, and when.
    pub doubted: Option<(Count, Moment)>,
    /// The proof that it was rewritten.
    pub fork: Option<ForkCard>,
    /// The key under which it would begin anew.
    pub other_key: Option<String>,
    /// The evidence by which it began anew since, and when.
    pub ended: Option<(String, Moment)>,
}

/// Two checkpoints under one signature that exclude one another.
#[derive(Clone, Debug)]
pub struct ForkCard {
    /// When it came.
    pub at: Moment,
    /// The checkpoint that was cosigned.
    pub first: String,
    /// The one that came later.
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
    /// Its address as one.
    pub url: String,
    /// Who watches the log.
    pub witnesses: Vec<CosignerRow>,
    /// Whose logs are watched.
    pub witnessed: Vec<WitnessedRow>,
    /// What was seen of logs that have begun anew since.
    pub former: Vec<WitnessedRow>,
}
