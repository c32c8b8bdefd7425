//! Collects the earlier evidence on which a piece of evidence rests.
//!
//! The walk goes back from the subject: the registration of the key that signed, the evidence that
//! allowed that key, the registration of the key that signed that, and so on down to the set-up of
//! the realm. Each is earlier in the log and found by an index, so the work is bounded by the
//! number of receipts that a bundle may hold.

use std::collections::BTreeMap;

use hallway_evidence::statement::Act;
use hallway_evidence::statement::people::Role;
use hallway_evidence::verify::least_role;
use hallway_evidence::{Bundle, Evidence, MAX_RECEIPTS, PersonId, Response as Signature};

use crate::Gateway;
use crate::http::problem::{Code, Problem};
use crate::store::{EvidenceHash, EvidenceRecord, Ground, Unit};

/// A piece of evidence with all evidence on which it rests: the input of `hallway verify`.
///
/// # Errors
/// 410 when the evidence itself was erased. Erased evidence below it is left out, and the verifier
/// reports the gap.
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
        .map_err(|error| Problem::new(Code::EvidenceTooLong, error.to_string()))
}

/// A piece of evidence on the way down.
struct Step {
    record: EvidenceRecord,
    /// The role that the bundle must prove of its signer, and the entry before which the signer had
    /// it. Set for an act that allowed a key: the role is that of the key.
    needs: Option<(Role, u64)>,
}

/// The way from a subject down to the set-up.
struct Walk<'a> {
    reader: &'a Unit<'a>,
    subject: u64,
    /// The evidence on which the subject rests, by log index.
    found: BTreeMap<u64, Step>,
    /// The evidence that is yet to be examined.
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

    /// Finds the evidence on which one piece of evidence rests directly.
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

    /// Adds the registration of the key that signed the entry `at`, and the act that gave its
    /// person at least the role `least` before the entry `before`, if the registration did not.
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

    /// Adds the last act that gave `person` at least the role `least` before the entry `before`, as
    /// a verifier looks for it. `known` is the person's role, and the earlier entry that shows it.
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

    /// Takes `record`, on which the entry `at` rests, if `record` is earlier and not erased.
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

/// The act of a piece of evidence; `None` once its bytes were erased.
fn act_of(record: &EvidenceRecord) -> Option<Act> {
    let evidence = Evidence::decode(record.bytes.as_deref()?).ok()?;
    Some(evidence.signed.read_statement().ok()?.act)
}
