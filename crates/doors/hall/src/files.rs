//! The files of a hall for a browser, under its session and the grant that a touch gave that
//! session. The hall is one of this realm; [`super::away`] is for halls of partners.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::response::Response;
use axum::{Json, RequestExt};
use hallway_evidence::RealmName;
use hallway_evidence::statement::hall::{HallName, StoreName};
use hallway_hall::foreign;
use hallway_spine::Gateway;
use hallway_spine::http::input::Input;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::session::Caller;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::grants::GrantRow;
use crate::channel::inside::Thing;
use crate::channel::{Presence, Standing};
use crate::store::{Grant, GrantState, HallTables};
use crate::{HallsOf, channel};

/// A change by a browser, besides reading and writing a file.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// Rename the file, also into another folder; nothing is overwritten.
    Rename {
        /// The new path in the store, percent-encoded, without a slash in front.
        to: String,
    },
    /// Make a folder of this name.
    MakeFolder {},
}

/// The path parameters of a request.
#[derive(Debug, Deserialize)]
pub struct StoreAddress {
    name: String,
    store: String,
}

impl Change {
    /// The change as a WebDAV request for the file at `uri`, in a store that is reached at `mount`.
    fn into_request(self, uri: Uri, mount: &str) -> Result<Request, Problem> {
        let mut request = Request::builder().uri(uri);
        match self {
            Self::MakeFolder {} => {
                request = request.method(method("MKCOL")?);
            }
            Self::Rename { to } => {
                let to = HeaderValue::try_from(format!("{mount}/{to}"))
                    .map_err(|_| Problem::malformed("the new path is not percent-encoded"))?;
                request = request
                    .method(method("MOVE")?)
                    .header(HeaderName::from_static("destination"), to)
                    .header(HeaderName::from_static("overwrite"), "F");
            }
        }
        request
            .body(Body::empty())
            .map_err(|error| Problem::internal(&error))
    }
}

/// The grant of this session in a hall of this realm or of the partner `host`, and its holder.
pub async fn entered(
    gateway: &Gateway,
    caller: &Caller,
    host: Option<&RealmName>,
    hall: &HallName,
) -> Result<Option<(Arc<Presence>, Arc<Standing>)>, Problem> {
    let now = gateway.now();
    let grants = gateway.store.read().grants();
    let session = &caller.session.token;
    let grants = grants.of_session(session, host, hall, now).await?;
    // The newest grant: a touch for other rights replaces the grant of before, once it opens.
    let open = |grant: &&Grant| grant.state(now) == GrantState::Open;
    let Some(grant) = grants.iter().find(open) else {
        return Ok(None);
    };
    let presence = gateway.halls().inside.guest(gateway, grant).await?;
    let standing = presence.standing(gateway).await?;
    Ok(standing.map(|standing| (presence, standing)))
}

/// The newest grant of this session in a hall that waits for an approval.
pub async fn waiting(
    gateway: &Gateway,
    caller: &Caller,
    hall: &HallName,
) -> Result<Option<Grant>, Problem> {
    let now = gateway.now();
    let grants = gateway.store.read().grants();
    let session = &caller.session.token;
    let grants = grants.of_session(session, None, hall, now).await?;
    let waits = |grant: &Grant| grant.state(now) == GrantState::Waiting;
    Ok(grants.into_iter().find(waits))
}

/// The grant of the caller's session in a hall: the one that is open, or else one that waits.
pub async fn open_now(
    gateway: &Gateway,
    caller: &Caller,
    hall: &HallName,
) -> Result<Option<GrantRow>, Problem> {
    let row = |grant: &Grant| GrantRow::new(grant, gateway.now());
    match entered(gateway, caller, None, hall).await {
        Ok(Some((_, standing))) => return Ok(Some(row(&standing.grant))),
        Err(problem) if problem.status().is_server_error() => return Err(problem),
        Ok(None) | Err(_) => {}
    }
    Ok(waiting(gateway, caller, hall).await?.as_ref().map(row))
}

/// GET, HEAD, PUT, PATCH and DELETE, as on the hall listener.
pub async fn files(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(place): Path<StoreAddress>,
    request: Request,
) -> Result<Response, Problem> {
    serve(&gateway, &caller, &place, request).await
}

/// Changes for which HTML and fetch have no method.
pub async fn change(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(place): Path<StoreAddress>,
    request: Request,
) -> Result<Response, Problem> {
    let request = as_webdav(request, &mount(&place)).await?;
    serve(&gateway, &caller, &place, request).await
}

/// The WebDAV request below `mount` for the [`Change`] of a request, with the same conditions.
pub(super) async fn as_webdav(request: Request, mount: &str) -> Result<Request, Problem> {
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    let Input(change): Input<Change> = request.extract().await?;
    let mut request = change.into_request(uri, mount)?;
    let counts = |name: &HeaderName| foreign::is_condition(name) || *name == header::ACCEPT;
    for (name, value) in headers.iter().filter(|(name, _)| counts(name)) {
        request.headers_mut().append(name.clone(), value.clone());
    }
    Ok(request)
}

fn method(name: &str) -> Result<Method, Problem> {
    Method::from_bytes(name.as_bytes()).map_err(|error| Problem::internal(&error))
}

fn mount(place: &StoreAddress) -> String {
    format!("/api/halls/{}/files/{}", place.name, place.store)
}

async fn serve(
    gateway: &Gateway,
    caller: &Caller,
    place: &StoreAddress,
    mut request: Request,
) -> Result<Response, Problem> {
    let (hall, store): (HallName, StoreName) = match (place.name.parse(), place.store.parse()) {
        (Ok(hall), Ok(store)) => (hall, store),
        _ => return Err(Problem::not_found("store")),
    };
    let entered = entered(gateway, caller, None, &hall).await?;
    let (presence, standing) = entered.ok_or_else(|| not_open(&hall))?;
    // The headers that carry the session are not passed on.
    request.headers_mut().remove(header::COOKIE);
    request.headers_mut().remove(header::AUTHORIZATION);
    let mount = mount(place);
    let pass = presence.pass_for(&standing, Thing::Store(store.clone()));
    let place = (mount.as_str(), &pass);
    Ok(channel::files::serve(gateway, &standing, &store, place, request).await)
}

/// The refusal for a session without a grant.
pub(super) fn not_open(hall: &HallName) -> Problem {
    Problem::new(
        Code::NotOpen,
        format!("the hall “{hall}” is not open in this browser; open it with a touch"),
    )
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
