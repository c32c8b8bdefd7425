//! A visitor's evidence, as the host of a hall checks it before it lets a partner's person in.
//!
//! The host asks nobody: the visitor brings the receipt of the opening and that of the
//! registration of the key that signed it, and [`visit`] checks both under the keys that were
//! pinned when the realms joined. The host trusts the partner to say who its people are and
//! which roles they have, and nothing else. So the host does not ask who at home allowed the key,
//! and does not learn it.

use core::time::Duration;

use hallway_webauthn::Registration;

use super::ancestry::Chain;
use super::report::{Report, Section};
use super::{chain, receipt};
use crate::bundle::Bundle;
use crate::evidence::Evidence;
use crate::hash::Hash;
use crate::id::PersonId;
use crate::realm::RealmName;
use crate::statement::Act;
use crate::statement::hall::{HallName, Open, P256PublicKey, Right};
use crate::statement::people::Role;
use crate::timestamp::Timestamp;
use crate::trust::TrustFile;

/// How long ago a visitor may have signed: room for somebody who waits for a slow network.
pub const FRESH: Duration = Duration::from_secs(10 * 60);

/// How far the clocks of two realms may be apart.
pub const CLOCKS_APART: Duration = Duration::from_secs(2 * 60);

/// The visitor at the door, and the conditions of the host.
#[derive(Debug, Clone, Copy)]
pub struct Door<'a> {
    /// The host's realm.
    pub host: &'a RealmName,
    /// The person whom the certificate of the connection names.
    pub person: PersonId,
    /// The key that the certificate is for.
    pub public_key: &'a P256PublicKey,
    /// The hash of the evidence that the certificate names.
    pub evidence: Hash,
    /// The rights that the host's own admissions allow this person, or a role that they have.
    pub allowed: &'a [Right],
    /// The longest that the host opens a hall for.
    pub longest: Duration,
    /// The time by the host's clock.
    pub now: Timestamp,
}

/// The claims of a visit, unchecked: they tell which admissions to look for before [`visit`]
/// checks everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncheckedVisit {
    /// The hall that the visitor opened.
    pub hall: HallName,
    /// The visitor, by the id at home.
    pub person: PersonId,
    /// The visitor's role at home.
    pub role: Role,
}

/// The bundle's subject is not a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the evidence does not open a hall of another realm for somebody with a role at home")]
pub struct NotAVisit;

impl UncheckedVisit {
    /// Reads it from the bundle's subject.
    ///
    /// # Errors
    /// [`NotAVisit`].
    pub fn read(bundle: &Bundle) -> Result<Self, NotAVisit> {
        let statement = bundle.subject().evidence.signed.read_statement();
        match statement.map_err(|_| NotAVisit)?.act {
            Act::HallOpen(open) => Ok(Self {
                role: open.role.ok_or(NotAVisit)?,
                hall: open.hall,
                person: open.person,
            }),
            _ => Err(NotAVisit),
        }
    }
}

/// A visit that holds. Only [`visit`] makes one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Visit {
    /// The opening that the visitor signed.
    pub open: Open,
    /// The visitor's role at home.
    pub role: Role,
    /// The evidence, for the host's own log.
    pub evidence: Evidence,
    /// What the visitor's key proved of itself when it was registered.
    pub registration: Registration,
    /// When it ends at the latest, by the clock of the realm whose clock is behind.
    pub ends: Timestamp,
}

const HOST: &str = "What the host asks of a visitor";
const FORM: &str =
    "The bundle is an opening by somebody with a role at home, and the key's registration";

/// Checks the `bundle` of a person of the realm of `trust` who stands at `door`. The trust file
/// names the host's own witness, and no other.
///
/// # Errors
/// The report, which names the first step that does not hold.
pub fn visit(bundle: &Bundle, trust: &TrustFile, door: &Door<'_>) -> Result<Visit, Box<Report>> {
    let count = bundle.receipts().count();
    if count != 2 {
        // A bundle that cannot be a visit is not verified at all.
        let mut section = Section::new(HOST);
        let why = format!("there are {count} receipts, not the opening and the key's registration");
        section.check("visit.1", FORM, Err::<(), _>(why), "");
        return Err(Box::new(Report::new(vec![section], None, Vec::new())));
    }
    let anchors = trust
        .anchors()
        .map_err(|error| Box::new(Report::unreadable("The partner's trust file", &error)))?;
    let mut receipts = receipt::Receipts::new(bundle, trust, anchors);
    receipts.check_all();
    let fit = chain::check(&receipts, None, Chain::KeyOnly);
    let mut section = Section::new(HOST);
    let opened = match receipts.act(0) {
        Some(Act::HallOpen(open)) => Some(open.clone()),
        _ => None,
    };
    let role = check_form(opened.as_ref(), &mut section);
    if let Some(open) = &opened {
        check_door(open, bundle, door, &mut section);
    }
    check_witness(&receipts, &mut section);
    let registration = (receipts.all.iter().skip(1)).find_map(|other| other.registration.clone());
    let mut sections = receipts.into_sections();
    sections.extend(fit.sections);
    sections.push(section);
    let report = Report::new(sections, fit.conclusion, fit.missing);
    match (report.holds, opened, role, registration) {
        (true, Some(open), Some(role), Some(registration)) => {
            let subject = bundle.subject();
            let duration = Duration::from_millis(open.duration_ms);
            let accepted = subject.evidence.accepted;
            Ok(Visit {
                ends: accepted.min(door.now).plus(duration),
                open,
                role,
                evidence: subject.evidence.clone(),
                registration,
            })
        }
        _ => Err(Box::new(report)),
    }
}

/// Checks that the bundle is a visit's: an opening by somebody with a role at home.
fn check_form(open: Option<&Open>, section: &mut Section) -> Option<Role> {
    let role = match open {
        Some(open) => (open.role).ok_or("it does not say which role the visitor has at home"),
        None => Err("the first receipt does not open a hall"),
    };
    let held = role.as_ref().map_or("", |role| role.as_str());
    section.check("visit.1", FORM, role, held)
}

/// Checks that the visitor signed for this door: the hall, the person, the key, the evidence, the
/// rights and the time.
fn check_door(open: &Open, bundle: &Bundle, door: &Door<'_>, section: &mut Section) {
    section.check(
        "visit.2",
        "It opens a hall of this realm",
        expect(open.host == *door.host, || {
            format!("it opens a hall of {}, not of {}", open.host, door.host)
        }),
        door.host,
    );
    section.check(
        "visit.3",
        "The certificate names this person",
        expect(open.person == door.person, || {
            format!(
                "it is of {}, the certificate of {}",
                open.person, door.person
            )
        }),
        open.person,
    );
    let key = match &open.public_key {
        Some(key) if key == door.public_key => Ok(()),
        Some(_) => Err("it lets in the holder of another key"),
        None => Err("it lets in a browser session, which no other realm can check"),
    };
    section.check(
        "visit.4",
        "The key is the certificate's",
        key,
        hex::encode(door.public_key.sha256()),
    );
    let evidence = bundle.subject().evidence.hash();
    section.check(
        "visit.5",
        "The certificate was given for this evidence",
        expect(evidence == door.evidence, || {
            format!("it was given for {}", hex::encode(door.evidence))
        }),
        hex::encode(door.evidence),
    );
    let wider = open
        .rights
        .iter()
        .find(|right| !door.allowed.contains(right));
    section.check(
        "visit.6",
        "The rights are within what the host allows this visitor",
        wider.map_or(Ok(()), |right| Err(format!("{right} is not allowed here"))),
        &open.rights,
    );
    let longest = u64::try_from(door.longest.as_millis()).unwrap_or(u64::MAX);
    section.check(
        "visit.7",
        "It is not for longer than the host opens a hall",
        expect((1..=longest).contains(&open.duration_ms), || {
            format!(
                "it is for {} milliseconds, and 1 to {longest} are possible here",
                open.duration_ms
            )
        }),
        format_args!("{} of {longest} milliseconds", open.duration_ms),
    );
    check_age(bundle, door, section);
}

/// Checks that the host's witness, which the trust file names, cosigned the log of the visitor's
/// home: so that log can no longer be rewritten as if this had never happened.
fn check_witness(receipts: &receipt::Receipts<'_>, section: &mut Section) {
    let unseen = receipts.all.iter().position(|one| one.cosigned.is_empty());
    section.check(
        "visit.9",
        "The host's witness cosigned the log that holds it",
        unseen.map_or(Ok(()), |at| {
            Err(format!(
                "receipt {} stands on a checkpoint that it did not cosign",
                at + 1
            ))
        }),
        receipts
            .all
            .first()
            .and_then(|subject| subject.cosigned.first())
            .map_or_else(String::new, ToString::to_string),
    );
}

/// Checks that the visit was signed and accepted within [`FRESH`]: later, the visitor may have been
/// put out at home.
fn check_age(bundle: &Bundle, door: &Door<'_>, section: &mut Section) {
    let subject = bundle.subject();
    let accepted = subject.evidence.accepted;
    let issued = (subject.evidence.signed.read_statement()).map_or(accepted, |read| read.issued);
    let (first, last) = (issued.min(accepted), issued.max(accepted));
    let age = if first.plus(FRESH) < door.now {
        Err(format!("it is of {first}, and here it is {}", door.now))
    } else if last > door.now.plus(CLOCKS_APART) {
        Err(format!(
            "it is of {last}, and here it is only {}: compare the clocks of both realms",
            door.now
        ))
    } else {
        Ok(())
    };
    section.check(
        "visit.8",
        "It was signed and accepted a moment ago",
        age,
        format_args!("{first}, here it is {}", door.now),
    );
}

fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}
