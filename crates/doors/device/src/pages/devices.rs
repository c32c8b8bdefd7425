//! `/devices`, `/devices/{id}` and `/claim`.

use axum::extract::{Path, State};
use axum::response::Response;
use hallway_spine::Gateway;
use hallway_spine::console::pages::names::{self, Names};
use hallway_spine::console::pages::problem::sentence;
use hallway_spine::console::pages::query::ListQuery;
use hallway_spine::console::pages::sentence::stated;
use hallway_spine::console::pages::{frame, html, moment};
use hallway_spine::console::view::{Count, Mark, Tone};
use hallway_spine::http::input::Asked;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::models::{look, page as metadata};
use hallway_spine::store::{EvidenceFilter, Limit, MakerId, PageRequest, Person};

use super::super::view::{
    ClaimPage, DeviceAct, DevicePage, DeviceRow, DevicesPage, History, SetAside,
};
use super::transactions;
use crate::lifecycle;
use crate::store::{Device, DeviceState, DeviceTables, SuspendedBy};

/// How many of the newest transactions of a device are shown with it.
const NEWEST_TRANSACTIONS: u64 = 5;

/// The devices that the viewer may see.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Response, Problem> {
    let filter = lifecycle::visible_to(&caller.person);
    let reader = gateway.store.read();
    let page = reader.devices().page(filter, &query.request()?).await?;
    let names = Names::of(reader, page.items.iter().filter_map(|device| device.owner)).await?;
    let devices = page
        .items
        .iter()
        .map(|device| row(&gateway, &names, device));
    html(&DevicesPage {
        frame: frame(&gateway, &caller, super::DEVICES),
        devices: devices.collect(),
        makers: reader.makers().installed().await?.len(),
        paging: query.paging(super::DEVICES.path, page.next),
    })
}

/// One device.
pub(crate) async fn one(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let device = find(&gateway, &caller, &id).await?;
    let reader = gateway.store.read();
    let newest = PageRequest {
        after: None,
        limit: Limit::nearest(NEWEST_TRANSACTIONS),
    };
    let (latest, _) = transactions::rows(&gateway, &caller, Some(&id), &newest).await?;
    let request = PageRequest::default();
    let past = if lifecycle::sees_every_device(&caller.person) {
        let whole = EvidenceFilter::DeviceHistory(device.id);
        reader.evidence().page(whole, &request).await?
    } else {
        let held = reader.ownerships();
        held.history(device.id, caller.person.id, &request).await?
    };
    let history = past
        .items
        .iter()
        .map(|record| History {
            sentence: stated(record),
            hash: record.hash.to_string(),
            accepted: moment(&gateway, record.accepted),
        })
        .collect();
    let rights = rights(&caller.person, &device);
    let attestation = match &device.credential {
        Some(id) => reader.attestations().get(id).await?,
        None => None,
    };
    let attestation = attestation.as_ref();
    let refused = gateway
        .models
        .admit_device(device.aaguid, attestation, gateway.now())
        .err();
    html(&DevicePage {
        maker: maker(&gateway, device.maker).await?,
        aaguid: device.aaguid.to_string(),
        model: look::of_key(&gateway, device.aaguid, attestation)
            .map(|model| metadata::card(&gateway, model)),
        refused: refused.map(|refused| sentence(&refused.to_string())),
        acts: acts(device.state)
            .into_iter()
            .filter(|act| rights == Rights::Owns || act.can_be_undone())
            .filter(|act| !lifecycle::is_held(&caller.person, &device) || !act.lifts_suspension())
            .collect(),
        heirs: match rights {
            Rights::Owns => heirs(&gateway, &device).await?,
            Rights::LooksAfter => Vec::new(),
        },
        latest,
        history,
        device: row(&gateway, &Names::of(reader, device.owner).await?, &device),
        frame: frame(&gateway, &caller, super::DEVICES),
    })
}

/// The page on which a person types a device's code.
pub(crate) async fn claim(
    State(gateway): State<Gateway>,
    caller: Caller,
) -> Result<Response, Problem> {
    html(&ClaimPage {
        frame: frame(&gateway, &caller, super::DEVICES),
        makers: gateway.store.read().makers().installed().await?.len(),
    })
}

/// The device `id`, if the viewer may see it.
pub(crate) async fn find(gateway: &Gateway, caller: &Caller, id: &str) -> Result<Device, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("device"))?;
    lifecycle::seen(gateway.store.read(), &caller.person, id).await
}

/// The acts that the page offers to a person who sees a device. The API decides whether an act is
/// allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rights {
    Owns,
    LooksAfter,
}

fn rights(person: &Person, device: &Device) -> Rights {
    if device.owner == Some(person.id) {
        Rights::Owns
    } else {
        Rights::LooksAfter
    }
}

fn row(gateway: &Gateway, names: &Names, device: &Device) -> DeviceRow {
    DeviceRow {
        id: device.id.to_string(),
        name: if device.name.is_empty() {
            device.serial.clone()
        } else {
            device.name.clone()
        },
        serial: device.serial.clone(),
        state: state(device),
        owner: match device.owner {
            Some(owner) => names.person(owner),
            None => "nobody".to_owned(),
        },
        last_seen: device.last_seen.map(|at| moment(gateway, at)),
        sequence: Count(device.last_sequence),
        set_aside: SetAside(device.set_aside),
    }
}

fn state(device: &Device) -> Mark {
    match device.state {
        DeviceState::Announced => Mark::new(Tone::Waiting, "Announced"),
        DeviceState::Claimed => Mark::new(Tone::Waiting, "Claimed"),
        DeviceState::Registered => Mark::new(Tone::Good, "Registered"),
        DeviceState::Suspended if device.suspended_by == Some(SuspendedBy::Operator) => {
            Mark::new(Tone::Warning, "Suspended by an operator")
        }
        DeviceState::Suspended => Mark::new(Tone::Warning, "Suspended"),
        DeviceState::Stolen => Mark::new(Tone::Bad, "Reported stolen"),
        DeviceState::Released => Mark::new(Tone::Quiet, "Released"),
        DeviceState::Retired => Mark::new(Tone::Quiet, "Retired"),
    }
}

/// The acts on a device in this state.
fn acts(state: DeviceState) -> Vec<DeviceAct> {
    let reinstate = (
        DeviceAct::Reinstate,
        if state == DeviceState::Stolen {
            DeviceState::Suspended
        } else {
            DeviceState::Registered
        },
    );
    let suspended = matches!(state, DeviceState::Suspended | DeviceState::Stolen);
    let first = if suspended {
        reinstate
    } else {
        (DeviceAct::Suspend, DeviceState::Suspended)
    };
    [
        first,
        (DeviceAct::ReportStolen, DeviceState::Stolen),
        (DeviceAct::Release, DeviceState::Released),
        (DeviceAct::Retire, DeviceState::Retired),
    ]
    .into_iter()
    .filter(|(_, next)| state.may_become(*next))
    .map(|(act, _)| act)
    .collect()
}

/// The people who can become the device's owner: all others, while it is in service.
async fn heirs(gateway: &Gateway, device: &Device) -> Result<Vec<(String, String)>, Problem> {
    let in_service = matches!(
        device.state,
        DeviceState::Registered | DeviceState::Suspended
    );
    if !in_service {
        return Ok(Vec::new());
    }
    let people = names::choices(gateway.store.read()).await?.into_iter();
    let others = people.filter(|person| device.owner != Some(person.id));
    Ok(others.map(names::option).collect())
}

async fn maker(gateway: &Gateway, id: MakerId) -> Result<String, Problem> {
    let maker = gateway.store.read().makers().get(id).await?;
    Ok(maker.map_or_else(
        || "an unknown maker".to_owned(),
        |maker| match maker.removed {
            None => maker.name,
            Some(_) => format!("{}, which is no longer trusted", maker.name),
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_follow_the_life_of_a_device() {
        use DeviceAct::{Reinstate, Release, ReportStolen, Retire, Suspend};
        assert_eq!(
            acts(DeviceState::Registered),
            [Suspend, ReportStolen, Release, Retire]
        );
        assert_eq!(
            acts(DeviceState::Suspended),
            [Reinstate, ReportStolen, Release, Retire]
        );
        assert_eq!(acts(DeviceState::Stolen), [Reinstate, Retire]);
        assert_eq!(acts(DeviceState::Released), [Retire]);
        assert_eq!(acts(DeviceState::Retired), []);
    }
}
