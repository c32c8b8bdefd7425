//! A hall's files for a browser, under its session and the grant that a touch gave that session.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::response::Response;
use axum::{Json, RequestExt};
use hallway_evidence::statement::hall::{HallName, StoreName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::grants::GrantRow;
use crate::Gateway;
use crate::hall::{Presence, Standing};
use crate::http::input::Input;
use crate::http::problem::Problem;
use crate::http::session::Caller;

/// What a browser does to a file besides reading and writing it.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// Give it another name, in another folder perhaps; nothing is overwritten.
    Rename {
        /// The new path in the store, percent-encoded, without a slash in front.
        to: String,
    },
    /// Make a folder of this name.
    MakeFolder {},
}

/// Where a request points.
#[derive(Debug, Deserialize)]
pub struct Place {
    name: String,
    store: String,
}

/// The grant of this session in a hall, and whoever holds it.
pub async fn entered(
    gateway: &Gateway,
    caller: &Caller,
    hall: &HallName,
) -> Result<Option<(Arc<Presence>, Arc<Standing>)>, Problem> {
    let now = gateway.now();
    let grants = gateway.store.read().grants();
    let grants = grants.of_session(&caller.session.token, hall, now).await?;
    // The newest: a touch for more or for less replaces what was open before.
    let Some(grant) = grants.first() else {
        return Ok(None);
    };
    let presence = gateway.halls.inside.guest(gateway, grant).await?;
    let standing = presence.standing(gateway).await?;
    Ok(standing.map(|standing| (presence, standing)))
}

/// The grant of the caller's session in a hall, for pages: nothing when it is not open.
pub async fn open_now(
    gateway: &Gateway,
    caller: &Caller,
    hall: &HallName,
) -> Result<Option<GrantRow>, Problem> {
    match entered(gateway, caller, hall).await {
        Ok(entered) => Ok(entered.map(|(_, standing)| GrantRow::from(&standing.grant))),
        Err(problem) if problem.status.is_server_error() => Err(problem),
        Err(_) => Ok(None),
    }
}

/// GET, HEAD, PUT, PATCH and DELETE, as on the hall listener.
pub async fn files(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(place): Path<Place>,
    request: Request,
) -> Result<Response, Problem> {
    serve(&gateway, &caller, &place, request).await
}

/// What HTML and fetch have no method for.
pub async fn change(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(place): Path<Place>,
    request: Request,
) -> Result<Response, Problem> {
    let uri = request.uri().clone();
    let Input(change): Input<Change> = request.extract().await?;
    let mut request = Request::builder().uri(uri);
    match change {
        Change::MakeFolder {} => {
            request = request.method(method("MKCOL")?);
        }
        Change::Rename { to } => {
            let to = format!("{}/{to}", mount(&place));
            let to = HeaderValue::try_from(to)
                .map_err(|_| Problem::malformed("the new path is not percent-encoded"))?;
            request = request
                .method(method("MOVE")?)
                .header(HeaderName::from_static("destination"), to)
                .header(HeaderName::from_static("overwrite"), "F");
        }
    }
    let request = request
        .body(axum::body::Body::empty())
        .map_err(|error| Problem::internal(&error))?;
    serve(&gateway, &caller, &place, request).await
}

fn method(name: &str) -> Result<Method, Problem> {
    Method::from_bytes(name.as_bytes()).map_err(|error| Problem::internal(&error))
}

fn mount(place: &Place) -> String {
    format!("/api/halls/{}/files/{}", place.name, place.store)
}

async fn serve(
    gateway: &Gateway,
    caller: &Caller,
    place: &Place,
    mut request: Request,
) -> Result<Response, Problem> {
    let (hall, store): (HallName, StoreName) = match (place.name.parse(), place.store.parse()) {
        (Ok(hall), Ok(store)) => (hall, store),
        _ => return Err(Problem::not_found("store")),
    };
    let entered = entered(gateway, caller, &hall).await?;
    let (presence, standing) = entered.ok_or_else(|| {
        Problem::forbidden(
            "not-open",
            format!("the hall “{hall}” is not open in this browser; open it with a touch"),
        )
    })?;
    // What carries the session is nobody else's business.
    request.headers_mut().remove(header::COOKIE);
    request.headers_mut().remove(header::AUTHORIZATION);
    let (offers, mount) = (&gateway.halls.offers, mount(place));
    Ok(offers
        .files(&standing, &store, &mount, &presence.pass, request)
        .await)
}

/// The grant of the caller's session in a hall.
pub async fn grant(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<Option<GrantRow>>, Problem> {
    let hall: HallName = name.parse().map_err(|_| Problem::not_found("hall"))?;
    Ok(Json(open_now(&gateway, &caller, &hall).await?))
}
