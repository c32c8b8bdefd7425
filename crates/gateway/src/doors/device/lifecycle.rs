//! The life of a device: claimed, suspended, resumed, reported stolen, released, retired,
//! transferred. Each is its owner's act, with evidence.

mod claim;
mod view;

use hallway_evidence::statement::Device as Act;
use hallway_evidence::statement::device::{Change, ChangeTerms};
use hallway_evidence::{DeviceId, PersonId};
use schemars::JsonSchema;
use serde::Deserialize;

pub use self::claim::log_enrolment;
pub use self::view::{DeviceView, Name, list, name, one, seen, sees_every_device, visible_to};
use crate::Gateway;
use crate::doors::act::{Actor, Outcome, includes};
use crate::doors::web::keys::line;
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::store::{
    Device, DeviceState, HandOver, Person, PersonState, Repositories, Role, StoreError, SuspendedBy,
};

/// An act on a device, as asked for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum DeviceRequest {
    /// Take the device that shows a code.
    ClaimDevice {
        /// The code.
        code: String,
    },
    /// Move a device on in its life.
    ChangeDevice {
        /// Which.
        #[schemars(with = "String")]
        device: DeviceId,
        /// How.
        change: ChangeRequest,
    },
    /// Give a device to somebody else.
    TransferDevice {
        /// Which.
        #[schemars(with = "String")]
        device: DeviceId,
        /// To whom.
        #[schemars(with = "String")]
        person: PersonId,
    },
}

/// A change that needs no further word.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeRequest {
    /// Refuse what it signs until it is resumed.
    Suspend,
    /// End a suspension.
    Resume,
    /// Nobody can enrol it any more.
    ReportStolen,
    /// Give it up: whoever holds it may enrol it.
    Release,
    /// End its life.
    Retire,
}

/// The statement of an act on a device.
pub async fn prepare(
    gateway: &Gateway,
    caller: &Caller,
    request: DeviceRequest,
) -> Result<Act, Problem> {
    let (device, change) = match request {
        DeviceRequest::ClaimDevice { code } => return claim::prepare(gateway, caller, &code).await,
        DeviceRequest::TransferDevice { device, person } => {
            let to = recipient(gateway.store.read(), person).await?;
            (
                device,
                Change::Transfer {
                    to: person,
                    name: line("name", &to.name)?,
                },
            )
        }
        DeviceRequest::ChangeDevice { device, change } => (
            device,
            match change {
                ChangeRequest::Suspend => Change::Suspend,
                ChangeRequest::Resume => Change::Resume,
                ChangeRequest::ReportStolen => Change::ReportStolen,
                ChangeRequest::Release => Change::Release,
                ChangeRequest::Retire => Change::Retire,
            },
        ),
    };
    let found = seen(gateway.store.read(), &caller.person, device).await?;
    may_change(&caller.person, &found, &change)?;
    Ok(Act::Change(ChangeTerms {
        device,
        serial: line("serial number", &found.serial)?,
        change,
    }))
}

async fn recipient(unit: &dyn Repositories, person: PersonId) -> Result<Person, Problem> {
    unit.people()
        .get(person)
        .await?
        .filter(|person| person.state == PersonState::Active)
        .ok_or_else(|| Problem::not_found("active person"))
}

/// The owner decides. Operators may stop a device, but not give it away, and not say that a stolen
/// one was found. What an operator stopped, only an operator lets go on, by whatever way.
fn may_change(person: &Person, device: &Device, change: &Change) -> Result<(), Problem> {
    let by_operator = matches!(change, Change::Suspend | Change::Resume)
        && device.state != DeviceState::Stolen
        && includes(person.role, Role::Operator);
    let lifts = matches!(change, Change::Resume | Change::Release);
    if lifts && is_held(person, device) {
        return Err(suspended_by_operator());
    }
    if device.owner == Some(person.id) || by_operator {
        return Ok(());
    }
    Err(Problem::forbidden(
        "not-owner",
        "only the owner of this device may do that",
    ))
}

/// Whether an operator suspended the device and `person` is none. One that was reported stolen comes
/// back suspended as it was before, so that lifts nothing.
pub fn is_held(person: &Person, device: &Device) -> bool {
    device.state != DeviceState::Stolen
        && device.suspended_by == Some(SuspendedBy::Operator)
        && !includes(person.role, Role::Operator)
}

/// The refusal for an owner whose device an operator suspended.
fn suspended_by_operator() -> Problem {
    Problem::forbidden(
        "suspended-by-operator",
        "an operator suspended this device; ask an operator of this realm to resume it",
    )
}

/// As what `person` suspends `device`.
fn suspends_as(person: &Person, device: &Device) -> SuspendedBy {
    if device.owner == Some(person.id) {
        SuspendedBy::Owner
    } else {
        SuspendedBy::Operator
    }
}

/// The device that an act is about.
pub fn concerns(act: &Act) -> Option<DeviceId> {
    match act {
        Act::Claim(terms) => Some(terms.device),
        Act::Change(terms) => Some(terms.device),
        Act::Enrol | Act::Transaction(_) | Act::Status => None,
    }
}

/// Does what a person signed.
pub async fn perform(actor: &Actor<'_>, act: &Act) -> Result<Outcome, Problem> {
    let device = match act {
        Act::Claim(terms) => claim::perform(actor, terms).await?,
        Act::Change(terms) => perform_change(actor, terms).await?,
        Act::Enrol | Act::Transaction(_) | Act::Status => {
            return Err(Problem::malformed(
                "this statement is a device's, not a person's",
            ));
        }
    };
    let found = actor
        .unit
        .devices()
        .get(device)
        .await?
        .ok_or_else(|| Problem::not_found("device"))?;
    Ok(Outcome {
        device: Some(DeviceView::from(&found)),
        ..Outcome::done(actor)
    })
}

async fn perform_change(actor: &Actor<'_>, terms: &ChangeTerms) -> Result<DeviceId, Problem> {
    let devices = actor.unit.devices();
    let device = seen(actor.unit, actor.person, terms.device).await?;
    may_change(actor.person, &device, &terms.change)?;
    let by =
        suspends_as(actor.person, &device).max(device.suspended_by.unwrap_or(SuspendedBy::Owner));
    let state = match &terms.change {
        // An operator makes the owner's suspension a stricter one.
        Change::Suspend
            if device.state == DeviceState::Suspended && device.suspended_by != Some(by) =>
        {
            devices.set_suspended_by(device.id, by).await?;
            return Ok(device.id);
        }
        Change::Transfer { to, .. } => {
            recipient(actor.unit, *to).await?;
            let change = HandOver {
                to: *to,
                name: device.serial,
                from: actor.log_index,
            };
            devices.hand_over(device.id, &change).await?;
            return Ok(device.id);
        }
        // A device that was stolen comes back suspended: its owner looks at it before resuming.
        Change::Resume if device.state == DeviceState::Stolen => DeviceState::Suspended,
        Change::Resume => DeviceState::Registered,
        Change::Suspend => DeviceState::Suspended,
        Change::ReportStolen => DeviceState::Stolen,
        Change::Release => DeviceState::Released,
        Change::Retire => DeviceState::Retired,
    };
    devices
        .set_state(device.id, state)
        .await
        .map_err(|error| match error {
            StoreError::Transition { .. } => Problem::conflict("state", error.to_string()),
            error => error.into(),
        })?;
    if state == DeviceState::Suspended {
        devices.set_suspended_by(device.id, by).await?;
    }
    if state == DeviceState::Released {
        devices.give_up(device.id, actor.log_index).await?;
    }
    Ok(device.id)
}
