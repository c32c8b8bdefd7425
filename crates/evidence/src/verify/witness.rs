//! Who else saw the log of a receipt.

use super::report::Section;
use crate::log::{Checkpoint, Cosigned, NoteError, cosigned};
use crate::trust::TrustFile;

/// Checks the cosignatures of a checkpoint that the log signed, by the witnesses that the trust file
/// names. That nobody cosigned is no failure: a log may be younger than its witnesses' last look.
/// Gives those who did.
pub(super) fn check(section: &mut Section, checkpoint: &str, trust: &TrustFile) -> Vec<Cosigned> {
    const TITLE: &str = "Witnesses saw the log grow to this checkpoint and never change";
    if trust.witnesses.is_empty() {
        return Vec::new();
    }
    let found = cosigned(checkpoint, &trust.witnesses).map_err(|error| match error {
        NoteError::Signature(witness) => {
            format!("the cosignature of {witness} does not fit this checkpoint")
        }
        error => error.to_string(),
    });
    if found.as_ref().is_ok_and(Vec::is_empty) {
        section.skip("log.3", TITLE, "none of them cosigned this checkpoint");
        return Vec::new();
    }
    let names = found.as_deref().map(names).unwrap_or_default();
    section
        .check("log.3", TITLE, found, names)
        .unwrap_or_default()
}

/// The sentence that follows for a subject in a tree of so many entries.
pub(super) fn sentence(checkpoint: &str, cosigned: &[Cosigned]) -> Option<String> {
    if cosigned.is_empty() {
        return None;
    }
    let size = Checkpoint::unverified_size(checkpoint)?;
    Some(format!(
        "That log was cosigned at {size} entries by {}.",
        names(cosigned)
    ))
}

fn names(cosigned: &[Cosigned]) -> String {
    let names: Vec<String> = cosigned.iter().map(ToString::to_string).collect();
    names.join(", ")
}
