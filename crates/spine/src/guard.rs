//! The gate in front of every handler: who calls, and may they.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};

use crate::door_name::DoorName;
use crate::http::bounds::Kept;
use crate::http::peer::Peer;
use crate::http::problem::{Code, Problem};
use crate::http::route::{Access, Kind, Route};
use crate::http::session::{self, Caller, Carrier, Token};
use crate::refusal::Subject;
use crate::source::Source;
use crate::{Gateway, console};

/// The rule of one route.
#[derive(Debug, Clone)]
struct Rule {
    /// Who may call.
    access: Access,
    /// How a refusal looks.
    kind: Kind,
    /// What a call may cost.
    bounds: Kept,
}

/// Adds a route to a router, behind its guard.
pub fn mount(route: Route, router: Router<Gateway>, gateway: &Gateway) -> Router<Gateway> {
    let rule = Rule {
        access: route.access,
        kind: route.kind,
        bounds: Kept::new(
            route.bounds,
            gateway.payload_bytes,
            Arc::clone(&gateway.callers),
        ),
    };
    let layer = from_fn_with_state((gateway.clone(), rule), guard);
    router.route(route.path, route.handler.layer(layer))
}

/// Checks the rule, then runs the handler within the route's bounds, with the [`session::Caller`] in
/// the request's extensions where somebody is signed in.
async fn guard(
    State((gateway, rule)): State<(Gateway, Rule)>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let admitted = admit(&gateway, rule.access, &mut request).await;
    let caller = request.extensions().get::<Caller>().cloned();
    let caller = caller.as_ref();
    if let Err(problem) = &admitted
        && problem.status() == StatusCode::FORBIDDEN
    {
        let peer = Peer::of(&gateway, request.headers(), request.extensions());
        let subject = Subject::from(&peer);
        let subject = caller.map_or(subject, |caller| subject.person(caller.person.id));
        gateway.refuse(DoorName::WEB, problem, subject).await;
    }
    match admitted {
        Ok(()) => {
            let source = match caller {
                Some(caller) => Some(Source::Person(caller.person.id)),
                None => request
                    .extensions()
                    .get::<ConnectInfo<SocketAddr>>()
                    .and_then(|peer| Source::network(peer.0.ip())),
            };
            let response = rule.bounds.serve(request, source, next).await;
            match (rule.kind, response.extensions().get::<Problem>().cloned()) {
                (Kind::Page, Some(problem)) => console::problem_page(&gateway, caller, &problem),
                _ => response,
            }
        }
        Err(problem) if rule.kind == Kind::Page && problem.status() == 401 => {
            Redirect::to(&console::sign_in_path(&path)).into_response()
        }
        Err(problem) if rule.kind == Kind::Page => {
            console::problem_page(&gateway, caller, &problem)
        }
        Err(problem) => problem.into_response(),
    }
}

async fn admit(gateway: &Gateway, access: Access, request: &mut Request) -> Result<(), Problem> {
    let token = Token::from_headers(gateway, request.headers());
    if !request.method().is_safe() {
        same_origin(gateway, request.method(), request.headers(), token.as_ref())?;
    }
    let caller = match token {
        Some(token) => session::find(gateway, token).await?,
        None => None,
    };
    let role = caller.as_ref().map(|caller| caller.person.role);
    if let Some(caller) = caller {
        // Also for a page that says that it is not for this person.
        request.extensions_mut().insert(caller);
    }
    if let Access::Person(least) = access {
        let role = role.ok_or_else(Problem::unauthenticated)?;
        if role < least {
            return Err(Problem::role_needed(least));
        }
    }
    Ok(())
}

/// Refuses requests that another site made a browser send.
///
/// Browsers set `Origin` on every request that is not GET or HEAD. A program has no reason to, but
/// then it must carry its session as a bearer token, which no browser sends by itself.
fn same_origin(
    gateway: &Gateway,
    method: &Method,
    headers: &HeaderMap,
    token: Option<&Token>,
) -> Result<(), Problem> {
    let refused = || {
        Problem::new(
            Code::CrossOrigin,
            format!("{method} requests are taken only from {}", gateway.origin),
        )
    };
    match headers.get(header::ORIGIN) {
        Some(origin) if origin.as_bytes() == gateway.origin.as_bytes() => Ok(()),
        Some(_) => Err(refused()),
        None if token.is_some_and(|token| token.carrier == Carrier::Cookie) => Err(refused()),
        None => Ok(()),
    }
}
