//! A partner's hall for a browser, under its session and the grant that a touch gave that session.
//! [`super::visit`] is about commands, which go there themselves.

pub mod proxy;

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use hallway_evidence::RealmName;
use hallway_evidence::statement::hall::{HallName, StoreName};
use hallway_hall::client::{ANSWER, Relayed};
use hallway_spine::Gateway;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use serde::Deserialize;

use self::proxy::{Proxy, There};
use super::files::{self, as_webdav, not_open};
use super::grants::GrantRow;
use crate::HallsOf;
use crate::channel::inside::Thing;
use crate::channel::{Presence, Standing};

/// The path parameters of a request for files.
#[derive(Debug, Deserialize)]
pub struct AwayStoreAddress {
    realm: String,
    hall: String,
    store: String,
}

/// A partner's hall that is open in a browser, as far as home knows.
pub struct Entered {
    presence: Arc<Presence>,
    /// The grant at home.
    pub standing: Arc<Standing>,
    /// The way to the hall.
    pub proxy: Proxy,
}

/// The realm and the hall of an address.
///
/// # Errors
/// 404.
pub fn named(realm: &str, hall: &str) -> Result<(RealmName, HallName), Problem> {
    match (realm.parse(), hall.parse()) {
        (Ok(host), Ok(hall)) => Ok((host, hall)),
        _ => Err(Problem::not_found("hall")),
    }
}

/// The grant of this session in a hall of `host`, and the way to the hall.
///
/// # Errors
/// The grant has ended, or the partnership has.
pub async fn entered(
    gateway: &Gateway,
    caller: &Caller,
    host: &RealmName,
    hall: &HallName,
) -> Result<Option<Entered>, Problem> {
    let entered = files::entered(gateway, caller, Some(host), hall).await?;
    let Some((presence, standing)) = entered else {
        return Ok(None);
    };
    let proxies = &gateway.halls().proxies;
    let proxy = proxies.enter(gateway, host, &presence, &standing).await?;
    Ok(Some(Entered {
        presence,
        standing,
        proxy,
    }))
}

/// The grant of the caller's session in a partner's hall, as the partner sees it now.
pub async fn grant(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path((realm, hall)): Path<(String, String)>,
) -> Result<Json<Option<GrantRow>>, Problem> {
    let (host, hall) = named(&realm, &hall)?;
    let Some(entered) = entered(&gateway, &caller, &host, &hall).await? else {
        return Ok(Json(None));
    };
    let row = GrantRow::new(&entered.standing.grant, gateway.now());
    Ok(Json(match entered.proxy.look(&gateway).await? {
        There::Open(grant) => Some(GrantRow {
            rights: grant.rights,
            ..row
        }),
        There::Waiting(_) => Some(GrantRow {
            state: "waiting",
            ..row
        }),
        There::Over(_) => None,
    }))
}

/// GET, HEAD, PUT, PATCH and DELETE, as on the partner's hall listener.
pub async fn files(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(place): Path<AwayStoreAddress>,
    request: Request,
) -> Result<Response, Problem> {
    serve(&gateway, &caller, &place, request).await
}

/// Changes for which HTML and fetch have no method.
pub async fn change(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(place): Path<AwayStoreAddress>,
    request: Request,
) -> Result<Response, Problem> {
    let request = as_webdav(request, &mount(&place)).await?;
    serve(&gateway, &caller, &place, request).await
}

fn mount(place: &AwayStoreAddress) -> String {
    let AwayStoreAddress { realm, hall, store } = place;
    format!("/api/partners/{realm}/halls/{hall}/files/{store}")
}

async fn serve(
    gateway: &Gateway,
    caller: &Caller,
    place: &AwayStoreAddress,
    request: Request,
) -> Result<Response, Problem> {
    let (host, hall) = named(&place.realm, &place.hall)?;
    let store: StoreName = place
        .store
        .parse()
        .map_err(|_| Problem::not_found("store"))?;
    let entered = entered(gateway, caller, &host, &hall).await?;
    let entered = entered.ok_or_else(|| not_open(&hall))?;
    // The partner decides, but a request beyond the rights that were granted at home is not sent.
    entered.standing.access(&store)?;
    let thing = Thing::Store(store.clone());
    let pass = entered.presence.pass_for(&entered.standing, thing);
    let client = entered.proxy.client(gateway).await?;
    let relayed = Relayed {
        client,
        store: &store,
        mount: &mount(place),
        patience: ANSWER,
    };
    Ok(relayed.answer(&pass, request).await.map(Body::new))
}
