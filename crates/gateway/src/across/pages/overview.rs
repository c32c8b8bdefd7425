//! `/`: the overview, or the sign-in page.

use axum::extract::State;
use axum::response::Response;
use hallway_door_device::lifecycle;
use hallway_door_device::pages::transactions;
use hallway_door_device::store::{Device, DeviceState, DeviceTables};
use hallway_door_hall::approvals;
use hallway_door_web::pages::arrive;
use hallway_spine::Gateway;
use hallway_spine::console::pages::{frame, html, sees_all};
use hallway_spine::console::view::{Count, NavigationEntry};
use hallway_spine::http::input::Asked;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use hallway_spine::store::{Holder, Limit, PageRequest, Role};
use serde::Deserialize;

use super::super::view::{NextStep, OverviewPage};
use super::evidence;

/// How many of the newest entries the page shows.
const NEWEST_ENTRIES: u64 = 5;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Deserialize)]
pub(crate) struct Then {
    then: Option<String>,
}

/// The overview for a person who is signed in, the sign-in page for everybody else.
pub(crate) async fn overview(
    State(gateway): State<Gateway>,
    caller: Option<Caller>,
    Asked(query): Asked<Then>,
) -> Result<Response, Problem> {
    let Some(caller) = caller else {
        return arrive::sign_in(&gateway, query.then.as_deref());
    };
    let reader = gateway.store.read();
    let newest = PageRequest {
        after: None,
        limit: Limit::nearest(NEWEST_ENTRIES),
    };
    let (latest, _) = transactions::rows(&gateway, &caller, None, &newest).await?;
    let (evidence, _) = evidence::rows(&gateway, &caller, &newest).await?;
    let (has_devices, in_service) = devices(&gateway, &caller).await?;
    let keys = reader
        .credentials()
        .held_by(Holder::Person(caller.person.id))
        .await?
        .len();
    let approvals = approvals::for_caller(&gateway, &caller).await?.len() as u64;
    html(&OverviewPage {
        approvals: (approvals > 0).then_some(Count(approvals)),
        next: next_steps(&gateway, &caller, keys, has_devices).await?,
        devices: Count(in_service),
        keys: Count(keys as u64),
        log_size: Count(reader.log().head().await?.size),
        refusals: refusals(&gateway, &caller).await?,
        latest,
        evidence,
        frame: frame(&gateway, &caller, NavigationEntry::OVERVIEW),
    })
}

/// Whether there is any device that the viewer may see, and how many of them are in service; for a
/// member, as far as one query counts.
async fn devices(gateway: &Gateway, caller: &Caller) -> Result<(bool, u64), Problem> {
    let repository = gateway.store.read().devices();
    let request = PageRequest {
        after: None,
        limit: Limit::nearest(u64::from(Limit::MAX)),
    };
    let visible = lifecycle::visible_to(&caller.person);
    let page = repository.page(visible, &request).await?;
    let registered = |device: &&Device| device.state == DeviceState::Registered;
    let in_service = if sees_all(&caller.person) {
        repository.count(DeviceState::Registered).await?
    } else {
        page.items.iter().filter(registered).count() as u64
    };
    Ok((!page.items.is_empty(), in_service))
}

async fn next_steps(
    gateway: &Gateway,
    caller: &Caller,
    keys: usize,
    has_devices: bool,
) -> Result<Vec<NextStep>, Problem> {
    let mut steps = vec![NextStep {
        what: "Register a second key",
        why: "With only one, its loss locks you out.",
        href: "/keys",
        done: keys > 1,
    }];
    if caller.person.role == Role::Owner {
        let makers = gateway.store.read().makers().installed().await?;
        steps.push(NextStep {
            what: "Add a maker of devices",
            why: "A device enrols only if its maker is one of those that the realm accepts.",
            href: "/makers",
            done: !makers.is_empty(),
        });
        steps.push(NextStep {
            what: "Claim a device",
            why: "Start it, and type the code that it shows.",
            href: "/claim",
            done: has_devices,
        });
    }
    Ok(steps)
}

/// How many refusals there were in the last 24 hours, as far as one query counts.
async fn refusals(gateway: &Gateway, caller: &Caller) -> Result<Option<String>, Problem> {
    if !sees_all(&caller.person) {
        return Ok(None);
    }
    let request = PageRequest {
        after: None,
        limit: Limit::nearest(u64::from(Limit::MAX)),
    };
    let page = gateway.store.read().refusals().page(&request).await?;
    let since = gateway.now().as_ms().saturating_sub(DAY_MS);
    let count = page
        .items
        .iter()
        .filter(|refusal| refusal.at.as_ms() >= since)
        .count();
    let all_counted = count < page.items.len() || page.next.is_none();
    Ok(Some(if all_counted {
        count.to_string()
    } else {
        format!("{count}+")
    }))
}
