//! Claiming a device: its owner types the code that it shows, and signs which device it is.

use async_trait::async_trait;
use hallway_evidence::statement::device::Claim;
use hallway_evidence::{DeviceId, SignedStatement};
use hallway_spine::Gateway;
use hallway_spine::act::{Actor, Asking, Given, Outcome, Perform, Prepared};
use hallway_spine::http::input::line;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::ledger::HashedStatement;
use hallway_spine::models::verdict;
use hallway_spine::store::{Credential, Holder, Person, StoreError, Unit};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{GIVEN, outcome, suspended_by_operator};
use crate::identity::Identity;
use crate::store::{Announcement, Device, DeviceState, DeviceTables, Enrolment, SuspendedBy};
use crate::{DeviceDoor, announce, code};

/// The device, by its code.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The code that the device shows.
    code: String,
}

#[async_trait]
impl Perform<DeviceDoor> for Claim {
    const GIVES: Option<Given> = GIVEN;

    type Request = Request;

    async fn prepare(asking: &Asking<'_>, request: Request) -> Result<Prepared<Self>, Problem> {
        let (gateway, caller) = (asking.gateway, asking.caller);
        let announcement = code::find(gateway, caller, &request.code).await?;
        let reader = gateway.store.read();
        let signed = decode(&announcement.signed)?;
        let registration = announce::verify(gateway, reader, &signed).await?;
        let identity = Identity::of(reader, &registration).await?;
        let known = claimable(reader, &caller.person, &identity).await?;
        let maker = reader
            .makers()
            .get(announcement.maker)
            .await?
            .ok_or_else(|| Problem::not_found("maker"))?;
        let terms = Self {
            device: known.map_or_else(DeviceId::generate, |device| device.id),
            serial: identity.serial,
            model: announcement.aaguid,
            maker: line("maker", &maker.name)?,
            credential: announcement.credential,
            enrolment: signed.challenge(),
            owner: caller.person.id,
        };
        Ok(terms.into())
    }

    /// The enrolment is logged before the claim, because a verifier of a receipt checks that order.
    async fn before(&self, gateway: &Gateway, unit: &Unit<'_>) -> Result<(), Problem> {
        let announcement = unit
            .announcements()
            .by_credential(&self.credential)
            .await?
            .ok_or_else(gone)?;
        let signed = decode(&announcement.signed)?;
        if signed.challenge() != self.enrolment {
            return Err(gone());
        }
        gateway
            .accept(unit, signed, Some(self.owner), Some(self.device))
            .await?;
        Ok(())
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device)
    }

    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem> {
        claim(actor, self).await?;
        outcome(actor, self.device).await
    }
}

fn gone() -> Problem {
    Problem::not_found("code; the device's code was used or has expired")
}

fn decode(signed: &[u8]) -> Result<HashedStatement, Problem> {
    SignedStatement::decode(signed)
        .map(HashedStatement::from)
        .map_err(|error| Problem::internal(&error))
}

/// A device that has an owner can be enrolled anew by that owner alone, factory reset or not.
fn may_claim(person: &Person, device: &Device) -> Result<(), Problem> {
    match device.state {
        DeviceState::Announced | DeviceState::Released => Ok(()),
        DeviceState::Stolen => Err(Problem::new(
            Code::Stolen,
            "this device was reported stolen",
        )),
        DeviceState::Retired => Err(Problem::new(
            Code::Retired,
            "this device was retired for good",
        )),
        // Enrolling the device anew would reinstate it.
        _ if device.owner == Some(person.id)
            && device.suspended_by == Some(SuspendedBy::Operator) =>
        {
            Err(suspended_by_operator())
        }
        _ if device.owner == Some(person.id) => Ok(()),
        _ => Err(Problem::new(
            Code::Owned,
            "this device belongs to another person, who must release it first",
        )),
    }
}

/// The record of a unit that `person` may claim, if there is one. If there are several, each of
/// them must allow the claim, and the oldest is used.
async fn claimable(
    unit: &Unit<'_>,
    person: &Person,
    identity: &Identity,
) -> Result<Option<Device>, Problem> {
    let known = identity.known(unit).await?;
    for device in &known {
        may_claim(person, device)?;
    }
    Ok(known.into_iter().next())
}

/// Enters the claim into the tables.
async fn claim(actor: &Actor<'_>, terms: &Claim) -> Result<(), Problem> {
    let (unit, now) = (actor.unit, actor.now);
    let announcement = unit
        .announcements()
        .by_credential(&terms.credential)
        .await?
        .ok_or_else(gone)?;
    let signed = decode(&announcement.signed)?;
    if terms.owner != actor.person.id || signed.challenge() != terms.enrolment {
        return Err(gone());
    }
    // Verified again: the maker may have been removed, or the model revoked, since the
    // announcement.
    let registration = announce::verify(actor.gateway, unit, &signed).await?;
    let identity = Identity::of(unit, &registration).await?;
    let known = claimable(unit, actor.person, &identity).await?;
    match &known {
        Some(device) if device.id == terms.device => {
            // A device that its owner enrols anew passes through release, so that a new era begins.
            if !matches!(device.state, DeviceState::Announced | DeviceState::Released) {
                unit.devices()
                    .set_state(device.id, DeviceState::Released)
                    .await?;
            }
            unit.devices().mark(device.id, identity.marks()).await?;
        }
        Some(_) => {
            return Err(Problem::new(
                Code::Owned,
                "another person claimed this device meanwhile",
            ));
        }
        None => {
            let device = newcomer(&announcement, terms.device);
            unit.devices().add(&device, identity.marks()).await?;
        }
    }
    if !unit
        .announcements()
        .claim(announcement.id, terms.device, now)
        .await?
    {
        return Err(gone());
    }
    let enrolment = unit
        .evidence()
        .by_statement(&terms.enrolment.into())
        .await?
        .ok_or_else(gone)?;
    unit.credentials()
        .add(&Credential {
            id: announcement.credential.clone(),
            holder: Holder::Device(terms.device),
            public_key: announcement.public_key,
            sign_count: announcement.sign_count,
            aaguid: announcement.aaguid,
            label: announcement.serial.clone(),
            transports: Vec::new(),
            backup_eligible: false,
            backed_up: false,
            uv_initialized: false,
            user_handle: terms.device.as_bytes().to_vec(),
            // The credential signed nothing before this time.
            created: announcement.created,
            last_used: None,
            registration: enrolment.hash,
        })
        .await
        .map_err(|error| match error {
            StoreError::Exists { .. } => announce::known_key(),
            error => error.into(),
        })?;
    if let Some(attestation) = verdict::to_keep(&registration.attestation) {
        unit.attestations()
            .add(&announcement.credential, &attestation)
            .await?;
    }
    // The name that an earlier owner gave it is not shown to a later one.
    let before = unit
        .ownerships()
        .last_of(terms.device, actor.person.id)
        .await?;
    let name = before.map_or_else(|| announcement.serial.clone(), |period| period.name);
    let enrolled = Enrolment {
        credential: announcement.credential,
        maker: announcement.maker,
        owner: actor.person.id,
        name,
        enrolment: enrolment.hash,
        claim: actor.evidence,
        from: enrolment.log_index,
    };
    unit.devices().enrol(terms.device, &enrolled).await?;
    Ok(())
}

fn newcomer(announcement: &Announcement, id: DeviceId) -> Device {
    Device {
        id,
        serial: announcement.serial.clone(),
        maker: announcement.maker,
        aaguid: announcement.aaguid,
        name: announcement.serial.clone(),
        owner: None,
        state: DeviceState::Announced,
        suspended_by: None,
        credential: None,
        era: 0,
        last_sequence: 0,
        last_taken: announcement.created,
        last_seen: None,
        set_aside: 0,
        set_aside_since: None,
        created: announcement.created,
        enrolment: None,
        claim: None,
    }
}
