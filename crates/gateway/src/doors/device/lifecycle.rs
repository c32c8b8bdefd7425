//! The life of a device: claimed, suspended, resumed, reported stolen, released, retired,
//! transferred. Each is its owner's act, with evidence.

use axum::Json;
use axum::extract::{Path, State};
use hallway_evidence::statement::Device as Act;
use hallway_evidence::statement::device::{Change, ChangeTerms, Claim};
use hallway_evidence::{DeviceId, Line, PersonId, SignedStatement};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{announce, code};
use crate::Gateway;
use crate::doors::act::{Actor, Outcome, includes};
use crate::doors::web::keys::line;
use crate::http::input::{Asked, Input};
use crate::http::page::{PageQuery, PageView};
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::models::verdict;
use crate::store::{
    Announcement, Credential, Device, DeviceFilter, DeviceState, Enrolment, Holder, Person,
    PersonState, Repositories, Role, StoreError,
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

/// A device, as the API shows one.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DeviceView {
    /// A UUID.
    #[schemars(with = "String")]
    pub id: DeviceId,
    /// The serial number that its authority attests.
    pub serial: String,
    /// The model, an AAGUID.
    pub model: String,
    /// What its owner calls it.
    pub name: String,
    /// The owner's id.
    #[schemars(with = "Option<String>")]
    pub owner: Option<PersonId>,
    /// announced, claimed, registered, suspended, stolen, released or retired.
    #[schemars(with = "String")]
    pub state: DeviceState,
    /// The number of its last transaction.
    pub last_sequence: u64,
    /// When it was heard of last, milliseconds since 1970.
    pub last_seen_ms: Option<u64>,
    /// When it was first claimed, milliseconds since 1970.
    pub created_ms: u64,
}

impl From<&Device> for DeviceView {
    fn from(device: &Device) -> Self {
        Self {
            id: device.id,
            serial: device.serial.clone(),
            model: device.aaguid.to_string(),
            name: device.name.clone(),
            owner: device.owner,
            state: device.state,
            last_sequence: device.last_sequence,
            last_seen_ms: device.last_seen.map(|at| at.as_ms()),
            created_ms: device.created.as_ms(),
        }
    }
}

/// Whether a person may see a device: its owner, and whoever runs the realm.
pub fn may_see(person: &Person, device: &Device) -> bool {
    device.owner == Some(person.id) || includes(person.role, Role::Operator)
}

/// Which devices a person sees.
pub fn visible_to(person: &Person) -> DeviceFilter {
    let owner = (!includes(person.role, Role::Operator)).then_some(person.id);
    DeviceFilter { owner, state: None }
}

/// A device that `person` may see; the others need not be known to exist.
pub async fn seen(
    unit: &dyn Repositories,
    person: &Person,
    id: DeviceId,
) -> Result<Device, Problem> {
    unit.devices()
        .get(id)
        .await?
        .filter(|device| may_see(person, device))
        .ok_or_else(|| Problem::not_found("device"))
}

/// Lists the devices that the caller may see.
pub async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<PageView<DeviceView>>, Problem> {
    let page = gateway
        .store
        .read()
        .devices()
        .page(visible_to(&caller.person), &query.request()?)
        .await?;
    Ok(Json(PageView::new(
        page.items.iter().map(DeviceView::from).collect(),
        page.next,
    )))
}

/// One device.
pub async fn one(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<DeviceView>, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("device"))?;
    Ok(Json(DeviceView::from(
        &seen(gateway.store.read(), &caller.person, id).await?,
    )))
}

/// A new name for a device.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Name {
    /// What its owner calls it.
    pub name: String,
}

/// Names a device.
pub async fn name(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(id): Path<String>,
    Input(request): Input<Name>,
) -> Result<Json<DeviceView>, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("device"))?;
    let name = line("name", &request.name)?;
    let renamed = gateway
        .transact(|unit| Box::pin(rename(unit, &caller.person, id, &name)))
        .await?;
    Ok(Json(DeviceView::from(&renamed)))
}

async fn rename(
    unit: &dyn Repositories,
    person: &Person,
    id: DeviceId,
    name: &Line,
) -> Result<Device, Problem> {
    let device = seen(unit, person, id).await?;
    unit.devices().rename(id, name.as_str()).await?;
    Ok(Device {
        name: name.as_str().to_owned(),
        ..device
    })
}

/// The statement of an act on a device.
pub async fn prepare(
    gateway: &Gateway,
    caller: &Caller,
    request: DeviceRequest,
) -> Result<Act, Problem> {
    let (device, change) = match request {
        DeviceRequest::ClaimDevice { code } => return claim(gateway, caller, &code).await,
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
/// one was found.
fn may_change(person: &Person, device: &Device, change: &Change) -> Result<(), Problem> {
    let by_operator = matches!(change, Change::Suspend | Change::Resume)
        && device.state != DeviceState::Stolen
        && includes(person.role, Role::Operator);
    if device.owner == Some(person.id) || by_operator {
        return Ok(());
    }
    Err(Problem::forbidden(
        "not-owner",
        "only the owner of this device may do that",
    ))
}

async fn claim(gateway: &Gateway, caller: &Caller, code: &str) -> Result<Act, Problem> {
    let announcement = code::find(gateway, caller, code).await?;
    let reader = gateway.store.read();
    let known = reader
        .devices()
        .by_serial(announcement.authority, &announcement.serial)
        .await?;
    if let Some(device) = &known {
        may_claim(&caller.person, device)?;
    }
    let authority = reader
        .authorities()
        .get(announcement.authority)
        .await?
        .ok_or_else(|| Problem::not_found("authority"))?;
    let signed = decode(&announcement.signed)?;
    Ok(Act::Claim(Claim {
        device: known.map_or_else(DeviceId::generate, |device| device.id),
        serial: line("serial number", &announcement.serial)?,
        model: announcement.aaguid,
        authority: line("authority", &authority.name)?,
        credential: announcement.credential,
        enrolment: signed.challenge(),
        owner: caller.person.id,
    }))
}

fn decode(signed: &[u8]) -> Result<SignedStatement, Problem> {
    SignedStatement::decode(signed).map_err(|error| Problem::internal(&error))
}

/// A device that has an owner can be enrolled anew by that owner alone, factory reset or not.
fn may_claim(person: &Person, device: &Device) -> Result<(), Problem> {
    match device.state {
        DeviceState::Announced | DeviceState::Released => Ok(()),
        DeviceState::Stolen => Err(Problem::forbidden(
            "stolen",
            "this device was reported stolen",
        )),
        DeviceState::Retired => Err(Problem::forbidden(
            "retired",
            "this device was retired for good",
        )),
        _ if device.owner == Some(person.id) => Ok(()),
        _ => Err(Problem::forbidden(
            "owned",
            "this device belongs to somebody else, who must release it first",
        )),
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
        Act::Claim(terms) => perform_claim(actor, terms).await?,
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
    let state = match &terms.change {
        Change::Transfer { to, .. } => {
            recipient(actor.unit, *to).await?;
            devices.set_owner(device.id, Some(*to)).await?;
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
    if state == DeviceState::Released {
        devices.set_owner(device.id, None).await?;
    }
    Ok(device.id)
}

/// Logs the enrolment that a claim takes up. It comes before the claim in the log, because it came
/// before it: whoever verifies a receipt looks at the order.
///
/// # Errors
/// 404: nothing is announced under these terms.
pub async fn log_enrolment(
    gateway: &Gateway,
    unit: &dyn Repositories,
    terms: &Claim,
) -> Result<(), Problem> {
    let gone = || Problem::not_found("code; the device's code was used or has expired");
    let announcement = unit
        .announcements()
        .by_credential(&terms.credential)
        .await?
        .ok_or_else(gone)?;
    let signed = decode(&announcement.signed)?;
    if signed.challenge() != terms.enrolment {
        return Err(gone());
    }
    gateway
        .accept(unit, signed, Some(terms.owner), Some(terms.device))
        .await?;
    Ok(())
}

async fn perform_claim(actor: &Actor<'_>, terms: &Claim) -> Result<DeviceId, Problem> {
    let (unit, now) = (actor.unit, actor.now);
    let gone = || Problem::not_found("code; the device's code was used or has expired");
    let announcement = unit
        .announcements()
        .by_credential(&terms.credential)
        .await?
        .ok_or_else(gone)?;
    let signed = decode(&announcement.signed)?;
    if terms.owner != actor.person.id || signed.challenge() != terms.enrolment {
        return Err(gone());
    }
    let known = unit
        .devices()
        .by_serial(announcement.authority, &announcement.serial)
        .await?;
    match &known {
        Some(device) if device.id == terms.device => {
            may_claim(actor.person, device)?;
            // Enrolled anew by its owner: it passes through release, so that a new era begins.
            if !matches!(device.state, DeviceState::Announced | DeviceState::Released) {
                unit.devices()
                    .set_state(device.id, DeviceState::Released)
                    .await?;
            }
        }
        Some(_) => {
            return Err(Problem::conflict(
                "owned",
                "somebody else claimed this device meanwhile",
            ));
        }
        None => {
            unit.devices()
                .add(&newcomer(&announcement, terms.device))
                .await?
        }
    }
    if !unit
        .announcements()
        .claim(announcement.id, terms.device, now)
        .await?
    {
        return Err(gone());
    }
    // Once more: an authority may have been removed, or a model revoked, since it was announced.
    let registration = announce::verify(actor.gateway, unit, &signed).await?;
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
            created: now,
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
    let name = known.map_or_else(|| announcement.serial.clone(), |device| device.name);
    let enrolled = Enrolment {
        credential: announcement.credential,
        owner: actor.person.id,
        name,
        enrolment: enrolment.hash,
        claim: actor.evidence,
    };
    unit.devices().enrol(terms.device, &enrolled).await?;
    Ok(terms.device)
}

fn newcomer(announcement: &Announcement, id: DeviceId) -> Device {
    Device {
        id,
        serial: announcement.serial.clone(),
        authority: announcement.authority,
        aaguid: announcement.aaguid,
        name: announcement.serial.clone(),
        owner: None,
        state: DeviceState::Announced,
        credential: None,
        era: 0,
        last_sequence: 0,
        last_taken: announcement.created,
        last_seen: None,
        created: announcement.created,
        enrolment: None,
        claim: None,
    }
}
