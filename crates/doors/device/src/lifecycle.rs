//! The life of a device: claimed, suspended, reinstated, reported stolen, released, retired,
//! transferred. Each is an act of its owner, with evidence.

mod change;
mod claim;
mod transfer;
mod view;

use hallway_evidence::DeviceId;
use hallway_evidence::statement::device as stated;
use hallway_spine::act::{Actor, Given, Outcome, Registered, act};
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::store::{Person, Role};
use schemars::SchemaGenerator;

pub use self::view::{DeviceView, Name, list, name, one, seen, sees_every_device, visible_to};
use super::DEVICE;
use crate::DeviceDoor;
use crate::store::{Device, DeviceState, DeviceTables, SuspendedBy};

/// The acts on devices.
pub fn acts() -> Vec<Registered> {
    vec![
        act::<DeviceDoor, stated::Claim>(),
        act::<DeviceDoor, stated::Suspend>(),
        act::<DeviceDoor, stated::Reinstate>(),
        act::<DeviceDoor, stated::ReportStolen>(),
        act::<DeviceDoor, stated::Release>(),
        act::<DeviceDoor, stated::Retire>(),
        act::<DeviceDoor, stated::Transfer>(),
    ]
}

/// The refusal for a person who does not own the device.
fn not_owner() -> Problem {
    Problem::new(Code::NotOwner, "only the owner of this device may do that")
}

/// Whether an operator suspended the device and `person` is no operator. A stolen device that was
/// found is suspended as it was before, so reporting it stolen lifts no suspension.
pub fn is_held(person: &Person, device: &Device) -> bool {
    device.state != DeviceState::Stolen
        && device.suspended_by == Some(SuspendedBy::Operator)
        && person.role < Role::Operator
}

/// The refusal for an owner whose device an operator suspended.
fn suspended_by_operator() -> Problem {
    Problem::new(
        Code::SuspendedByOperator,
        "an operator suspended this device; ask an operator of this realm to reinstate it",
    )
}

/// The outcome of an act on a device.
const GIVEN: Option<Given> = Some((DEVICE, SchemaGenerator::subschema_for::<DeviceView>));

/// What an act did, and the device as it is now.
async fn outcome(actor: &Actor<'_>, id: DeviceId) -> Result<Outcome, Problem> {
    let found = actor.unit.devices().get(id).await?;
    let found = found.ok_or_else(|| Problem::not_found("device"))?;
    actor.done_with(DEVICE, &DeviceView::from(&found))
}
