//! Judging a verified attestation (WebAuthn Level 3, 7.1, steps 23 and 24).

use hallway_ctap::aaguid::Aaguid;

use super::{RegistrationError, step};
use crate::attestation::{
    AnchorFound, Attestation, AttestationKind, Certified, Details, Format, Verified,
};
use crate::certificate::{Certificate, CertificateError};
use crate::model_policy::{Proof, Standing};
use crate::observer::{Observer, Outcome, Step, check, conclude};
use crate::path;
use crate::policy::{RegistrationPolicy, RequiredTrust};
use crate::relying_party::UnixSeconds;

const ANCHORS: Step = step("7.1.23", "Trust anchors are at hand");
const TRUST: Step = step("7.1.24", "The attestation is trustworthy");
const MODEL: Step = step("7.1.24", "The authenticator's model is acceptable");

/// An attestation that satisfies the policy, and the model that was judged.
pub(super) struct Assessed {
    pub(super) attestation: Attestation,
    pub(super) aaguid: Aaguid,
}

/// Steps 23 and 24. Of a compound attestation, the first part that satisfies the policy counts.
pub(super) fn assess<O: Observer>(
    policy: &RegistrationPolicy,
    now: UnixSeconds,
    aaguid: Aaguid,
    format: Format,
    verified: Verified<'_>,
    observer: &mut O,
) -> Result<Assessed, RegistrationError> {
    let judge = |format| Judge {
        policy,
        now,
        aaguid: signed_model(format, aaguid),
    };
    let Verified::Compound(parts) = verified else {
        let judge = judge(format);
        return Ok(Assessed {
            aaguid: judge.aaguid,
            attestation: Attestation {
                format,
                parts: Vec::new(),
                kind: judge.part(verified, observer)?,
            },
        });
    };
    let formats = parts.iter().map(|(format, _)| *format).collect();
    let mut problem = None;
    for (format, part) in parts {
        let judge = judge(format);
        match judge.part(part, observer) {
            Ok(kind) => {
                return Ok(Assessed {
                    aaguid: judge.aaguid,
                    attestation: Attestation {
                        format,
                        parts: formats,
                        kind,
                    },
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

/// The model that an attestation in this format speaks of. A U2F registration signs no AAGUID (8.6,
/// step 5), so whoever passes it on could write any into the authenticator data; its model is
/// known by the certificate's key alone.
const fn signed_model(format: Format, aaguid: Aaguid) -> Aaguid {
    match format {
        Format::FidoU2f => Aaguid::ZERO,
        _ => aaguid,
    }
}

struct Judge<'p> {
    policy: &'p RegistrationPolicy,
    now: UnixSeconds,
    aaguid: Aaguid,
}

impl Judge<'_> {
    fn part<O: Observer>(
        &self,
        verified: Verified<'_>,
        observer: &mut O,
    ) -> Result<AttestationKind, RegistrationError> {
        match verified {
            Verified::None => {
                self.claimed(RequiredTrust::Any, "no attestation", observer)?;
                Ok(AttestationKind::None)
            }
            Verified::SelfSigned => {
                let given = "a self attestation";
                self.claimed(RequiredTrust::SelfSigned, given, observer)?;
                Ok(AttestationKind::SelfSigned)
            }
            // Compound statements do not nest: their format refuses it.
            Verified::Compound(_) => Err(RegistrationError::Trust {
                required: self.policy.trust,
                given: "a compound attestation inside another",
            }),
            Verified::Certified { chain, details } => self.chain(&chain, details, observer),
            Verified::CertifiedElsewhere { chain, details } => {
                let chain: Result<Vec<_>, CertificateError> =
                    chain.iter().map(|der| Certificate::parse(der)).collect();
                let chain = chain.map_err(RegistrationError::Untrusted)?;
                self.chain(&chain, details, observer)
            }
        }
    }

    /// An attestation without certificates.
    fn claimed<O: Observer>(
        &self,
        trust: RequiredTrust,
        given: &'static str,
        observer: &mut O,
    ) -> Result<(), RegistrationError> {
        let required = self.policy.trust;
        check(
            observer,
            TRUST,
            required <= trust,
            format_args!("{given}; the policy asks for {required}"),
            || RegistrationError::Trust { required, given },
        )?;
        let proof = Proof {
            aaguid: self.aaguid,
            chain: &[],
            standing: Standing::Claimed,
            serial_number: None,
        };
        self.model(&proof, observer)
    }

    /// An attestation with certificates, leaf first.
    fn chain<O: Observer>(
        &self,
        chain: &[Certificate<'_>],
        details: Details,
        observer: &mut O,
    ) -> Result<AttestationKind, RegistrationError> {
        let required = self.policy.trust;
        let anchor = match self.find_anchor(chain, observer) {
            Ok(found) => {
                observer.step(
                    TRUST,
                    Outcome::Held,
                    format_args!("the chain leads to the anchor \"{}\"", found.anchor.name()),
                );
                Some(AnchorFound::from(found))
            }
            Err(problem) if required <= RequiredTrust::SelfSigned => {
                observer.step(
                    TRUST,
                    Outcome::Skipped,
                    format_args!("{problem}; the policy asks for {required}"),
                );
                None
            }
            Err(problem) => {
                observer.step(TRUST, Outcome::Failed, format_args!("{problem}"));
                return Err(RegistrationError::Untrusted(problem));
            }
        };
        let standing = match anchor {
            Some(_) => Standing::Anchored,
            None => Standing::Claimed,
        };
        let certified = Certified::new(chain, anchor, details);
        if required == RequiredTrust::UniqueDevice {
            check(
                observer,
                TRUST,
                certified.serial_number.is_some(),
                format_args!(
                    "the device's serial number is {}",
                    certified.serial_number.as_deref().unwrap_or("missing")
                ),
                || RegistrationError::NoSerialNumber(certified.subject.clone()),
            )?;
        }
        let proof = Proof {
            aaguid: self.aaguid,
            chain,
            standing,
            serial_number: certified.serial_number.as_deref(),
        };
        self.model(&proof, observer)?;
        Ok(AttestationKind::Certified(Box::new(certified)))
    }

    /// Step 23: the policy's anchors, and those that the metadata name for this model.
    fn find_anchor<O: Observer>(
        &self,
        chain: &[Certificate<'_>],
        observer: &mut O,
    ) -> Result<path::Anchored<'_>, CertificateError> {
        let own = &self.policy.anchors;
        let models = self.policy.models.model(self.aaguid, chain);
        observer.step(
            ANCHORS,
            Outcome::Held,
            format_args!(
                "{} in the policy, {} in the metadata of \"{}\"",
                own.iter().count(),
                models.map_or(0, |model| model.anchors.iter().count()),
                models.map_or("an unknown model", |model| &model.description),
            ),
        );
        let found = path::validate(chain, own, self.now);
        match (found, models) {
            (Err(problem), Some(model)) => match path::validate(chain, &model.anchors, self.now) {
                // A fault of the chain itself says more than that no anchor fits.
                Err(CertificateError::NotAnchored(_)) => Err(problem),
                found => found,
            },
            (found, _) => found,
        }
    }

    fn model<O: Observer>(
        &self,
        proof: &Proof<'_>,
        observer: &mut O,
    ) -> Result<(), RegistrationError> {
        let judged = self.policy.models.judge(proof, self.now);
        conclude(
            observer,
            MODEL,
            judged,
            format_args!("{}, {}", self.aaguid, proof.standing),
        )?;
        Ok(())
    }
}
