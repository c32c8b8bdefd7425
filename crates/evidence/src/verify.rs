//! Verifying evidence offline, with nothing but a trust file.
//!
//! [`bundle`] checks every receipt of a bundle by itself (its place in the log, its WebAuthn
//! response) and then how they fit together: that a transaction was signed by the credential that
//! the device's own attestation certificate vouches for, that a person of the realm took that very
//! device, and who allowed that person's key, down to the set-up of the realm. The [`Report`] holds
//! every step and its outcome, and says what follows in plain English, or exactly what is wrong or
//! missing.
//!
//! # One encoding
//!
//! A bundle is accepted in one form only: the same receipts have one encoding ([`Bundle`]), the
//! subject rests on all of them, a checkpoint carries no signature but the log's and those of
//! witnesses that the trust file names, of each one at most, in one order, and a file carries
//! the bundle in one way ([`crate::embedding`]). What is inside the evidence (ECDSA signatures have
//! two forms, client data could be written otherwise) is covered by the hash in the log: of all
//! forms that would verify, the log holds the one that was accepted.
//!
//! So somebody who has neither the log's key nor a witness's can't make a second picture out of a
//! verified one, but only choose among what those keys signed: another checkpoint of the same log
//! that holds the entries, with its proof, and more or fewer of the cosignatures that witnesses
//! gave to a checkpoint.
//!
//! A report shows that this key signed these bytes, never that a scene is real; and what became of
//! a device later is not in the bundle.

mod ancestry;
mod chain;
mod entitlement;
mod hall;
mod receipt;
mod report;
mod visit;
mod witness;

use crate::bundle::Bundle;
use crate::explain;
use crate::trust::TrustFile;

pub use ancestry::Chain;
pub use entitlement::least_role;
pub use report::{ChainStep, Conclusion, Failure, Happened, Report, Section, TransactionFacts};
pub use visit::{CLOCKS_APART, Door, FRESH, NotAVisit, UncheckedVisit, Visit, visit};

/// Checks `bundle`, and that its subject is about `payload` if that is given: for a picture with
/// embedded evidence, its bytes without the evidence (see [`crate::embedding::extract`]). `chain`
/// says how far a person's key has to be followed back.
#[must_use]
pub fn bundle(bundle: &Bundle, payload: Option<&[u8]>, trust: &TrustFile, chain: Chain) -> Report {
    let anchors = match trust.anchors() {
        Ok(anchors) => anchors,
        Err(error) => return Report::unreadable("The trust file", &error),
    };
    let mut receipts = receipt::Receipts::new(bundle, trust, anchors);
    receipts.check_all();
    let fit = chain::check(&receipts, payload, chain);
    let mut sections = receipts.into_sections();
    sections.extend(fit.sections);
    Report {
        parts: explain::bundle(bundle, &trust.rp_id),
        ..Report::new(sections, fit.conclusion, fit.missing)
    }
}

#[cfg(test)]
mod tests;
