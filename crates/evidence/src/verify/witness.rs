//! The witnesses that saw the log of a receipt.

use super::report::Section;
use crate::log::{Checkpoint, Cosigned, NoteError, cosigned, unknown_signer};
use crate::trust::TrustFile;

/// Checks the cosignatures of a checkpoint that the log signed, by the witnesses that the trust
/// file names. That nobody cosigned is no failure: a checkpoint may be newer than its witnesses'
/// last look. Returns the witnesses that cosigned.
pub(super) fn check(section: &mut Section, checkpoint: &str, trust: &TrustFile) -> Vec<Cosigned> {
    const TITLE: &str = "Witnesses saw the log grow to this checkpoint and never change";
    check_signers(section, checkpoint, trust);
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

/// Checks that every signature below the checkpoint is by a known key, and holds. Otherwise anybody
/// could add one, and so make two valid receipts of one.
fn check_signers(section: &mut Section, checkpoint: &str, trust: &TrustFile) {
    let known = trust.witnesses.iter().chain(&trust.former_witnesses);
    let only_known = match unknown_signer(checkpoint, &trust.log, known) {
        Ok(None) => cosigned(checkpoint, &trust.former_witnesses)
            .map(drop)
            .map_err(|error| error.to_string()),
        Ok(Some(name)) => Err(format!(
            "there is a signature by {name}, which is no witness that the trust file names; if the \
             realm has a new witness, export the trust file again"
        )),
        Err(error) => Err(error.to_string()),
    };
    section.check(
        "log.4",
        "Nobody else signed the checkpoint",
        only_known,
        "the log and its witnesses",
    );
}

/// The sentence that says who cosigned the subject's checkpoint; `None` if nobody did.
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
