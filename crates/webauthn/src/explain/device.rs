//! What an answer to ACME's `device-attest-01` says, and which step of its verification fails.

use super::{Conclusion, Explanation, Field, Part, Told, attestation, invalid, unreadable};
use crate::attestation::Statement;
use crate::certificate::CertificateError;
use crate::device_attestation::{
    Binding, DeviceAttestation, DeviceAttestationError, DeviceChallenge, identifiers, parse,
    verify_device_attestation_observed,
};
use crate::observer::{Observer, Outcome, Step, step};
use crate::relying_party::UnixSeconds;
use crate::trust_anchor::TrustAnchors;

/// What the caller knows about a device's answer.
#[derive(Clone, Copy, Debug)]
pub struct DeviceEvidence<'a> {
    /// The challenge that was sent; without it, no signature is checked.
    pub challenge: Option<DeviceChallenge<'a>>,
    /// Who may vouch for the device.
    pub anchors: &'a TrustAnchors,
    /// The time that certificates are judged by.
    pub now: UnixSeconds,
}

const STATEMENT: Step = step(
    "device-attest-01/2",
    "The attestation answers this challenge",
);

/// Explains the attestation object that answers a `device-attest-01` challenge.
pub fn explain_device(object: &[u8], evidence: &DeviceEvidence<'_>) -> Explanation {
    let mut explanation = Explanation::empty();
    explanation.parts = attestation(object, None, evidence.now);
    let told = explanation.read_device(object, evidence);
    explanation.conclude(told);
    explanation
}

impl Explanation {
    fn read_device(&mut self, object: &[u8], evidence: &DeviceEvidence<'_>) -> Told {
        let (format, statement) = match parse(object) {
            Ok(parts) => parts,
            Err(problem) => {
                self.steps.step(
                    crate::device_attestation::OBJECT,
                    Outcome::Failed,
                    format_args!("{problem}"),
                );
                return unreadable(&problem);
            }
        };
        self.format = Some(format.to_owned());
        self.parts.extend(named(statement));
        let Some(challenge) = &evidence.challenge else {
            return self.without_challenge(statement, evidence);
        };
        let DeviceEvidence { anchors, now, .. } = *evidence;
        match verify_device_attestation_observed(object, challenge, anchors, now, &mut self.steps) {
            Ok(proved) => (Conclusion::Trusted, sentence(&proved)),
            Err(DeviceAttestationError::Untrusted(problem)) => untrusted(&problem),
            Err(problem) => invalid(&problem),
        }
    }

    fn without_challenge(
        &mut self,
        statement: Statement<'_>,
        evidence: &DeviceEvidence<'_>,
    ) -> Told {
        let why = "signatures cannot be checked without the key authorization";
        self.steps
            .step(STATEMENT, Outcome::Skipped, format_args!("{why}"));
        if let Ok(chain) = statement.certificates() {
            self.judge_chain(&chain, evidence.anchors, evidence.now);
        }
        (Conclusion::NotChecked, why.to_owned())
    }
}

fn untrusted(problem: &CertificateError) -> Told {
    (Conclusion::Untrusted, problem.to_string())
}

/// The device's names, as they stand in an ACME order.
fn named(statement: Statement<'_>) -> Option<Part> {
    let chain = statement.certificates().ok()?;
    let leaf = chain.first()?;
    let found = identifiers(leaf);
    let names = found.iter().map(|identifier| {
        Field::new(
            0,
            &[],
            "Identifier",
            "A name of the device in an ACME order.",
        )
        .with_value(identifier.to_string())
    });
    Some(Part {
        id: "device",
        title: "Device".to_owned(),
        lead: match found.is_empty() {
            true => "The certificate names none.".to_owned(),
            false => "What the certificate calls it.".to_owned(),
        },
        length: leaf.der().len(),
        fields: names.collect(),
    })
}

fn sentence(proved: &DeviceAttestation) -> String {
    let names: Vec<String> = proved.identifiers.iter().map(ToString::to_string).collect();
    let key = match proved.key {
        Some(_) => " and the key that it attests",
        None => "",
    };
    let bound = match proved.binding {
        Binding::KeyAuthorization => "the challenge and the account",
        Binding::Token => "the challenge",
    };
    format!(
        "\"{}\" vouches for the device {}{key}; the answer is bound to {bound}",
        proved.anchor.name,
        names.join(", ")
    )
}
