//! What an attestation object says, part by part, and which step of its verification fails: for
//! people, and as JSON for programs.
//!
//! Nothing here decides anything: [`verify_registration`](crate::verify_registration) does. An
//! explanation goes as far as the object can be read, and says where that ends.

mod certificate;
mod data;

use serde::Serialize;

pub use self::certificate::{CertificateSummary, ExtensionSummary};
pub use self::data::{CredentialSummary, DataSummary, FlagSummary};
use crate::attestation::{self, AttestationObject, Context, Format, Statement, Verified};
use crate::cbor_map;
use crate::certificate::Certificate;
use crate::observer::{Observer, Outcome, Record, Step};
use crate::path;
use crate::policy::{AndroidKeyLists, RegistrationPolicy};
use crate::relying_party::UnixSeconds;
use crate::trust_anchor::TrustAnchors;
use hallway_ctap::authenticator_data::AuthenticatorData;
use hallway_ctap::cose::PublicKey;

/// What to explain an attestation object with.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// SHA-256 of the client data that the object came with; without it, no signature is checked.
    pub client_data_hash: Option<&'a [u8; 32]>,
    /// Who may vouch.
    pub anchors: &'a TrustAnchors,
    /// The time that certificates are judged by.
    pub now: UnixSeconds,
}

/// An attestation object, explained.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Explanation {
    /// The format's identifier, where the object can be read.
    pub format: Option<String>,
    /// The names of the statement's members, with the lengths of byte strings.
    pub statement: Vec<Member>,
    /// The authenticator data.
    pub authenticator_data: Option<DataSummary>,
    /// The certificates of the statement, leaf first.
    pub certificates: Vec<CertificateSummary>,
    /// Every step that was tried, in order.
    pub steps: Record,
    /// Whether the statement verifies and, where it has certificates, leads to an anchor.
    pub conclusion: Conclusion,
    /// The same in a sentence.
    pub summary: String,
}

/// A member of an attestation statement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// What it holds, in a few words.
    pub value: String,
}

/// How far an attestation object holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// The bytes cannot be read as an attestation object.
    Unreadable,
    /// There are no client data to check signatures with.
    NotChecked,
    /// The statement does not verify.
    Invalid,
    /// It verifies, and nobody vouches for the authenticator.
    NoCertificate,
    /// It verifies, and its certificates lead to no anchor.
    Untrusted,
    /// It verifies, and an anchor vouches for it.
    Trusted,
}

const OBJECT: Step = Step {
    number: "7.1.13",
    title: "The attestation object is well formed",
};
const FORMAT: Step = Step {
    number: "7.1.21",
    title: "The attestation format is known",
};
const STATEMENT: Step = Step {
    number: "7.1.22",
    title: "The attestation statement verifies",
};
const TRUST: Step = Step {
    number: "7.1.24",
    title: "The certificates lead to a trust anchor",
};

/// Explains an attestation object, of at most
/// [`MAX_ATTESTATION_OBJECT`](crate::MAX_ATTESTATION_OBJECT) bytes.
pub fn explain(object: &[u8], evidence: &Evidence<'_>) -> Explanation {
    let mut explanation = Explanation {
        format: None,
        statement: Vec::new(),
        authenticator_data: None,
        certificates: Vec::new(),
        steps: Record::default(),
        conclusion: Conclusion::Unreadable,
        summary: String::new(),
    };
    let result = explanation.read(object, evidence);
    (explanation.conclusion, explanation.summary) = match result {
        Ok((conclusion, summary)) | Err((conclusion, summary)) => (conclusion, summary),
    };
    explanation
}

type Told = (Conclusion, String);

impl Explanation {
    fn read(&mut self, bytes: &[u8], evidence: &Evidence<'_>) -> Result<Told, Told> {
        let unreadable =
            |error: &dyn std::fmt::Display| (Conclusion::Unreadable, error.to_string());
        let object = self.note(OBJECT, AttestationObject::parse(bytes), unreadable)?;
        self.format = Some(object.format.to_owned());
        self.statement = members(object.statement);
        self.certificates = certificate::summaries(object.statement, evidence.now);
        let data = AuthenticatorData::parse(object.authenticator_data);
        let data = self.note(OBJECT, data, unreadable)?;
        self.authenticator_data = Some(DataSummary::new(&data));
        let invalid = |error: &dyn std::fmt::Display| (Conclusion::Invalid, error.to_string());
        let credential = data
            .attested_credential
            .ok_or("the authenticator data hold no credential");
        let credential = self.note(OBJECT, credential, invalid)?;
        let key = PublicKey::decode(credential.public_key);
        let public_key = self.note(OBJECT, key, invalid)?;
        let format = Format::from_name(object.format).ok_or("the format is not known");
        let format = self.note(FORMAT, format, invalid)?;
        let Some(hash) = evidence.client_data_hash else {
            let why = "signatures cannot be checked without the client data";
            self.steps
                .step(STATEMENT, Outcome::Skipped, format_args!("{why}"));
            if let Ok(chain) = Statement(object.statement).certificates() {
                // What they lead to can be said all the same.
                self.judge_chain(&chain, evidence);
            }
            return Ok((Conclusion::NotChecked, why.to_owned()));
        };
        let policy = RegistrationPolicy {
            android_key: AndroidKeyLists::Either,
            ..RegistrationPolicy::default()
        };
        let context = Context {
            statement: Statement(object.statement),
            authenticator_data: object.authenticator_data,
            credential,
            public_key,
            client_data_hash: hash,
            policy: &policy,
        };
        let verified = attestation::verify(format, &context, &mut self.steps);
        let verified = self.note(STATEMENT, verified, invalid)?;
        Ok(self.judge(verified, evidence))
    }

    /// Records how a step ended, and turns a failure into the conclusion.
    fn note<T, E: std::fmt::Display>(
        &mut self,
        step: Step,
        result: Result<T, E>,
        tell: impl FnOnce(&dyn std::fmt::Display) -> Told,
    ) -> Result<T, Told> {
        match result {
            Ok(value) => {
                self.steps.step(step, Outcome::Held, format_args!(""));
                Ok(value)
            }
            Err(error) => {
                self.steps
                    .step(step, Outcome::Failed, format_args!("{error}"));
                Err(tell(&error))
            }
        }
    }

    /// Step 24, without a policy: what the certificates lead to.
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
            Verified::Certified { chain, .. } => self.judge_chain(&chain, evidence),
            Verified::CertifiedElsewhere { chain, .. } => {
                let chain: Vec<Certificate<'_>> = chain
                    .iter()
                    .filter_map(|der| Certificate::parse(der).ok())
                    .collect();
                self.judge_chain(&chain, evidence)
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

    fn judge_chain(&mut self, chain: &[Certificate<'_>], evidence: &Evidence<'_>) -> Told {
        match path::validate(chain, evidence.anchors, evidence.now) {
            Ok(anchor) => {
                let summary = format!("\"{}\" vouches for the authenticator", anchor.name());
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

/// The members of a statement; for a compound one, of each part.
fn members(statement: &[u8]) -> Vec<Member> {
    if let Some(parts) = cbor_map::array(statement) {
        return parts.take(8).flat_map(members).collect();
    }
    let Some(map) = cbor_map::CborMap::new(statement) else {
        return Vec::new();
    };
    map.entries()
        .take(32)
        .map(|(name, value)| Member {
            name: name.chars().take(64).collect(),
            value: described(value),
        })
        .collect()
}

fn described(value: &[u8]) -> String {
    if let Some(bytes) = cbor_map::bytes(value) {
        format!("{} bytes", bytes.len())
    } else if let Some(text) = cbor_map::text(value) {
        text.chars().take(200).collect()
    } else if let Some(number) = cbor_map::integer(value) {
        match hallway_ctap::cose::Algorithm::from_id(number) {
            Some(algorithm) => format!("{number} ({algorithm})"),
            None => number.to_string(),
        }
    } else if let Some(items) = cbor_map::array(value) {
        format!("{} items", items.count())
    } else {
        "a map or another value".to_owned()
    }
}
