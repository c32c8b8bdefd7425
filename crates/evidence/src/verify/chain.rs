//! How the receipts of a bundle fit together.

use hallway_webauthn::{AttestationKind, Registration};

use super::ancestry::{Ancestry, Chain};
use super::entitlement::least_role;
use super::receipt::Receipts;
use super::report::{ChainStep, Conclusion, Section, TransactionFacts};
use super::{hall, witness};
use crate::credential_id::CredentialId;
use crate::id::PersonId;
use crate::statement::Act;
use crate::statement::device::{Claim, Transaction};
use crate::statement::people::Role;
use crate::statement::web::RegisterKey;

/// How the receipts of a bundle fit together.
pub(super) struct Fit {
    /// The steps about how they fit, and those about who allowed the keys.
    pub(super) sections: [Section; 2],
    /// The conclusion, if every step holds.
    pub(super) conclusion: Option<Conclusion>,
    /// What the bundle does not show about who allowed the keys.
    pub(super) missing: Vec<String>,
}

/// What the subject says, before it is known who allowed the keys.
struct Said {
    sentences: Vec<String>,
    /// The last sentence: what the evidence shows, and what it does not.
    last: &'static str,
    transaction: Option<TransactionFacts>,
}

/// Checks that the subject follows from the other receipts, and rests on all of them.
pub(super) fn check(receipts: &Receipts<'_>, payload: Option<&[u8]>, chain: Chain) -> Fit {
    let mut section = Section::new("How the receipts fit together");
    let mut ancestry = Ancestry::new(receipts, chain);
    ancestry.uses(0);
    let said = match receipts.act(0) {
        Some(Act::DeviceTransaction(transaction)) => {
            check_transaction(receipts, &mut section, &mut ancestry, transaction, payload)
        }
        Some(act) => check_other(receipts, &mut section, &mut ancestry, act, payload),
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
    let (people, found) = ancestry.finish();
    let conclusion = said.and_then(|said| conclude(receipts, said, found.steps, &found.missing));
    Fit {
        sections: [section, people],
        conclusion,
        missing: found.missing,
    }
}

/// A statement of a person, or of a device about itself: who signed it?
fn check_other(
    receipts: &Receipts<'_>,
    section: &mut Section,
    ancestry: &mut Ancestry<'_, '_>,
    act: &Act,
    payload: Option<&[u8]>,
) -> Option<Said> {
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
    ancestry.uses(by);
    let signer = match receipts.act(by)? {
        Act::WebRegisterKey(key) => Ok(follow(receipts, ancestry, by, 0, key, least_role(act))),
        Act::DeviceEnrol(_) => Ok(
            match certified(receipts.all.get(by)?.registration.as_ref()?) {
                Some((serial, maker)) => {
                    format!("the device “{serial}”, attested by {maker}")
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
    if let Act::DeviceClaim(claim) = act {
        check_claimed(receipts, section, ancestry, claim);
    }
    let statement = subject.statement.as_ref()?;
    let mut sentences = vec![
        format!("Signed by {signer}: {}", statement.sentence()),
        accepted_and_logged(receipts)?,
    ];
    if let Act::HallOpen(open) = act {
        sentences.push(hall::check_opening(receipts, section, open, by)?);
    }
    Some(Said {
        sentences,
        last: "This shows that this key signed this statement.",
        transaction: None,
    })
}

/// Follows the key of registration `key` down to the set-up, for receipt `at`. Returns the name and
/// the role that are shown, in words.
fn follow(
    receipts: &Receipts<'_>,
    ancestry: &mut Ancestry<'_, '_>,
    key: usize,
    at: usize,
    terms: &RegisterKey,
    least: Role,
) -> String {
    let (name, role) = (&terms.name, terms.role);
    let shown = if key == at {
        ancestry.walk(key);
        Some(role)
    } else {
        let index = receipts.all.get(at).and_then(|checked| checked.log_index);
        index.and_then(|index| ancestry.follow(key, index, least))
    };
    match shown {
        Some(shown) if ancestry.is_complete() => format!("{name} ({shown})"),
        _ => format!("a key registered as {name}’s ({role}) that nobody is shown to have allowed"),
    }
}

/// A device's transaction: which device, whose, and are these the bytes?
fn check_transaction(
    receipts: &Receipts<'_>,
    section: &mut Section,
    ancestry: &mut Ancestry<'_, '_>,
    transaction: &Transaction,
    payload: Option<&[u8]>,
) -> Option<Said> {
    check_payload(section, transaction, payload);
    let enrolment = check_enrolment(receipts, section)?;
    ancestry.uses(enrolment);
    let device = receipts.all.get(enrolment)?;
    let registration = device.registration.as_ref()?;
    let (serial, maker) = certified(registration)?;
    let credential = &device.receipt.evidence.signed.credential_id;
    let (claim_at, claim) = find_claim(receipts, section, credential)?;
    ancestry.uses(claim_at);
    check_claim(receipts, section, enrolment, &claim, &serial);
    let (key_at, key) = check_owner(receipts, section, claim_at, claim.owner)?;
    let by = follow(receipts, ancestry, key_at, claim_at, key, Role::Member);
    check_order(receipts, section, [enrolment, key_at], claim_at);

    let claimed = receipts.all.get(claim_at)?.receipt.evidence.accepted;
    let payload_facts = &transaction.payload;
    let sha256 = hex::encode(payload_facts.sha256);
    let facts = TransactionFacts {
        device: claim.device,
        serial,
        model: registration.aaguid.to_string(),
        maker,
        owner: claim.owner,
        owner_name: key.name.clone(),
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
    Some(Said {
        sentences: sentences(receipts, &facts, &by)?,
        last: "This shows that this key signed these bytes. It does not show that the scene is real, \
               or what became of the device later.",
        transaction: Some(facts),
    })
}

fn sentences(receipts: &Receipts<'_>, facts: &TransactionFacts, by: &str) -> Option<Vec<String>> {
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
            facts.file_name, facts.serial, facts.model, facts.maker
        ),
        format!(
            "{} enrolled the device on {}.",
            capitalised(by),
            facts.claimed_ms
        ),
        format!(
            "By the device's clock they were taken on {}, as its number {} ({}).",
            facts.taken_ms, facts.sequence, facts.delivery
        ),
        accepted_and_logged(receipts)?,
    ])
}

/// `text` as a sentence begins: a name stays as it is.
fn capitalised(text: &str) -> String {
    text.strip_prefix("a key ")
        .map_or_else(|| text.to_owned(), |rest| format!("A key {rest}"))
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
    said: Said,
    chain: Vec<ChainStep>,
    missing: &[String],
) -> Option<Conclusion> {
    let subject = receipts.all.first()?;
    let checkpoint = subject.receipt.proof.checkpoint();
    let mut sentences = said.sentences;
    sentences.extend(chain.iter().map(|step| format!("{step}.")));
    sentences.extend(missing.iter().map(|why| format!("Not shown: {why}.")));
    sentences.extend(witness::sentence(checkpoint, &subject.cosigned));
    sentences.push(if chain.is_empty() {
        said.last.to_owned()
    } else {
        format!(
            "{} It does not show whether somebody named here was suspended or removed before, or \
             had lost the role or the key.",
            said.last
        )
    });
    Some(Conclusion {
        sentences,
        log: receipts.trust.log.name().to_owned(),
        log_index: subject.log_index?,
        accepted_ms: subject.receipt.evidence.accepted,
        cosigned: subject.cosigned.clone(),
        chain,
        transaction: said.transaction,
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
            hex::encode(crate::hash::sha256(bytes)),
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

/// Finds the receipt that enrolled the device that signed the subject.
fn check_enrolment(receipts: &Receipts<'_>, section: &mut Section) -> Option<usize> {
    let signer = receipts.all.first().and_then(|subject| subject.signer);
    let result = match signer.map(|signer| (signer, receipts.act(signer))) {
        Some((signer, Some(Act::DeviceEnrol(_)))) => Ok(signer),
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

/// The serial number in the attestation certificate, and the maker whose authority it chains to.
fn certified(registration: &Registration) -> Option<(String, String)> {
    match &registration.attestation.kind {
        AttestationKind::Certified(certified) => Some((
            certified.serial_number.clone()?,
            certified.anchor.as_ref()?.name.clone(),
        )),
        _ => None,
    }
}

/// Finds the receipt by which a person took the device.
fn find_claim(
    receipts: &Receipts<'_>,
    section: &mut Section,
    credential: &CredentialId,
) -> Option<(usize, Claim)> {
    let found = (0..receipts.all.len()).find_map(|at| match receipts.act(at) {
        Some(Act::DeviceClaim(claim)) if claim.credential == *credential => {
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

/// Checks a claim that is the subject: it is of the enrolment in the bundle, which comes before it.
fn check_claimed(
    receipts: &Receipts<'_>,
    section: &mut Section,
    ancestry: &mut Ancestry<'_, '_>,
    claim: &Claim,
) {
    let enrolment = receipts.all.iter().position(|checked| {
        let enrols = checked.statement.as_ref().map(|statement| &statement.act);
        matches!(enrols, Some(Act::DeviceEnrol(_)))
            && checked.receipt.evidence.signed.credential_id == claim.credential
    });
    let serial = enrolment
        .and_then(|at| receipts.all.get(at)?.registration.as_ref())
        .and_then(certified);
    let found = enrolment
        .zip(serial)
        .ok_or("the bundle holds no attested enrolment of the key that the claim names");
    let detail = enrolment.map_or_else(String::new, |at| format!("receipt {}", at + 1));
    let Some((enrolment, (serial, _))) =
        section.check("chain.3", "The device had enrolled this key", found, detail)
    else {
        return;
    };
    ancestry.uses(enrolment);
    check_claim(receipts, section, enrolment, claim, &serial);
}

/// Checks that the claim is of this enrolment and no other.
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

/// Checks that the owner's key signed the claim. Returns the receipt that registered the key, and
/// its terms.
fn check_owner<'r>(
    receipts: &'r Receipts<'_>,
    section: &mut Section,
    claim_at: usize,
    owner: PersonId,
) -> Option<(usize, &'r RegisterKey)> {
    let signer = receipts.all.get(claim_at).and_then(|claim| claim.signer);
    let key = signer.map(|at| (at, receipts.act(at)));
    let result = match key {
        Some((at, Some(Act::WebRegisterKey(key)))) if key.person == owner => Ok((at, key)),
        Some((at, Some(Act::WebRegisterKey(other)))) => Err(format!(
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
        |(at, key)| format!("{}, receipt {}", key.name, at + 1),
    );
    section.check(
        "chain.7",
        "The owner signed the claim with a registered key",
        result,
        detail,
    )
}

/// Checks that the log has the receipts in the order of events.
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
