//! Verifying evidence offline, with nothing but a trust file.
//!
//! [`bundle`] checks every receipt of a bundle by itself (its place in the log, its WebAuthn
//! response) and then how they fit together: that a transaction was signed by the credential that
//! the device's own attestation certificate vouches for, and that a person of the realm took that
//! very device. The [`Report`] holds every step and its outcome, and says what follows in plain
//! English, or exactly what is wrong.
//!
//! What it shows is that this key signed these bytes, never that a scene is real; and what became
//! of a device later is not in the bundle.

mod chain;
mod hall;
mod receipt;
mod report;
mod visit;
mod witness;

use crate::bundle::Bundle;
use crate::trust::TrustFile;

pub use report::{Conclusion, Failure, Report, Section, StepReport, TransactionFacts};
pub use visit::{CLOCKS_APART, Door, FRESH, NotAVisit, UncheckedVisit, Visit, visit};

/// Checks `bundle`, and that its subject is about `payload` if that is given: for a picture with
/// embedded evidence, its bytes without the evidence (see [`crate::jpeg::extract`]).
#[must_use]
pub fn bundle(bundle: &Bundle, payload: Option<&[u8]>, trust: &TrustFile) -> Report {
    let anchors = match trust.anchors() {
        Ok(anchors) => anchors,
        Err(error) => return Report::unreadable("The trust file", &error),
    };
    let mut receipts = receipt::Receipts::new(bundle, trust, anchors);
    receipts.check_all();
    let conclusion = chain::check(&mut receipts, payload);
    Report::new(receipts.into_sections(), conclusion)
}

#[cfg(test)]
mod tests;
