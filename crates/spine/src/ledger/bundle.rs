//! Putting together what a piece of evidence rests on.
//!
//! From the subject back: the registration of the key that signed, what allowed that key, the
//! registration of the key that signed that, and so on down to the set-up of the realm. Each of them
//! is earlier in the log, and each is found by an index, so the work is bounded by the number of
//! receipts that a bundle may hold.

use std::collections::BTreeMap;

use hallway_evidence::statement::Act;
use hallway_evidence::statement::people::Role;
use hallway_evidence::verify::least_role;
use hallway_evidence::{Bundle, Evidence, MAX_RECEIPTS, PersonId, Response as Signature};

use crate::Gateway;
use crate::http::problem::Problem;
use crate::store::{EvidenceHash, EvidenceRecord, Ground, Unit};

/// A piece of evidence with all that it rests on: what `hallway verify` takes.
///
/// # Errors
/// 410 when the evidence itself was erased; what it rests on is left out where that was, and whoever
/// verifies is told.
pub async fn bundle_of(gateway: &Gateway, record: &EvidenceRecord) -> Result<Bundle, Problem> {
    let reader = gateway.store.read();
    let note = gateway.ledger.checkpoint_for(reader, record).await?;
    let subject = gateway.ledger.receipt_at(reader, record, &note).await?;
    let mut walk = Walk::from(reader, record);
    walk.run().await?;
    let mut rests_on = Vec::with_capacity(walk.found.len());
    for found in walk.found.values().map(|step| &step.record) {
        rests_on.push(gateway.ledger.receipt_at(reader, found, &note).await?);
    }
    Bundle::of(subject, rests_on)
        .map_err(|error| Problem::conflict("evidence-too-long", error.to_string()))
}

/// Evidence on the way down.
struct Step {
    record: EvidenceRecord,
    /// The role that its signer has to be shown in, and before which entry: for what allowed a further
    /// key, that of the key.
    needs: Option<(Role, u64)>,
}

/// The way from a subject down to the set-up.
struct Walk<'a> {
    reader: &'a Unit<'a>,
    subject: u64,
    /// What the subject rests on, by its place in the log.
    found: BTreeMap<u64, Step>,
    /// What is yet to be looked at.
    next: Vec<Step>,
}

impl<'a> Walk<'a> {
    fn from(reader: &'a Unit<'a>, subject: &EvidenceRecord) -> Self {
        let first = Step {
            record: subject.clone(),
            needs: None,
        };
        Self {
            reader,
            subject: subject.log_index,
            found: BTreeMap::new(),
            next: vec![first],
        }
    }

    async fn run(&mut self) -> Result<(), Problem> {
        while let Some(step) = self.next.pop() {
            let bytes = step.record.bytes.as_deref().unwrap_or_default();
            let Ok(evidence) = Evidence::decode(bytes) else {
                continue;
            };
            let Ok(statement) = evidence.signed.read_statement() else {
                continue;
            };
            self.look(&step, &evidence, &statement.act).await?;
            if step.record.log_index != self.subject {
                self.found.insert(step.record.log_index, step);
            }
        }
        Ok(())
    }

    /// Finds what one piece of evidence rests on.
    async fn look(&mut self, step: &Step, evidence: &Evidence, act: &Act) -> Result<(), Problem> {
        let at = step.record.log_index;
        match (act, &evidence.signed.response) {
            (Act::WebRegisterKey(key), Signature::Registration { .. }) => {
                let Some(allowed) = key.authorised_by else {
                    return Ok(());
                };
                let allowed = self.reader.evidence().get(&EvidenceHash(allowed)).await?;
                if let Some(record) = &allowed
                    && let Some(Act::PeopleRecover(terms)) = act_of(record)
                {
                    let known = (terms.role, record.log_index);
                    self.raised(key.person, known, at, key.role).await?;
                }
                self.add(allowed, at, Some((key.role, at)));
                Ok(())
            }
            (_, Signature::Registration { .. }) => Ok(()),
            (Act::DeviceTransaction(_), _) => {
                let device = evidence.signed.credential_id.clone();
                let claim = self.last_before(&Ground::Claim(device), at).await?;
                self.add(claim, at, None);
                Ok(())
            }
            (Act::DeviceStatus(_), _) => Ok(()),
            (Act::DeviceClaim(claim), _) => {
                let enrolled = claim.enrolment.into();
                let enrolment = self.reader.evidence().by_statement(&enrolled).await?;
                self.add(enrolment, at, None);
                self.signer(evidence, at, (Role::Member, at)).await
            }
            (Act::WebAddKey(_), _) => {
                let needs = step.needs.unwrap_or((Role::Member, at));
                self.signer(evidence, at, needs).await
            }
            _ => self.signer(evidence, at, (least_role(act), at)).await,
        }
    }

    /// The registration of the key of the person who signed the entry `at`, and what gave that person
    /// the role that they `need` before an entry, if the registration did not.
    async fn signer(
        &mut self,
        evidence: &Evidence,
        at: u64,
        (least, before): (Role, u64),
    ) -> Result<(), Problem> {
        let key = Ground::Registration(evidence.signed.credential_id.clone());
        let Some(registration) = self.last_before(&key, at).await? else {
            return Ok(());
        };
        if let Some(Act::WebRegisterKey(key)) = act_of(&registration) {
            let known = (key.role, registration.log_index);
            self.raised(key.person, known, before, least).await?;
        }
        self.add(Some(registration), at, None);
        Ok(())
    }

    /// What gave `person`, whose role is `known` at an earlier entry, the role `least` before another
    /// one: the last of what did, as a verifier looks for it.
    async fn raised(
        &mut self,
        person: PersonId,
        known: (Role, u64),
        before: u64,
        least: Role,
    ) -> Result<(), Problem> {
        let (role, since) = known;
        if role >= least {
            return Ok(());
        }
        let mut last: Option<u64> = None;
        for role in [Role::Owner, Role::Operator] {
            if role >= least {
                let given = Ground::Role(person, role);
                last = last.max(self.reader.grounds().last_before(&given, before).await?);
            }
        }
        if let Some(given) = last.filter(|given| *given > since) {
            let record = self.reader.evidence().at(given).await?;
            self.add(record, before, None);
        }
        Ok(())
    }

    async fn last_before(
        &self,
        ground: &Ground,
        at: u64,
    ) -> Result<Option<EvidenceRecord>, Problem> {
        match self.reader.grounds().last_before(ground, at).await? {
            Some(index) => Ok(self.reader.evidence().at(index).await?),
            None => Ok(None),
        }
    }

    /// Takes `record`, on which the entry `at` rests, if it is an earlier one and can still be read.
    fn add(&mut self, record: Option<EvidenceRecord>, at: u64, needs: Option<(Role, u64)>) {
        let Some(record) = record else {
            return;
        };
        let index = record.log_index;
        let is_known = self.found.contains_key(&index)
            || self.next.iter().any(|step| step.record.log_index == index);
        let has_room = self.found.len() + self.next.len() + 1 < MAX_RECEIPTS;
        if index < at && record.bytes.is_some() && !is_known && has_room {
            self.next.push(Step { record, needs });
        }
    }
}

/// What was done, if it can still be read.
fn act_of(record: &EvidenceRecord) -> Option<Act> {
    let evidence = Evidence::decode(record.bytes.as_deref()?).ok()?;
    Some(evidence.signed.read_statement().ok()?.act)
}
