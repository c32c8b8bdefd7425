//! Judging an attestation that verified (WebAuthn Level 3, 7.1, steps 23 and 24).

use super::{RegistrationError, step};
use crate::attestation::{
    AnchorFound, Attestation, AttestationKind, Certified, Details, Format, Verified,
};
use crate::certificate::{Certificate, CertificateError};
use crate::observer::{Observer, Outcome, Step, check};
use crate::path;
use crate::policy::{RegistrationPolicy, RequiredTrust};
use crate::relying_party::UnixSeconds;

const ANCHORS: Step = step("7.1.23", "Trust anchors are at hand");
const TRUST: Step = step("7.1.24", "The attestation is trustworthy");

/// Steps 23 and 24. Of a compound attestation, the first part that satisfies the policy counts.
pub(super) fn assess<O: Observer>(
    policy: &RegistrationPolicy,
    now: UnixSeconds,
    format: Format,
    verified: Verified<'_>,
    observer: &mut O,
) -> Result<Attestation, RegistrationError> {
    observer.step(
        ANCHORS,
        Outcome::Held,
        format_args!("{} in the policy", policy.anchors.iter().count()),
    );
    let Verified::Compound(parts) = verified else {
        let kind = assess_one(policy, now, verified, observer)?;
        let parts = Vec::new();
        return Ok(Attestation {
            format,
            parts,
            kind,
        });
    };
    let formats = parts.iter().map(|(format, _)| *format).collect();
    let mut problem = None;
    for (format, part) in parts {
        match assess_one(policy, now, part, observer) {
            Ok(kind) => {
                return Ok(Attestation {
                    format,
                    parts: formats,
                    kind,
                });
            }
            Err(error) => problem = Some(error),
        }
    }
    Err(problem.unwrap_or(RegistrationError::Trust {
        required: policy.trust,
        given: "an empty compound attestation",
    }))
}

fn assess_one<O: Observer>(
    policy: &RegistrationPolicy,
    now: UnixSeconds,
    verified: Verified<'_>,
    observer: &mut O,
) -> Result<AttestationKind, RegistrationError> {
    let required = policy.trust;
    let mut at_least = |trust: RequiredTrust, given| {
        check(
            observer,
            TRUST,
            required <= trust,
            format_args!("{given}; policy: {required:?}"),
            || RegistrationError::Trust { required, given },
        )
    };
    match verified {
        Verified::None => {
            at_least(RequiredTrust::Any, "none")?;
            Ok(AttestationKind::None)
        }
        Verified::SelfSigned => {
            at_least(RequiredTrust::SelfSigned, "a self attestation")?;
            Ok(AttestationKind::SelfSigned)
        }
        // Compound statements do not nest; see the format.
        Verified::Compound(_) => {
            at_least(RequiredTrust::Any, "a compound attestation")?;
            Ok(AttestationKind::None)
        }
        Verified::Certified { chain, details } => {
            assess_chain(policy, now, &chain, details, observer)
        }
        Verified::CertifiedElsewhere { chain, details } => {
            let chain: Result<Vec<_>, CertificateError> =
                chain.iter().map(|der| Certificate::parse(der)).collect();
            let chain = chain.map_err(RegistrationError::Untrusted)?;
            assess_chain(policy, now, &chain, details, observer)
        }
    }
}

fn assess_chain<O: Observer>(
    policy: &RegistrationPolicy,
    now: UnixSeconds,
    chain: &[Certificate<'_>],
    details: Details,
    observer: &mut O,
) -> Result<AttestationKind, RegistrationError> {
    let required = policy.trust;
    let anchor = match path::validate(chain, &policy.anchors, now) {
        Ok(anchor) => {
            observer.step(
                TRUST,
                Outcome::Held,
                format_args!("the chain leads to the anchor \"{}\"", anchor.name()),
            );
            Some(AnchorFound {
                name: anchor.name().to_owned(),
                certificate: anchor.certificate().to_vec(),
            })
        }
        Err(problem) if required <= RequiredTrust::SelfSigned => {
            observer.step(
                TRUST,
                Outcome::Skipped,
                format_args!("{problem}; policy: {required:?}"),
            );
            None
        }
        Err(problem) => {
            observer.step(TRUST, Outcome::Failed, format_args!("{problem}"));
            return Err(RegistrationError::Untrusted(problem));
        }
    };
    let certified = Certified::new(chain, anchor, details);
    if required == RequiredTrust::UniqueDevice {
        check(
            observer,
            TRUST,
            certified.serial_number.is_some(),
            format_args!("serial number {:?}", certified.serial_number),
            || RegistrationError::NoSerialNumber(certified.subject.clone()),
        )?;
    }
    Ok(AttestationKind::Certified(Box::new(certified)))
}
