//! The report of a verification.

use std::fmt::Display;

use hallway_webauthn::explain::Part;
use hallway_webauthn::{Observed, Outcome, Step};
use serde::Serialize;

use crate::id::{DeviceId, PersonId};
use crate::line::Line;
use crate::log::Cosigned;
use crate::statement::device::Delivery;
use crate::statement::people::Role;
use crate::timestamp::Timestamp;

/// Every step of a verification, and what follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every step holds.
    pub holds: bool,
    /// The first step that failed, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The conclusion, if every step holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<Conclusion>,
    /// What the bundle does not show about who allowed the keys. Where that was demanded, the
    /// evidence does not hold without it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The steps: one section for each receipt, in the bundle's order, then how they fit together,
    /// and who allowed the keys.
    pub sections: Vec<Section>,
    /// The subject's statement and the key's answer, taken apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The section's title.
    pub section: String,
    /// The step's number, such as `log.2`.
    pub step: String,
    /// The fault, as a text for people.
    pub what: String,
}

/// Steps about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Section {
    /// The receipt or the question that the steps are about.
    pub title: String,
    /// The statement that was signed, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
    /// The index of the receipt in the log, from 0, once that is proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u64>,
    /// The steps in the order in which they were taken. Their numbers are WebAuthn Level 3's own,
    /// such as `7.2.21`, or ours, such as `log.2`.
    pub steps: Vec<Observed>,
}

/// What follows from evidence that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    /// In plain English, one fact a sentence.
    pub sentences: Vec<String>,
    /// The log's origin.
    pub log: String,
    /// The subject's index in it, from 0.
    pub log_index: u64,
    /// When the gateway accepted it.
    pub accepted_ms: Timestamp,
    /// Which of the trust file's witnesses cosigned the checkpoint that proves it.
    pub cosigned: Vec<Cosigned>,
    /// Who allowed the key of the person who signed, or who took the device: from that person down
    /// to the set-up of the realm. Empty when no person signed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<ChainStep>,
    /// The facts of a device's transaction, when the subject is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<TransactionFacts>,
}

/// One act that allowed somebody a key or a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainStep {
    /// The act.
    pub happened: Happened,
    /// The person who got the key or the role.
    pub person: PersonId,
    /// That person's name.
    pub name: Line,
    /// The role that comes with it.
    pub role: Role,
    /// The name of the one who did it: for a set-up or a further key, that person.
    pub by: Line,
    /// When the gateway accepted it.
    pub at_ms: Timestamp,
    /// Its index in the log, from 0.
    pub log_index: u64,
}

/// What allowed somebody a key or a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// The realm was set up.
    SetUp,
    /// An owner invited the person.
    Invited,
    /// An owner let the person register a new key.
    Recovered,
    /// The person allowed a further key with an earlier one.
    Added,
    /// An owner gave the person the role.
    Promoted,
}

impl Display for ChainStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            name,
            role,
            by,
            at_ms,
            ..
        } = self;
        match self.happened {
            Happened::SetUp => write!(f, "{name} set up the realm, as its {role}, on {at_ms}"),
            Happened::Invited => write!(f, "{by} invited {name} as {role} on {at_ms}"),
            Happened::Recovered => {
                write!(f, "{by} let {name} ({role}) register a new key on {at_ms}")
            }
            Happened::Added => write!(
                f,
                "{name} ({role}) allowed a further key with an earlier one on {at_ms}"
            ),
            Happened::Promoted => write!(f, "{by} made {name} {role} on {at_ms}"),
        }?;
        write!(f, " (entry {})", self.log_index)
    }
}

/// What a device's transaction shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransactionFacts {
    /// The device's id in its realm.
    pub device: DeviceId,
    /// Its serial number, from its attestation certificate.
    pub serial: String,
    /// Its model, an AAGUID.
    pub model: String,
    /// The maker that vouches for both.
    pub maker: String,
    /// The person who claimed it.
    pub owner: PersonId,
    /// The owner's name when the owner's key was registered.
    pub owner_name: Line,
    /// When the gateway accepted the owner's claim.
    pub claimed_ms: Timestamp,
    /// The file's name on the device.
    pub file_name: Line,
    /// The bytes' media type.
    pub media_type: Line,
    /// The number of bytes.
    pub length: u64,
    /// Their SHA-256, hexadecimal.
    pub sha256: String,
    /// Whether the bytes were at hand and were compared.
    pub payload_checked: bool,
    /// When they were taken, by the device's clock.
    pub taken_ms: Timestamp,
    /// The number of the transaction among those of the device's credential.
    pub sequence: u64,
    /// Sent at once or queued.
    pub delivery: Delivery,
}

impl Report {
    /// The report that `what` could not even be read, and `why`.
    #[must_use]
    pub fn unreadable(what: &str, why: &dyn Display) -> Self {
        let mut section = Section::new(what);
        section.check(
            "file.1",
            "It can be read",
            Err::<(), _>(why.to_string()),
            "",
        );
        Self::new(vec![section], None, Vec::new())
    }

    pub(super) fn new(
        sections: Vec<Section>,
        conclusion: Option<Conclusion>,
        missing: Vec<String>,
    ) -> Self {
        // Step `key.1` may fail only because another receipt does not hold: other failures first.
        let failures = || sections.iter().flat_map(Section::failures);
        let failure = failures()
            .find(|failure| failure.step != "key.1")
            .or_else(|| failures().next());
        let holds = failure.is_none() && conclusion.is_some();
        Self {
            holds,
            failure,
            conclusion: conclusion.filter(|_| holds),
            missing,
            sections,
            parts: Vec::new(),
        }
    }
}

impl Section {
    pub(super) fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            sentence: None,
            log_index: None,
            steps: Vec::new(),
        }
    }

    fn failures(&self) -> impl Iterator<Item = Failure> {
        self.steps
            .iter()
            .filter(|seen| seen.outcome == Outcome::Failed)
            .map(|seen| Failure {
                section: self.title.clone(),
                step: seen.step.number.to_owned(),
                what: seen.detail.clone(),
            })
    }

    /// Records a step, and returns its value if it held. A failure is described by its error.
    pub(super) fn check<T, E: Display>(
        &mut self,
        number: &'static str,
        title: &'static str,
        result: Result<T, E>,
        held: impl Display,
    ) -> Option<T> {
        let (outcome, detail) = match &result {
            Ok(_) => (Outcome::Held, held.to_string()),
            Err(error) => (Outcome::Failed, error.to_string()),
        };
        self.push(number, title, outcome, detail);
        result.ok()
    }

    /// Records a step that does not apply.
    pub(super) fn skip(&mut self, number: &'static str, title: &'static str, why: &str) {
        self.push(number, title, Outcome::Skipped, why.to_owned());
    }

    /// Records what the relying party observed.
    pub(super) fn extend(&mut self, observed: Vec<Observed>) {
        self.steps.extend(observed);
    }

    fn push(
        &mut self,
        number: &'static str,
        title: &'static str,
        outcome: Outcome,
        detail: String,
    ) {
        self.steps.push(Observed {
            step: Step { number, title },
            outcome,
            detail,
        });
    }
}
