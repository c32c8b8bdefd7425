//! `device.suspend`, `device.reinstate`, `device.report_stolen`, `device.release` and
//! `device.retire`: a device moves on in its life.

use async_trait::async_trait;
use hallway_evidence::statement::device::{Reinstate, Release, ReportStolen, Retire, Suspend};
use hallway_evidence::{DeviceId, Line};
use hallway_spine::act::{Actor, Asking, Given, Outcome, Perform, Prepared};
use hallway_spine::http::input::line;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::store::{Person, Role, StoreError};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{GIVEN, is_held, not_owner, outcome, seen, suspended_by_operator};
use crate::DeviceDoor;
use crate::store::{Device, DeviceState, DeviceTables, SuspendedBy};

/// The device.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The device.
    #[schemars(with = "String")]
    device: DeviceId,
}

/// How a device moves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Suspend,
    Reinstate,
    ReportStolen,
    Release,
    Retire,
}

/// Implements the act of each change.
macro_rules! changes {
    ($($name:ident,)+) => {$(
        #[async_trait]
        impl Perform<DeviceDoor> for $name {
            const GIVES: Option<Given> = GIVEN;

            type Request = Request;

            async fn prepare(
                asking: &Asking<'_>,
                request: Request,
            ) -> Result<Prepared<Self>, Problem> {
                let device = request.device;
                let serial = allowed(asking, device, Change::$name).await?;
                Ok(Self { device, serial }.into())
            }

            fn device(&self) -> Option<DeviceId> {
                Some(self.device)
            }

            async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
                change(actor, self.device, Change::$name).await?;
                outcome(actor, self.device).await
            }
        }
    )+};
}

changes! {
    Suspend,
    Reinstate,
    ReportStolen,
    Release,
    Retire,
}

/// The device's serial number, if the caller may change it so.
async fn allowed(asking: &Asking<'_>, id: DeviceId, change: Change) -> Result<Line, Problem> {
    let person = &asking.caller.person;
    let device = seen(asking.gateway.store.read(), person, id).await?;
    may_change(person, &device, change)?;
    line("serial number", &device.serial)
}

/// Whether the person may make this change. The owner decides; operators may suspend a device, but
/// neither release it nor end a report of theft. Only an operator ends, in any way, what an
/// operator suspended.
fn may_change(person: &Person, device: &Device, change: Change) -> Result<(), Problem> {
    let by_operator = matches!(change, Change::Suspend | Change::Reinstate)
        && device.state != DeviceState::Stolen
        && person.role >= Role::Operator;
    let lifts = matches!(change, Change::Reinstate | Change::Release);
    if lifts && is_held(person, device) {
        return Err(suspended_by_operator());
    }
    if device.owner == Some(person.id) || by_operator {
        return Ok(());
    }
    Err(not_owner())
}

/// Whether `person` suspends `device` as its owner or as an operator.
fn suspends_as(person: &Person, device: &Device) -> SuspendedBy {
    if device.owner == Some(person.id) {
        SuspendedBy::Owner
    } else {
        SuspendedBy::Operator
    }
}

async fn change(actor: &Actor<'_>, id: DeviceId, change: Change) -> Result<(), Problem> {
    let devices = actor.unit.devices();
    let device = seen(actor.unit, actor.person, id).await?;
    may_change(actor.person, &device, change)?;
    let by =
        suspends_as(actor.person, &device).max(device.suspended_by.unwrap_or(SuspendedBy::Owner));
    let state = match change {
        // An operator makes the owner's suspension a stricter one.
        Change::Suspend
            if device.state == DeviceState::Suspended && device.suspended_by != Some(by) =>
        {
            return Ok(devices.set_suspended_by(id, by).await?);
        }
        // A device that was stolen comes back suspended: its owner looks at it first.
        Change::Reinstate if device.state == DeviceState::Stolen => DeviceState::Suspended,
        Change::Reinstate => DeviceState::Registered,
        Change::Suspend => DeviceState::Suspended,
        Change::ReportStolen => DeviceState::Stolen,
        Change::Release => DeviceState::Released,
        Change::Retire => DeviceState::Retired,
    };
    devices
        .set_state(id, state)
        .await
        .map_err(|error| match error {
            StoreError::Transition { .. } => Problem::new(Code::State, error.to_string()),
            error => error.into(),
        })?;
    if state == DeviceState::Suspended {
        devices.set_suspended_by(id, by).await?;
    }
    if state == DeviceState::Released {
        devices.give_up(id, actor.log_index).await?;
    }
    Ok(())
}
