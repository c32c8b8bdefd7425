//! Devices as the API shows them, and their names.

use axum::Json;
use axum::extract::{Path, State};
use hallway_evidence::{DeviceId, Line, PersonId};
use hallway_spine::Gateway;
use hallway_spine::http::input::{Asked, Input, line};
use hallway_spine::http::page::{PageQuery, PageView};
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::store::{Person, Role, Unit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::{Device, DeviceFilter, DeviceState, DeviceTables, SuspendedBy};

/// A device, as the API shows one.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DeviceView {
    /// A UUID.
    #[schemars(with = "String")]
    pub id: DeviceId,
    /// The serial number that its maker attests.
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
    /// Who suspended the device: its owner or an operator.
    #[schemars(with = "Option<String>")]
    pub suspended_by: Option<SuspendedBy>,
    /// The number of its last transaction.
    pub last_sequence: u64,
    /// When the gateway heard from it last, milliseconds since 1970.
    pub last_seen_ms: Option<u64>,
    /// How many files it reports as set aside; 10,000 also stands for more.
    pub set_aside: u32,
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
            suspended_by: device.suspended_by,
            last_sequence: device.last_sequence,
            last_seen_ms: device.last_seen.map(|at| at.as_ms()),
            set_aside: device.set_aside,
            created_ms: device.created.as_ms(),
        }
    }
}

/// Whether a person sees every device and its whole history: operators and owners do. A member sees
/// a device while owning it, and its history of that time.
pub fn sees_every_device(person: &Person) -> bool {
    person.role >= Role::Operator
}

/// Whether a person may see the present state of a device.
fn may_see(person: &Person, device: &Device) -> bool {
    device.owner == Some(person.id) || sees_every_device(person)
}

/// The devices that a person sees.
pub fn visible_to(person: &Person) -> DeviceFilter {
    let owner = (!sees_every_device(person)).then_some(person.id);
    DeviceFilter { owner, state: None }
}

/// A device that `person` may see; others get the same 404 as a device that does not exist.
pub async fn seen(unit: &Unit<'_>, person: &Person, id: DeviceId) -> Result<Device, Problem> {
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
    unit: &Unit<'_>,
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
