//! What an attestation object says, part by part, and which step of its verification fails: for
//! people, and as JSON for programs.
//!
//! Nothing here decides anything: [`verify_registration`](crate::verify_registration) does. An
//! explanation goes as far as the object can be read, and says where that ends.

mod attestation;
mod authenticator_data;
mod certificate;
mod client_data;
mod device;
mod part;
mod signature;

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use hallway_ctap::authenticator_data::AuthenticatorData;
use serde::Serialize;

pub use self::attestation::{attestation, chain};
pub use self::authenticator_data::authenticator_data;
pub use self::certificate::certificate;
pub use self::client_data::{Challenge, client_data};
pub use self::device::{DeviceEvidence, explain_device};
pub use self::part::{Bit, Bytes, Field, Part};
pub use self::signature::signature;
use crate::assertion::{AssertionError, verify_assertion_observed};
use crate::attestation::{About, AttestationObject, Context, Format, Statement, Verified};
use crate::certificate::Certificate;
use crate::observer::{self, Observer, Outcome, Record, Step, part, step};
use crate::policy::{
    AndroidKeyLists, AssertionPolicy, CompoundStatements, Framing, UserPresence, UserVerification,
};
use crate::registration::{self, FORMAT, OBJECT, STATEMENT};
use crate::relying_party::{AssertionResponse, CredentialRecord, RelyingParty, UnixSeconds};
use crate::trust_anchor::TrustAnchors;
use crate::{ceremony, path};

/// What the caller knows about an attestation object.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The client data that the object came with.
    pub client_data: ClientDataGiven<'a>,
    /// What the relying party sent, and who it is; without it, only what the object proves by
    /// itself is explained.
    pub expected: Option<Expected<'a>>,
    /// Who may vouch for the authenticator.
    pub anchors: &'a TrustAnchors,
    /// The time that certificates are judged by.
    pub now: UnixSeconds,
}

/// What is known of the client data.
#[derive(Clone, Copy, Debug)]
pub enum ClientDataGiven<'a> {
    /// Nothing: no signature is checked.
    Nothing,
    /// Their SHA-256: signatures are checked.
    Hash(&'a [u8; 32]),
    /// All bytes, as they were hashed: the contents are checked too.
    Json(&'a [u8]),
}

/// A ceremony as the relying party began it.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The relying party that began it.
    pub rp: &'a RelyingParty,
    /// The challenge that was sent.
    pub challenge: &'a [u8],
    /// Whether it may run in frames of other sites.
    pub framing: &'a Framing,
}

impl<'a> Expected<'a> {
    const fn challenge(self) -> Challenge<'a> {
        Challenge {
            bytes: self.challenge,
            called: "the challenge that was sent",
        }
    }
}

/// An attestation object or an assertion, explained.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Explanation {
    /// The format's identifier, where the object can be read.
    pub format: Option<String>,
    /// What it is made of, as far as it can be read.
    pub parts: Vec<Part>,
    /// Every step that was tried, in order.
    pub steps: Record,
    /// Whether the statement verifies and, where it has certificates, leads to an anchor.
    pub conclusion: Conclusion,
    /// The conclusion in a sentence.
    pub summary: String,
}

/// The result of an explanation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// The bytes cannot be read as an attestation object.
    Unreadable,
    /// There are no client data to check signatures with.
    NotChecked,
    /// The statement does not verify.
    Invalid,
    /// The statement verifies, but nobody vouches for the authenticator.
    NoCertificate,
    /// The statement verifies, but its certificates lead to no anchor.
    Untrusted,
    /// The statement verifies, and an anchor vouches for the authenticator.
    Trusted,
    /// The assertion verifies.
    Verified,
}

const KEY: Step = step("7.1.20", "The public key is well formed");
const TRUST: Step = step("7.1.24", "The certificates lead to a trust anchor");

/// Explains an attestation object, of at most
/// [`MAX_ATTESTATION_OBJECT`](crate::MAX_ATTESTATION_OBJECT) bytes.
pub fn explain(object: &[u8], evidence: &Evidence<'_>) -> Explanation {
    let mut explanation = Explanation::empty();
    if let ClientDataGiven::Json(json) = evidence.client_data {
        let challenge = evidence.expected.map(Expected::challenge);
        explanation.parts.push(client_data(json, challenge));
    }
    let rp_id = evidence.expected.map(|expected| expected.rp.id.as_str());
    let parts = attestation(object, rp_id, evidence.now);
    explanation.parts.extend(parts);
    let client_data = explanation.read_client_data(evidence);
    let result = explanation.read(object, evidence);
    explanation.conclude(match (result, client_data) {
        (Ok(_), Err(problem)) => problem,
        (Ok(told) | Err(told), _) => told,
    });
    explanation
}

/// Explains an assertion: verifies it by `policy`, and records every step.
pub fn explain_assertion(
    response: &AssertionResponse<'_>,
    record: &CredentialRecord,
    expected: &Expected<'_>,
    policy: &AssertionPolicy,
) -> Explanation {
    let mut explanation = Explanation::empty();
    explanation.parts = vec![
        client_data(response.client_data_json, Some(expected.challenge())),
        authenticator_data(response.authenticator_data, Some(&expected.rp.id)),
        signature(response.signature),
    ];
    let policy = AssertionPolicy {
        framing: expected.framing.clone(),
        ..policy.clone()
    };
    let verified = verify_assertion_observed(
        expected.rp,
        expected.challenge,
        &policy,
        record,
        response,
        &mut explanation.steps,
    );
    explanation.conclude(match verified {
        Ok(_) => (
            Conclusion::Verified,
            "the credential's key signed the answer to this challenge".to_owned(),
        ),
        Err(AssertionError::AuthenticatorData(error)) => {
            (Conclusion::Unreadable, error.to_string())
        }
        Err(error) => (Conclusion::Invalid, error.to_string()),
    });
    explanation
}

type Told = (Conclusion, String);

fn invalid(error: &dyn fmt::Display) -> Told {
    (Conclusion::Invalid, error.to_string())
}

fn unreadable(error: &dyn fmt::Display) -> Told {
    (Conclusion::Unreadable, error.to_string())
}

impl Explanation {
    fn empty() -> Self {
        Self {
            format: None,
            parts: Vec::new(),
            steps: Record::default(),
            conclusion: Conclusion::Unreadable,
            summary: String::new(),
        }
    }

    fn conclude(&mut self, (conclusion, summary): Told) {
        self.conclusion = conclusion;
        self.summary = summary;
    }

    /// Steps 5 to 11, where there is something to compare with.
    fn read_client_data(&mut self, evidence: &Evidence<'_>) -> Result<(), Told> {
        let (ClientDataGiven::Json(json), Some(expected)) =
            (evidence.client_data, evidence.expected)
        else {
            return Ok(());
        };
        let steps = &registration::CLIENT_DATA;
        let Expected {
            rp,
            challenge,
            framing,
        } = expected;
        crate::client_data::verify(rp, challenge, framing, json, steps, &mut self.steps)
            .map_err(|error| invalid(&error))
    }

    fn read(&mut self, bytes: &[u8], evidence: &Evidence<'_>) -> Result<Told, Told> {
        let object = AttestationObject::parse(bytes);
        let object = part(&mut self.steps, OBJECT, object).map_err(|error| unreadable(&error))?;
        self.format = Some(object.format.to_owned());
        let data = AuthenticatorData::parse(object.authenticator_data);
        let data = part(&mut self.steps, OBJECT, data).map_err(|error| unreadable(&error))?;
        let credential = data
            .attested_credential
            .ok_or("the authenticator data hold no credential");
        let length = format!("{} bytes", bytes.len());
        let credential = self.note(OBJECT, credential, &length)?;
        if let Some(expected) = evidence.expected {
            let (hash, steps) = (data.rp_id_hash, &registration::STEPS);
            ceremony::verify_rp_id(expected.rp, None, hash, steps, &mut self.steps)
                .map_err(|error| invalid(&error))?;
        }
        ceremony::verify_flags(
            data.flags,
            UserPresence::NotRequired,
            UserVerification::NotRequired,
            &registration::STEPS,
            &mut self.steps,
        )
        .map_err(|error| invalid(&error))?;
        let public_key = registration::well_formed(credential.public_key);
        let public_key = part(&mut self.steps, KEY, public_key).map_err(|error| invalid(&error))?;
        let algorithm = public_key.algorithm();
        self.steps
            .step(KEY, Outcome::Held, format_args!("{algorithm}"));
        let format = Format::from_name(object.format).ok_or("the format is not known");
        let format = self.note(FORMAT, format, object.format)?;
        let hash = match evidence.client_data {
            ClientDataGiven::Nothing => return Ok(self.unchecked(&object, evidence)),
            ClientDataGiven::Hash(hash) => *hash,
            ClientDataGiven::Json(json) => sha256(json),
        };
        let context = Context {
            statement: Statement(object.statement),
            about: About::Credential {
                authenticator_data: object.authenticator_data,
                client_data_hash: &hash,
                credential,
                public_key,
            },
            android_key: AndroidKeyLists::Either,
            compound: CompoundStatements::All,
        };
        let verified = crate::attestation::verify(format, &context, &mut self.steps);
        let verified = self.note(STATEMENT, verified, "by the format's procedure")?;
        Ok(self.judge(verified, evidence))
    }

    /// Without client data: still says whether the certificates lead to an anchor.
    fn unchecked(&mut self, object: &AttestationObject<'_>, evidence: &Evidence<'_>) -> Told {
        let why = "signatures cannot be checked without the client data";
        self.steps
            .step(STATEMENT, Outcome::Skipped, format_args!("{why}"));
        if let Ok(chain) = Statement(object.statement).certificates() {
            self.judge_chain(&chain, evidence.anchors, evidence.now);
        }
        (Conclusion::NotChecked, why.to_owned())
    }

    /// Records how a step ended, and turns a failure into the conclusion.
    fn note<T, E: fmt::Display>(
        &mut self,
        step: Step,
        result: Result<T, E>,
        detail: &str,
    ) -> Result<T, Told> {
        observer::conclude(&mut self.steps, step, result, format_args!("{detail}"))
            .map_err(|error| invalid(&error))
    }

    /// Step 24, without a policy: whether the certificates lead to an anchor.
    fn judge(&mut self, verified: Verified<'_>, evidence: &Evidence<'_>) -> Told {
        match verified {
            Verified::None => (
                Conclusion::NoCertificate,
                "the object says nothing about the authenticator".to_owned(),
            ),
            Verified::SelfSigned => (
                Conclusion::NoCertificate,
                "the credential's own key signed it: that proves possession, no more".to_owned(),
            ),
            Verified::Certified { chain, .. } => {
                self.judge_chain(&chain, evidence.anchors, evidence.now)
            }
            Verified::CertifiedElsewhere { chain, .. } => {
                let chain: Vec<Certificate<'_>> = chain
                    .iter()
                    .filter_map(|der| Certificate::parse(der).ok())
                    .collect();
                self.judge_chain(&chain, evidence.anchors, evidence.now)
            }
            Verified::Compound(parts) => {
                let told = parts
                    .into_iter()
                    .map(|(_, part)| self.judge(part, evidence));
                told.collect::<Vec<_>>()
                    .into_iter()
                    .max_by_key(|(conclusion, _)| *conclusion as u8)
                    .unwrap_or((Conclusion::Invalid, "no statement verifies".to_owned()))
            }
        }
    }

    fn judge_chain(
        &mut self,
        chain: &[Certificate<'_>],
        anchors: &TrustAnchors,
        now: UnixSeconds,
    ) -> Told {
        match path::validate(chain, anchors, now) {
            Ok(found) => {
                let name = found.anchor.name();
                let summary = format!("\"{name}\" vouches for the authenticator");
                self.steps
                    .step(TRUST, Outcome::Held, format_args!("{summary}"));
                (Conclusion::Trusted, summary)
            }
            Err(problem) => {
                self.steps
                    .step(TRUST, Outcome::Failed, format_args!("{problem}"));
                (Conclusion::Untrusted, problem.to_string())
            }
        }
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}
