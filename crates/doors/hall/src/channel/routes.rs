//! The routes of the hall listener, each with its rule.
//!
//! As with the API, the router and the test that proves every rule are made from one list. Each
//! connection has shown a certificate; the guard checks on every request whether its grant, agent
//! or partnership still stands.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{Method, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use axum::{Extension, Json, Router};
use hallway_api::hall::Certified;
use hallway_evidence::statement::hall::{AgentName, HallName, Right, ServiceName, StoreName};
use hallway_evidence::{MAX_BUNDLE_BYTES, RealmName};
use hallway_hall::files::serve_stores;
use hallway_hall::{Renewed, Svid, stream};
use hallway_spine::Gateway;
use hallway_spine::http::bounds::{AtOnce, Bounds, Gives, Kept, Most, Takes};
use hallway_spine::http::input::Input;
use hallway_spine::http::problem::{Code, Problem};
use hallway_spine::http::request_id;
use hallway_spine::source::Source;

use super::inside::{Presence, Thing, Who};
use super::standing::Standing;
use super::visit::farewell::{Ended, Heard};
use super::{files, gateways, names, visit};
use crate::HallsOf;
use crate::certificate::{self, in_base64};
use crate::partners::shared::Shared;
use crate::partners::{active, bundle};
use crate::store::{End, GrantKind, HallTables};

/// The largest object that a bucket takes.
const MAX_FILE_BYTES: u64 = 5 << 40;

/// The bounds of files of a hall, in both directions.
pub(crate) const FILES: Bounds = Bounds {
    body: Takes::Streamed {
        most: Most::Bytes(MAX_FILE_BYTES),
    },
    answer: Gives::Streamed { lasts: None },
    at_once: AtOnce {
        total: 1024,
        each: 256,
    },
    because: Some("files are as large as a store takes them, and nothing of them stays in memory"),
};

/// Who may use a route of the hall listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admits {
    /// The holder of a grant for a hall of this realm; what it may do is decided by the grant's
    /// rights.
    Guest,
    /// The holder of any grant, in this realm or at a partner.
    Holder,
    /// The holder of a grant who is a person of this realm.
    AtHome,
    /// A partner's person who has no grant yet.
    Newcomer,
    /// An agent.
    Agent,
    /// A gateway of a realm that is a partner.
    Partner,
}

/// One route of the hall listener.
pub struct HallRoute {
    /// The method; every one when absent.
    pub method: Option<Method>,
    /// The path, parameters in braces.
    pub path: &'static str,
    /// The rule.
    pub admits: Admits,
    /// The bounds of a request.
    pub bounds: Bounds,
    handler: MethodRouter<Gateway>,
}

/// The other end of a connection. The listener puts it into every request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Its presence inside.
    pub presence: Arc<Presence>,
    /// The certificate that it showed.
    pub svid: Svid,
    /// Its IP address.
    pub address: String,
}

impl Caller {
    /// The hall and the name, if this is an agent.
    fn agent(&self) -> Result<(&HallName, &AgentName), Problem> {
        match &self.presence.who {
            Who::Agent { hall, name, .. } => Ok((hall, name)),
            other => Err(refused(other, None)),
        }
    }

    /// The realm, if this is a partner's gateway.
    ///
    /// # Errors
    /// 403.
    pub fn partner(&self) -> Result<&RealmName, Problem> {
        match &self.presence.who {
            Who::Partner(realm) => Ok(realm),
            other => Err(refused(other, None)),
        }
    }
}

/// All routes of the hall listener.
pub fn all() -> Vec<HallRoute> {
    let route = |method, path, admits, bounds, handler| HallRoute {
        method,
        path,
        admits,
        bounds,
        handler,
    };
    let (read, write) = (Some(Method::GET), Some(Method::POST));
    let (look, change) = (Bounds::READ, Bounds::CHANGE);
    use Admits::{Agent, AtHome, Guest, Holder, Newcomer, Partner};
    vec![
        route(read.clone(), "/grant", Holder, look, get(grant)),
        route(write.clone(), "/grant/renew", AtHome, change, post(renew)),
        route(write.clone(), "/grant/end", Holder, change, post(end)),
        route(
            write.clone(),
            "/visit",
            Newcomer,
            EVIDENCE,
            post(visit::show),
        ),
        route(
            read.clone(),
            "/partner/realm",
            Partner,
            look,
            get(gateways::realm),
        ),
        route(read.clone(), "/partner/halls", Partner, look, get(shared)),
        route(
            write.clone(),
            "/partner/left",
            Partner,
            change,
            post(gateways::left),
        ),
        route(
            write.clone(),
            "/partner/ended",
            Partner,
            Bounds::JSON,
            post(ended),
        ),
        route(read.clone(), "/agent/control", Agent, STREAM, get(control)),
        route(read.clone(), "/agent/dial/{id}", Agent, STREAM, get(dial)),
        route(read, "/connect/{service}", Guest, STREAM, get(connect)),
        route(None, "/files", Guest, FILES, any(stores)),
        route(None, "/files/", Guest, FILES, any(stores)),
        route(None, "/files/{store}", Guest, FILES, any(store_files)),
        route(None, "/files/{store}/", Guest, FILES, any(store_files)),
        route(
            None,
            "/files/{store}/{*path}",
            Guest,
            FILES,
            any(store_files),
        ),
        route(write, "/agent/renew", Agent, change, post(renew_agent)),
    ]
}

/// The bounds of the evidence that a visitor brings.
const EVIDENCE: Bounds = Bounds {
    body: Takes::Whole {
        bytes: MAX_BUNDLE_BYTES,
        within: Duration::from_secs(20),
    },
    at_once: AtOnce { total: 32, each: 4 },
    because: Some("a bundle of receipts is longer than other requests"),
    ..Bounds::JSON
};

/// The bounds of streams of services and agents. Each stream is a connection, which the listener
/// counts.
const STREAM: Bounds = Bounds {
    answer: Gives::Streamed { lasts: None },
    at_once: AtOnce {
        total: 16_384,
        each: 16_384,
    },
    because: Some("each stream is a connection, and those are counted by the listener"),
    ..Bounds::READ
};

/// The router over all routes.
pub fn router(gateway: &Gateway) -> Router {
    all()
        .into_iter()
        .fold(Router::new(), |router, route| {
            let bounds = Kept::new(
                route.bounds,
                gateway.payload_bytes,
                Arc::clone(&gateway.callers),
            );
            let rule = from_fn_with_state((gateway.clone(), route.admits, bounds), guard);
            let handler = route.handler.layer(DefaultBodyLimit::disable());
            router.route(route.path, handler.layer(rule))
        })
        .fallback(any(nowhere))
        .layer(from_fn(request_id::identify))
        .with_state(gateway.clone())
}

async fn nowhere() -> Problem {
    Problem::not_found("address on the hall listener")
}

async fn guard(
    State((gateway, admits, bounds)): State<(Gateway, Admits, Kept)>,
    mut request: Request,
    next: Next,
) -> Response {
    match admit(&gateway, admits, &mut request).await {
        Ok(()) => {
            let caller = request.extensions().get::<Caller>();
            let source = caller.map(|caller| certified(&gateway, &caller.svid));
            bounds.serve(request, source, next).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn certified(gateway: &Gateway, svid: &Svid) -> Source {
    let id = svid.id.to_string();
    match svid.id.trust_domain().as_str().parse::<RealmName>() {
        Ok(home) if home.as_str() != gateway.rp.id => Source::Visitor { home, id },
        _ => Source::Certificate(id),
    }
}

async fn admit(gateway: &Gateway, admits: Admits, request: &mut Request) -> Result<(), Problem> {
    // Tools send no origin. A browser with a certificate sends one, and then another site asks.
    if request.headers().contains_key(header::ORIGIN) {
        return Err(Problem::new(
            Code::CrossOrigin,
            "no web page may send requests here",
        ));
    }
    let caller = request.extensions().get::<Caller>().cloned();
    let caller = caller.ok_or_else(Problem::unauthenticated)?;
    if gateway.now().as_ms() > caller.svid.not_after_ms {
        return Err(Problem::new(
            Code::CertificateExpired,
            "the certificate of this connection has expired; connect with the renewed one",
        ));
    }
    let standing = caller.presence.standing(gateway).await?;
    let who = &caller.presence.who;
    let kind = standing.as_ref().map(|standing| &standing.grant.kind);
    let may = match (admits, who) {
        (Admits::Guest, Who::Guest(_)) => {
            matches!(kind, Some(GrantKind::Own | GrantKind::Visitor(_)))
        }
        (Admits::AtHome, Who::Guest(_)) => {
            matches!(kind, Some(GrantKind::Own | GrantKind::Away { .. }))
        }
        (Admits::Holder, Who::Guest(_))
        | (Admits::Agent, Who::Agent { .. })
        | (Admits::Newcomer, Who::Newcomer { .. })
        | (Admits::Partner, Who::Partner(_)) => true,
        _ => false,
    };
    if !may {
        return Err(refused(who, kind));
    }
    if let Some(standing) = standing {
        request.extensions_mut().insert(standing);
    }
    Ok(())
}

/// The refusal for a request that the other end may not make.
fn refused(who: &Who, kind: Option<&GrantKind>) -> Problem {
    match (who, kind) {
        (Who::Guest(_), Some(GrantKind::Away { host, .. })) => Problem::new(
            Code::Away,
            format!("the hall of this grant is at {host}; connect there"),
        ),
        (Who::Guest(_), Some(GrantKind::Visitor(visitor))) => Problem::new(
            Code::Visitor,
            format!("people of {} get their certificates there", visitor.home),
        ),
        (Who::Guest(_), _) => Problem::new(Code::Guest, "a guest may not use this address"),
        (Who::Agent { .. }, _) => Problem::new(Code::Agent, "an agent has no grant here"),
        (Who::Newcomer { .. }, _) => {
            Problem::new(Code::Newcomer, "show the evidence of your opening first")
        }
        (Who::Partner(_), _) => Problem::new(Code::Partner, "a gateway has no grant here"),
    }
}

/// The halls that this realm shares with the asking partner.
async fn shared(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Shared>, Problem> {
    Shared::with(&gateway, caller.partner()?).await.map(Json)
}

/// Ends the visits that have ended at the partner.
async fn ended(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Input(ended): Input<Ended>,
) -> Result<Json<Heard>, Problem> {
    visit::ended_at_home(&gateway, caller.partner()?, &ended.hashes()?).await?;
    Ok(Json(Heard {}))
}

/// The caller's rights, and when they end.
async fn grant(
    Extension(caller): Extension<Caller>,
    Extension(standing): Extension<Arc<Standing>>,
) -> Result<Json<hallway_hall::Grant>, Problem> {
    Ok(Json(hallway_hall::Grant {
        hall: standing.grant.hall.clone(),
        person: hallway_hall::Person {
            id: standing.person.id.to_string(),
            name: standing.person.name.clone(),
        },
        rights: standing.rights.clone(),
        ends_ms: standing.grant.ends.as_ms(),
        certificate_ends_ms: caller.svid.not_after_ms,
    }))
}

/// A new certificate for the same key, within the grant and without a touch.
async fn renew(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Extension(standing): Extension<Arc<Standing>>,
) -> Result<Json<Renewed>, Problem> {
    let certified = certificate::guest(&gateway, &standing.grant, &caller.svid.public_key)?;
    let mut answer = renewed(certified);
    if let GrantKind::Away { host, .. } = &standing.grant.kind {
        // A visitor's host may have another authority by now; home follows it.
        let reader = gateway.store.read();
        let bundle = bundle(reader, &active(reader, host).await?).await?;
        answer.host_bundle = in_base64(&bundle);
    }
    Ok(Json(answer))
}

/// A new certificate for an agent's key.
async fn renew_agent(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Renewed>, Problem> {
    let (hall, name) = caller.agent()?;
    let certified = certificate::agent(&gateway, hall, name, &caller.svid.public_key)?;
    Ok(Json(renewed(certified)))
}

/// Serves an agent that announces its stores and services, until it disconnects or is put out.
async fn control(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let (hall, name) = caller.agent()?;
    let (hall, name) = (hall.clone(), name.clone());
    let cut = caller.presence.pass.cut.clone();
    let switchboard = gateway.halls().offers.switchboard.clone();
    let judge = move |announced| async move {
        names::judge(&gateway, &caller, announced)
            .await
            .map_err(|problem| hallway_api::Problem::new(problem.code, problem.detail))
    };
    let answer = switchboard.control(hall, name, request, cut, judge).await;
    Ok(answer.map(Body::new))
}

/// Takes the stream that an agent was asked for.
async fn dial(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (hall, name) = caller.agent()?;
    let switchboard = &gateway.halls().offers.switchboard;
    let answer = switchboard.dial(hall, name, &id, request).await;
    Ok(answer.map(Body::new))
}

fn renewed(certified: Certified) -> Renewed {
    Renewed {
        certificates: certified.certificates,
        bundle: certified.listener.bundle,
        host_bundle: Vec::new(),
        certificate_ends_ms: certified.certificate_ends_ms,
    }
}

/// Ends the caller's own grant. All of its connections are cut after the answer was sent.
async fn end(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Extension(standing): Extension<Arc<Standing>>,
) -> Result<Response, Problem> {
    let (gateway, grant) = (&gateway, &standing.grant);
    gateway
        .transact(|unit| {
            Box::pin(async move {
                let end = End::by(grant.person, gateway.now());
                Ok::<_, Problem>(unit.grants().end(grant.id, &end).await?)
            })
        })
        .await?;
    caller.presence.pass.cut.cancel();
    Ok(axum::http::StatusCode::NO_CONTENT.into_response())
}

/// Joins the connection to a service.
async fn connect(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Extension(standing): Extension<Arc<Standing>>,
    Path(service): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    // A name that was not granted gets the same answer, whether a service of this name exists or
    // not.
    let service = service
        .parse()
        .ok()
        .filter(|service: &ServiceName| {
            let wanted = Right::Connect(service.clone());
            standing.rights.contains(&wanted)
        })
        .ok_or_else(|| {
            let service = hallway_evidence::Line::nearest(&service);
            Problem::new(
                Code::NotGranted,
                format!(
                    "this grant does not allow to connect to “{service}”; open the hall for more"
                ),
            )
        })?;
    let thing = Thing::Service(service.clone());
    let pass = caller.presence.pass_for(&standing, thing);
    let hall = standing.grant.hall.clone();
    let open = async move { gateway.halls().offers.connect(&hall, &service).await };
    let answer = stream::serve(request, pass, open).await;
    Ok(answer.map(Body::new))
}

/// The stores that the grant opens, as a folder.
async fn stores(Extension(standing): Extension<Arc<Standing>>, request: Request) -> Response {
    let listed = serve_stores(&standing.rights, "/files", request).await;
    listed.map(Body::new)
}

/// The files of a store. The files' handler checks which methods the grant allows.
async fn store_files(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Extension(standing): Extension<Arc<Standing>>,
    Path(place): Path<FilePlace>,
    request: Request,
) -> Result<Response, Problem> {
    let store = place.store.parse();
    let store: StoreName = store.map_err(|_| Problem::not_found("store"))?;
    let mount = format!("/files/{store}");
    let thing = Thing::Store(store.clone());
    let pass = caller.presence.pass_for(&standing, thing);
    let place = (mount.as_str(), &pass);
    Ok(files::serve(&gateway, &standing, &store, place, request).await)
}

/// The store of a request for files; the store reads the rest of the path.
#[derive(Debug, serde::Deserialize)]
struct FilePlace {
    store: String,
}
