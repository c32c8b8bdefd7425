//! Ending what came from people's keys that are refused by now: their models can't be relied on any
//! more, or the policy became stricter.
//!
//! Such a key is refused wherever it is used. That alone would let its sessions and grants come back
//! should the model ever be trusted again, or its policy be relaxed.

use super::verdict::Refused;
use crate::Gateway;
use crate::depends::{self, Ended};
use crate::door_name::DoorName;
use crate::http::problem::{Code, Problem};
use crate::store::{Holder, PageRequest, Person, Unit};

/// Looks at every key of every person by what is known now.
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
    /// What ends because keys of a person are refused to them now: everything that such a key opened, or
    /// what it opened at a single door where only that one refuses it. With why.
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
