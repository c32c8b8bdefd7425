//! The gate in front of every handler: who calls, and may they.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::bounds::Kept;
use super::problem::{Code, Problem};
use super::route::{Access, Kind};
use super::session::{self, Caller, Carrier, Token};
use crate::act::role_needed;
use crate::http::peer::Peer;
use crate::refusal::{DoorName, Subject};
use crate::source::Source;
use crate::{Gateway, console};

/// The rule of one route.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// Who may call.
    pub(crate) access: Access,
    /// How a refusal looks.
    pub(crate) kind: Kind,
    /// What a call may cost.
    pub(crate) bounds: Kept,
}

/// Checks the rule, then runs the handler within the route's bounds, with the [`session::Caller`] in
/// the request's extensions where somebody is signed in.
pub(crate) async fn guard(
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
            return Err(role_needed(least));
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
