//! `device.transfer`: a device becomes another person's.

use async_trait::async_trait;
use hallway_evidence::statement::device::Transfer;
use hallway_evidence::{DeviceId, PersonId};
use hallway_spine::act::{Actor, Asking, Given, Outcome, Perform, Prepared};
use hallway_spine::http::input::line;
use hallway_spine::http::problem::Problem;
use hallway_spine::store::{Person, PersonState, Unit};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{GIVEN, not_owner, outcome, seen};
use crate::DeviceDoor;
use crate::store::{DeviceTables, HandOver};

/// The device, and its new owner.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The device.
    #[schemars(with = "String")]
    device: DeviceId,
    /// The new owner.
    #[schemars(with = "String")]
    person: PersonId,
}

#[async_trait]
impl Perform<DeviceDoor> for Transfer {
    const GIVES: Option<Given> = GIVEN;

    type Request = Request;

    async fn prepare(
        asking: &Asking<'_>,
        Request { device, person }: Request,
    ) -> Result<Prepared<Self>, Problem> {
        let reader = asking.gateway.store.read();
        let to = recipient(reader, person).await?;
        let found = seen(reader, &asking.caller.person, device).await?;
        if found.owner != Some(asking.caller.person.id) {
            return Err(not_owner());
        }
        let terms = Self {
            device,
            serial: line("serial number", &found.serial)?,
            to: person,
            name: line("name", &to.name)?,
        };
        Ok(terms.into())
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device)
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        let device = seen(actor.unit, actor.person, self.device).await?;
        if device.owner != Some(actor.person.id) {
            return Err(not_owner());
        }
        recipient(actor.unit, self.to).await?;
        let change = HandOver {
            to: self.to,
            name: device.serial,
            from: actor.log_index,
        };
        actor.unit.devices().hand_over(device.id, &change).await?;
        outcome(actor, self.device).await
    }
}

async fn recipient(unit: &Unit<'_>, person: PersonId) -> Result<Person, Problem> {
    unit.people()
        .get(person)
        .await?
        .filter(|person| person.state == PersonState::Active)
        .ok_or_else(|| Problem::not_found("active person"))
}
