//! Ends the sessions, links and grants of people's keys that are refused now: a model can't be relied on
//! any more, or the policy became stricter.
//!
//! Such a key is refused wherever it signs. Without this, its sessions and grants would come back if the
//! model were trusted again, or the policy relaxed.

use super::verdict::Refused;
use crate::Gateway;
use crate::depends::{self, Ended};
use crate::door_name::DoorName;
use crate::http::problem::{Code, Problem};
use crate::store::{Holder, PageRequest, Person, Unit};

/// Judges every key of every person by the present knowledge.
///
/// # Errors
/// The database.
pub async fn end_what_they_opened(gateway: &Gateway) -> Result<(), Problem> {
    let reader = gateway.store.read();
    let mut request = PageRequest::default();
    loop {
        let page = reader.people().page(&request).await?;
        for person in &page.items {
            of_person(gateway, person).await?;
        }
        match page.next {
            Some(next) => request.after = Some(next),
            None => return Ok(()),
        }
    }
}

async fn of_person(gateway: &Gateway, person: &Person) -> Result<(), Problem> {
    let reader = gateway.store.read();
    for (ended, refused) in gateway.refused_keys(reader, person).await? {
        gateway
            .transact(|unit| Box::pin(depends::end(gateway, unit, ended.clone(), None)))
            .await?;
        tracing::info!(person = %person.id, code = %Code::ModelRefused, %refused, "ended what a key opened");
    }
    Ok(())
}

impl Gateway {
    /// What to end for `person`, with the reason: all that a refused key opened or, if only one door
    /// refuses the key, all that the key opened at that door.
    ///
    /// # Errors
    /// The database.
    pub async fn refused_keys(
        &self,
        reader: &Unit<'_>,
        person: &Person,
    ) -> Result<Vec<(Ended, Refused)>, Problem> {
        let (models, now) = (&self.models, self.now());
        let mut ended = Vec::new();
        let mut doors = self.doors.of_people();
        if !doors.any(|door| models.may_refuse(door, person.role)) {
            return Ok(ended);
        }
        let held = Holder::Person(person.id);
        for key in reader.credentials().held_by(held).await? {
            let attestation = reader.attestations().get(&key.id).await?;
            let admitted =
                |door| models.admit_person(door, person.role, &key, attestation.as_ref(), now);
            if let Err(refused) = admitted(DoorName::WEB) {
                ended.push((Ended::Trust(person.id, key.id.clone()), refused));
                continue;
            }
            for door in self.doors.of_people() {
                if let Err(refused) = admitted(door) {
                    ended.push((Ended::TrustAt(door, key.id.clone()), refused));
                }
            }
        }
        Ok(ended)
    }
}
