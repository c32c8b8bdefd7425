//! `/`: the overview, or the way in.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::super::view::{Count, NextStep, OverviewPage, Place};
use super::{arrive, evidence, frame, html, sees_all, transactions};
use crate::Gateway;
use crate::http::input::Asked;
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::store::{DeviceState, Holder, Limit, PageRequest, Role};

/// How many of the newest entries are shown.
const NEWEST: u64 = 5;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Deserialize)]
pub(super) struct Then {
    then: Option<String>,
}

/// The overview for whoever is signed in, the sign-in page for everybody else.
pub(super) async fn overview(
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
        limit: Limit::nearest(NEWEST),
    };
    let (latest, _) = transactions::rows(&gateway, &caller, None, &newest).await?;
    let (evidence, _) = evidence::rows(&gateway, &caller, &newest).await?;
    let devices = reader.devices().count(DeviceState::Registered).await?;
    let keys = reader
        .credentials()
        .held_by(Holder::Person(caller.person.id))
        .await?
        .len();
    html(&OverviewPage {
        next: next_steps(&gateway, &caller, keys, devices).await?,
        devices: Count(devices),
        keys: Count(keys as u64),
        log_size: Count(reader.log().head().await?.size),
        refusals: refusals(&gateway, &caller).await?,
        latest,
        evidence,
        frame: frame(&gateway, &caller, Place::Overview),
    })
}

async fn next_steps(
    gateway: &Gateway,
    caller: &Caller,
    keys: usize,
    devices: u64,
) -> Result<Vec<NextStep>, Problem> {
    let mut steps = vec![NextStep {
        what: "Register a second key",
        why: "With only one, its loss locks you out.",
        href: "/keys",
        done: keys > 1,
    }];
    if caller.person.role == Role::Owner {
        let authorities = gateway.store.read().authorities().installed().await?;
        steps.push(NextStep {
            what: "Trust a manufacturer",
            why: "A device enrols only if its certificate chains to an authority that you added.",
            href: "/authorities",
            done: !authorities.is_empty(),
        });
        steps.push(NextStep {
            what: "Claim a device",
            why: "Start it, and type the code that it shows.",
            href: "/claim",
            done: devices > 0,
        });
    }
    Ok(steps)
}

/// How many refusals the last 24 hours saw, as far as one look at the store tells.
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
