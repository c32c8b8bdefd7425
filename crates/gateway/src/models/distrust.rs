//! Ending what came from people's keys whose models can't be relied on any more.
//!
//! Such a key is refused wherever it is used. That alone would let its sessions and grants come back
//! should the model ever be trusted again, or its policy be relaxed.

use super::verdict::MODEL_REFUSED;
use crate::Gateway;
use crate::depends::{self, Ended};
use crate::http::problem::Problem;
use crate::refusal::Door;
use crate::store::{Holder, PageRequest, Person};

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
            if gateway.models.may_refuse(Door::Web, person.role) {
                of_person(gateway, person).await?;
            }
        }
        match page.next {
            Some(next) => request.after = Some(next),
            None => return Ok(()),
        }
    }
}

async fn of_person(gateway: &Gateway, person: &Person) -> Result<(), Problem> {
    let reader = gateway.store.read();
    let held = Holder::Person(person.id);
    for key in reader.credentials().held_by(held).await? {
        let attestation = reader.attestations().get(&key.id).await?;
        let admitted = gateway.models.admit_person(
            Door::Web,
            person.role,
            &key,
            attestation.as_ref(),
            gateway.now(),
        );
        if let Err(refused) = admitted {
            tracing::info!(person = %person.id, code = MODEL_REFUSED, %refused, "ended what a key opened");
            let trust = Ended::Trust(person.id, key.id.clone());
            gateway
                .transact(|unit| Box::pin(depends::end(gateway, unit, trust.clone(), None)))
                .await?;
        }
    }
    Ok(())
}
