//! How the receipts of a bundle fit together.

use hallway_webauthn::{AttestationKind, Registration};

use super::hall;
use super::receipt::Receipts;
use super::report::{Conclusion, Section, TransactionFacts};
use super::witness;
use crate::credential_id::CredentialId;
use crate::id::PersonId;
use crate::line::Line;
use crate::statement::device::{Claim, Transaction};
use crate::statement::web::RegisterKey;
use crate::statement::{Act, Device, Hall, Web};

/// Checks that the subject follows from the other receipts. Gives what follows; the caller drops
/// it when any step failed.
pub(super) fn check(receipts: &mut Receipts<'_>, payload: Option<&[u8]>) -> Option<Conclusion> {
    let mut section = core::mem::replace(&mut receipts.together, Section::new(""));
    let conclusion = match receipts.act(0).cloned() {
        Some(Act::Device(Device::Transaction(transaction))) => {
            check_transaction(receipts, &mut section, &transaction, payload)
        }
        Some(act) => check_other(receipts, &mut section, &act, payload),
        None => {
            section.check(
                "chain.1",
                "The bundle has a subject",
                Err::<(), _>("the first receipt's statement is not acceptable"),
                "",
            );
            None
        }
    };
    receipts.together = section;
    conclusion
}

/// A statement of a person, or of a device about itself: who signed it?
fn check_other(
    receipts: &Receipts<'_>,
    section: &mut Section,
    act: &Act,
    payload: Option<&[u8]>,
) -> Option<Conclusion> {
    if payload.is_some() {
        section.check(
            "chain.1",
            "The bytes are those that were signed",
            Err::<(), _>(format!(
                "the evidence is of {}, not about bytes",
                act.name()
            )),
            "",
        );
        return None;
    }
    let subject = receipts.all.first()?;
    let by = if subject.registration.is_some() {
        0
    } else {
        subject.signer?
    };
    let signer = match receipts.act(by)? {
        Act::Web(Web::RegisterKey(key)) => Ok(format!("{} ({})", key.name, key.role)),
        Act::Device(Device::Enrol) => Ok(
            match certified(receipts.all.get(by)?.registration.as_ref()?) {
                Some((serial, authority)) => {
                    format!("the device “{serial}”, attested by {authority}")
                }
                None => "a device".to_owned(),
            },
        ),
        other => Err(format!("{} does not register a key", other.name())),
    };
    let signer = section.check(
        "chain.2",
        "The key's registration says whose it is",
        signer,
        "",
    )?;
    let statement = subject.statement.as_ref()?;
    let mut sentences = vec![
        format!("Signed by {signer}: {}", statement.sentence()),
        accepted_and_logged(receipts)?,
    ];
    if let Act::Hall(Hall::Open(open)) = act {
        sentences.push(hall::check_opening(receipts, section, open, by)?);
    }
    sentences.push("This shows that this key signed this statement.".to_owned());
    conclude(receipts, sentences, None)
}

/// A device's transaction: which device, whose, and are these the bytes?
fn check_transaction(
    receipts: &Receipts<'_>,
    section: &mut Section,
    transaction: &Transaction,
    payload: Option<&[u8]>,
) -> Option<Conclusion> {
    check_payload(section, transaction, payload);
    let enrolment = check_enrolment(receipts, section)?;
    let device = receipts.all.get(enrolment)?;
    let registration = device.registration.as_ref()?;
    let (serial, authority) = certified(registration)?;
    let credential = &device.receipt.evidence.signed.credential_id;
    let (claim_at, claim) = find_claim(receipts, section, credential)?;
    check_claim(receipts, section, enrolment, &claim, &serial);
    let (key_at, name, role) = check_owner(receipts, section, claim_at, claim.owner)?;
    check_order(receipts, section, [enrolment, key_at], claim_at);

    let claimed = receipts.all.get(claim_at)?.receipt.evidence.accepted;
    let payload_facts = &transaction.payload;
    let sha256 = hex::encode(payload_facts.sha256);
    let facts = TransactionFacts {
        device: claim.device,
        serial,
        model: registration.aaguid.to_string(),
        authority,
        owner: claim.owner,
        owner_name: name.clone(),
        claimed_ms: claimed,
        file_name: payload_facts.file_name.clone(),
        media_type: payload_facts.media_type.clone(),
        length: payload_facts.length,
        sha256,
        payload_checked: payload.is_some(),
        taken_ms: transaction.taken,
        sequence: transaction.sequence,
        delivery: transaction.delivery,
    };
    let sentences = sentences(receipts, &facts, &role)?;
    conclude(receipts, sentences, Some(facts))
}

fn sentences(receipts: &Receipts<'_>, facts: &TransactionFacts, role: &str) -> Option<Vec<String>> {
    let bytes = if facts.payload_checked {
        format!("These very {} bytes", facts.length)
    } else {
        format!(
            "{} bytes with the SHA-256 {} (which were not at hand to compare)",
            facts.length, facts.sha256
        )
    };
    Some(vec![
        format!(
            "{bytes} were signed as “{}” by the device with the serial number “{}”, model {}, \
             attested by {}.",
            facts.file_name, facts.serial, facts.model, facts.authority
        ),
        format!(
            "{} ({role}) enrolled the device on {}.",
            facts.owner_name, facts.claimed_ms
        ),
        format!(
            "By the device's clock they were taken on {}, as its number {} ({}).",
            facts.taken_ms, facts.sequence, facts.delivery
        ),
        accepted_and_logged(receipts)?,
        "This shows that this key signed these bytes. It does not show that the scene is real, \
         or what became of the device later."
            .to_owned(),
    ])
}

fn accepted_and_logged(receipts: &Receipts<'_>) -> Option<String> {
    let subject = receipts.all.first()?;
    Some(format!(
        "The gateway accepted it on {}, and the log {} holds it at index {}.",
        subject.receipt.evidence.accepted,
        receipts.trust.log.name(),
        subject.log_index?
    ))
}

fn conclude(
    receipts: &Receipts<'_>,
    mut sentences: Vec<String>,
    transaction: Option<TransactionFacts>,
) -> Option<Conclusion> {
    let subject = receipts.all.first()?;
    let checkpoint = subject.receipt.proof.checkpoint();
    if let Some(seen) = witness::sentence(checkpoint, &subject.cosigned) {
        // Before the last one, which says what all of it comes to.
        sentences.insert(sentences.len().saturating_sub(1), seen);
    }
    Some(Conclusion {
        sentences,
        log: receipts.trust.log.name().to_owned(),
        log_index: subject.log_index?,
        accepted_ms: subject.receipt.evidence.accepted,
        cosigned: subject.cosigned.clone(),
        transaction,
    })
}

fn check_payload(section: &mut Section, transaction: &Transaction, payload: Option<&[u8]>) {
    let title = "The bytes are those that were signed";
    let signed = &transaction.payload;
    let Some(bytes) = payload else {
        section.skip("chain.1", title, "the bytes are not at hand");
        return;
    };
    let result = if bytes.len() as u64 != signed.length {
        Err(format!(
            "there are {} bytes outside the evidence, but {} were signed",
            bytes.len(),
            signed.length
        ))
    } else if signed.matches(bytes) {
        Ok(())
    } else {
        Err(format!(
            "the bytes outside the evidence were changed: their SHA-256 is {}, but {} was signed",
            hex::encode(crate::statement::sha256(bytes)),
            hex::encode(signed.sha256)
        ))
    };
    section.check(
        "chain.1",
        title,
        result,
        format_args!(
            "{} bytes, SHA-256 {}",
            signed.length,
            hex::encode(signed.sha256)
        ),
    );
}

/// Which receipt enrolled the device that signed the subject.
fn check_enrolment(receipts: &Receipts<'_>, section: &mut Section) -> Option<usize> {
    let signer = receipts.all.first().and_then(|subject| subject.signer);
    let result = match signer.map(|signer| (signer, receipts.act(signer))) {
        Some((signer, Some(Act::Device(Device::Enrol)))) => Ok(signer),
        Some((signer, _)) => Err(format!(
            "receipt {} registers the key that signed, but not as a device's",
            signer + 1
        )),
        None => Err("no enrolled key signed it".to_owned()),
    };
    let detail = signer.map_or_else(String::new, |signer| format!("receipt {}", signer + 1));
    section.check(
        "chain.2",
        "The key that signed is the one that the device enrolled",
        result,
        detail,
    )
}

/// The serial number in the attestation certificate, and the authority that it chains to.
fn certified(registration: &Registration) -> Option<(String, String)> {
    match &registration.attestation.kind {
        AttestationKind::Certified(certified) => Some((
            certified.serial_number.clone()?,
            certified.anchor.as_ref()?.name.clone(),
        )),
        _ => None,
    }
}

/// The receipt by which a person took the device.
fn find_claim(
    receipts: &Receipts<'_>,
    section: &mut Section,
    credential: &CredentialId,
) -> Option<(usize, Claim)> {
    let found = (0..receipts.all.len()).find_map(|at| match receipts.act(at) {
        Some(Act::Device(Device::Claim(claim))) if claim.credential == *credential => {
            Some((at, claim.clone()))
        }
        _ => None,
    });
    let detail = found
        .as_ref()
        .map_or_else(String::new, |(at, _)| format!("receipt {}", at + 1));
    section.check(
        "chain.3",
        "A person took the device with this key",
        found.ok_or("no claim in the bundle names the device's key"),
        detail,
    )
}

/// The claim is of this enrolment and no other.
fn check_claim(
    receipts: &Receipts<'_>,
    section: &mut Section,
    enrolment: usize,
    claim: &Claim,
    serial: &str,
) {
    let Some(device) = receipts.all.get(enrolment) else {
        return;
    };
    let enrolled = device.receipt.evidence.signed.challenge();
    section.check(
        "chain.4",
        "The claim names this enrolment",
        if claim.enrolment == enrolled {
            Ok(())
        } else {
            Err("the claim names another enrolment than the one in the bundle")
        },
        hex::encode(enrolled),
    );
    section.check(
        "chain.5",
        "The claim names the serial number in the attestation certificate",
        if claim.serial.as_str() == serial {
            Ok(())
        } else {
            Err(format!(
                "the claim names “{}”, the certificate “{serial}”",
                claim.serial
            ))
        },
        serial,
    );
    let model = device.registration.as_ref().map(|found| found.aaguid);
    section.check(
        "chain.6",
        "The claim names the attested model",
        if model == Some(claim.model) {
            Ok(())
        } else {
            Err(format!("the claim names the model {}", claim.model))
        },
        claim.model,
    );
}

/// Whose key signed the claim: the receipt that registered it, the person's name and role.
fn check_owner(
    receipts: &Receipts<'_>,
    section: &mut Section,
    claim_at: usize,
    owner: PersonId,
) -> Option<(usize, Line, String)> {
    let signer = receipts.all.get(claim_at).and_then(|claim| claim.signer);
    let key = signer.map(|at| (at, receipts.act(at)));
    let result = match key {
        Some((
            at,
            Some(Act::Web(Web::RegisterKey(RegisterKey {
                person, name, role, ..
            }))),
        )) if *person == owner => Ok((at, name.clone(), role.to_string())),
        Some((at, Some(Act::Web(Web::RegisterKey(other))))) => Err(format!(
            "receipt {} registers the key of {}, who is not the one that took the device",
            at + 1,
            other.name
        )),
        Some((at, _)) => Err(format!(
            "receipt {} does not register a person's key",
            at + 1
        )),
        None => Err("the claim is not signed by a person's registered key".to_owned()),
    };
    let detail = result.as_ref().map_or_else(
        |_| String::new(),
        |(at, name, _)| format!("{name}, receipt {}", at + 1),
    );
    section.check(
        "chain.7",
        "The owner signed the claim with a registered key",
        result,
        detail,
    )
}

/// What came first is first in the log.
fn check_order(receipts: &Receipts<'_>, section: &mut Section, before: [usize; 2], claim: usize) {
    let index = |at: usize| receipts.all.get(at).and_then(|checked| checked.log_index);
    let in_order = match (index(before[0]), index(before[1]), index(claim), index(0)) {
        (Some(enrolment), Some(key), Some(claim), Some(subject)) => {
            if enrolment < claim && key < claim && claim < subject {
                Ok(format!(
                    "enrolment {enrolment} and key {key}, claim {claim}, subject {subject}"
                ))
            } else {
                Err(format!(
                    "enrolment {enrolment}, key {key}, claim {claim} and subject {subject} are \
                     not in this order in the log"
                ))
            }
        }
        _ => Err("not every receipt has a proved place in the log".to_owned()),
    };
    let detail = in_order.clone().unwrap_or_default();
    section.check(
        "chain.8",
        "The log has them in the order of events",
        in_order,
        detail,
    );
}
