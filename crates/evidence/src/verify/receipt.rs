//! Each receipt by itself: its statement, its place in the log, its WebAuthn response.

use hallway_webauthn::{
    AssertionPolicy, AssertionResponse, Record, Registration, RegistrationPolicy,
    RegistrationResponse, RelyingParty, TrustAnchors, UnixSeconds, verify_assertion_observed,
    verify_registration_observed,
};

use super::report::Section;
use super::witness;
use crate::bundle::Bundle;
use crate::log::{Cosigned, TlogProofError};
use crate::receipt::Receipt;
use crate::signed_statement::Response;
use crate::statement::{Act, Signer, Statement};
use crate::trust::TrustFile;

/// The receipts of a bundle, each with what is known about it.
pub(super) struct Receipts<'a> {
    pub(super) trust: &'a TrustFile,
    rp: RelyingParty,
    anchors: TrustAnchors,
    pub(super) all: Vec<Checked<'a>>,
}

/// A receipt and what was found out about it.
pub(super) struct Checked<'a> {
    pub(super) receipt: &'a Receipt,
    pub(super) section: Section,
    /// The statement, if it can be read and is for this realm.
    pub(super) statement: Option<Statement>,
    /// The proved index in the log.
    pub(super) log_index: Option<u64>,
    /// Who cosigned the checkpoint that proves it.
    pub(super) cosigned: Vec<Cosigned>,
    /// The credential that was registered, if the response is a registration that holds.
    pub(super) registration: Option<Registration>,
    /// The place in the bundle of the receipt that registered the credential that signed, if the
    /// response is an assertion that holds.
    pub(super) signer: Option<usize>,
}

impl<'a> Receipts<'a> {
    pub(super) fn new(bundle: &'a Bundle, trust: &'a TrustFile, anchors: TrustAnchors) -> Self {
        let all = (1..)
            .zip(bundle.receipts())
            .map(|(number, receipt)| Checked {
                receipt,
                section: Section::new(&format!("Receipt {number}")),
                statement: None,
                log_index: None,
                cosigned: Vec::new(),
                registration: None,
                signer: None,
            })
            .collect();
        Self {
            trust,
            rp: trust.relying_party(),
            anchors,
            all,
        }
    }

    /// Checks every receipt, registrations before the assertions that need them.
    pub(super) fn check_all(&mut self) {
        for (number, checked) in (1..).zip(&mut self.all) {
            checked.read_statement(number, self.trust);
            checked.check_log(self.trust);
            checked.check_registration(&self.rp, &self.anchors);
        }
        for at in 0..self.all.len() {
            self.check_assertion(at);
        }
    }

    /// The sections in the bundle's order.
    pub(super) fn into_sections(self) -> Vec<Section> {
        self.all
            .into_iter()
            .map(|checked| checked.section)
            .collect()
    }

    /// The statement of a receipt.
    pub(super) fn act(&self, at: usize) -> Option<&Act> {
        self.all
            .get(at)
            .and_then(|checked| checked.statement.as_ref())
            .map(|statement| &statement.act)
    }

    /// Checks an assertion against the registration of its credential, which the bundle must hold.
    fn check_assertion(&mut self, at: usize) {
        let Some(checked) = self.all.get(at) else {
            return;
        };
        let signed = &checked.receipt.evidence.signed;
        let Response::Assertion {
            client_data_json,
            authenticator_data,
            signature,
        } = &signed.response
        else {
            return;
        };
        // The latest registration before it, if there are several: the bundle has the latest entry
        // of the log first.
        let earlier = self.all.iter().enumerate().skip(at + 1);
        let signer = earlier
            .map(|(at, other)| (at, &other.registration))
            .find_map(|(at, made)| {
                let made = made.as_ref()?;
                (made.credential.id == signed.credential_id.as_bytes()).then_some(at)
            });
        let mut record = Record::default();
        let mut holds = false;
        if let Some(registration) = signer
            .and_then(|signer| self.all.get(signer))
            .and_then(|signer| signer.registration.as_ref())
        {
            let response = AssertionResponse {
                credential_id: signed.credential_id.as_bytes(),
                client_data_json,
                authenticator_data,
                signature,
                user_handle: None,
            };
            holds = verify_assertion_observed(
                &self.rp,
                &signed.challenge(),
                &assertion_policy(checked.statement.as_ref()),
                &registration.credential,
                &response,
                &mut record,
            )
            .is_ok();
        }
        let Some(checked) = self.all.get_mut(at) else {
            return;
        };
        checked.section.check(
            "key.1",
            "The registration of the key that signed is in the bundle and holds",
            signer.ok_or_else(|| {
                format!(
                    "no registration of the credential {} that holds is in the bundle",
                    signed.credential_id
                )
            }),
            signer.map_or_else(String::new, |signer| format!("receipt {}", signer + 1)),
        );
        checked.section.extend(record.0);
        checked.signer = signer.filter(|_| holds);
    }
}

/// Devices sign with nobody present; a person has to be present and verified.
fn assertion_policy(statement: Option<&Statement>) -> AssertionPolicy {
    match statement.map(|statement| &statement.act) {
        Some(act) if act.declared().signer == Signer::Device => {
            AssertionPolicy::unattended_device()
        }
        _ => AssertionPolicy::default(),
    }
}

impl Checked<'_> {
    fn read_statement(&mut self, number: usize, trust: &TrustFile) {
        let signed = &self.receipt.evidence.signed;
        let read = self.section.check(
            "statement.1",
            "The statement can be read",
            signed.read_statement(),
            format_args!("{} bytes", signed.statement.len()),
        );
        let Some(statement) = read else { return };
        self.section.title = format!("Receipt {number}: {}", title(&statement.act));
        self.section.sentence = Some(statement.sentence());
        let realm = if statement.realm == trust.realm {
            Ok(())
        } else {
            Err(format!(
                "it is for the realm {}, the trust file for {}",
                statement.realm, trust.realm
            ))
        };
        let expected = match statement.act.declared().signer {
            Signer::NewKey => "a registration",
            Signer::Device | Signer::Person(_) => "an assertion",
        };
        let got = match signed.response {
            Response::Registration { .. } => "a registration",
            Response::Assertion { .. } => "an assertion",
        };
        let kind = if expected == got {
            Ok(())
        } else {
            Err(format!("it needs {expected}, not {got}"))
        };
        let fits = [
            self.section
                .check("statement.2", "It is for this realm", realm, &trust.realm),
            self.section.check(
                "statement.3",
                "The response is of the kind that the statement needs",
                kind,
                got,
            ),
        ];
        if fits.iter().all(Option::is_some) {
            self.statement = Some(statement);
        }
    }

    fn check_log(&mut self, trust: &TrustFile) {
        let proof = &self.receipt.proof;
        let checkpoint = "The checkpoint is signed by the realm's log";
        let inclusion = "The log holds this evidence";
        match proof.verify(&self.receipt.evidence.hash(), &trust.log) {
            Ok(head) => {
                let index = proof.index();
                self.section
                    .check("log.1", checkpoint, Ok::<_, String>(()), trust.log.name());
                self.section.check(
                    "log.2",
                    inclusion,
                    Ok::<_, String>(()),
                    format_args!("entry {index} of {}", head.size),
                );
                self.section.log_index = Some(index);
                self.log_index = Some(index);
                self.cosigned = witness::check(&mut self.section, proof.checkpoint(), trust);
            }
            Err(error @ TlogProofError::Inclusion(_)) => {
                self.section
                    .check("log.1", checkpoint, Ok::<_, String>(()), trust.log.name());
                let why = format!("this evidence or its proof was changed: {error}");
                self.section
                    .check("log.2", inclusion, Err::<(), _>(why), "");
            }
            Err(error) => {
                self.section
                    .check("log.1", checkpoint, Err::<(), _>(error), "");
            }
        }
    }

    fn check_registration(&mut self, rp: &RelyingParty, anchors: &TrustAnchors) {
        let evidence = &self.receipt.evidence;
        let Response::Registration {
            client_data_json,
            attestation_object,
        } = &evidence.signed.response
        else {
            return;
        };
        let policy = match self.statement.as_ref().map(|statement| &statement.act) {
            Some(Act::DeviceEnrol(_)) => RegistrationPolicy::device(anchors.clone()),
            _ => RegistrationPolicy::person(),
        };
        let mut record = Record::default();
        // Certificates are judged at the time at which the gateway judged them.
        let now = UnixSeconds::from_ms(evidence.accepted.as_ms());
        let response = RegistrationResponse {
            credential_id: Some(evidence.signed.credential_id.as_bytes()),
            ..RegistrationResponse::new(client_data_json, attestation_object)
        };
        self.registration = verify_registration_observed(
            rp,
            &evidence.signed.challenge(),
            &policy,
            now,
            &response,
            &mut record,
        )
        .ok();
        self.section.extend(record.0);
    }
}

/// What a receipt is, for its section's title.
fn title(act: &Act) -> String {
    match act {
        Act::DeviceTransaction(_) => "what the device signed".to_owned(),
        Act::DeviceEnrol(_) => "the device's enrolment".to_owned(),
        Act::DeviceClaim(_) => "the device's owner takes it".to_owned(),
        Act::WebRegisterKey(_) => "the registration of a person's key".to_owned(),
        Act::HallOpen(_) => "a person opens a hall".to_owned(),
        other => other.name().to_owned(),
    }
}
