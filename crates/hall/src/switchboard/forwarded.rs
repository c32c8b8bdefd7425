//! Requests as they go on to an agent.

use hallway_evidence::statement::hall::StoreName;
use http::Request;
use http::header::HeaderValue;

use crate::body::{self, AnyBody, Body};
use crate::dav::IF;
use crate::files::{States, destination};
use crate::foreign::passed_on;
use crate::pass::{Pass, Way};
use crate::problem::{Code, Problem};

/// Where an agent mounts a store.
pub(crate) fn agent_mount(store: &StoreName) -> String {
    format!("/files/{store}")
}

/// The request as an agent gets it: with paths below its mount, and with the headers that files
/// need.
pub(super) fn request(
    request: Request<impl AnyBody>,
    mount: &str,
    store: &StoreName,
    pass: &Pass,
) -> Result<Request<Body>, Problem> {
    let malformed = |detail: &str| Problem::new(Code::Malformed, detail);
    let (mut head, body) = request.into_parts();
    destination::name_server(&head.uri, &mut head.headers);
    let asked = destination::asked(&head.uri, &head.headers);
    let there = agent_mount(store);
    let moved = |path: &str| {
        let below = path.strip_prefix(mount)?;
        (below.is_empty() || below.starts_with('/')).then(|| format!("{there}{below}"))
    };
    let target = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = moved(target)
        .or_else(|| moved(target.split('?').next().unwrap_or_default()))
        .and_then(|path| path.parse().ok())
        .ok_or_else(|| malformed("the path is not in this store"))?;
    if let Some(destination) = destination::destination(&head.headers, asked.as_ref())? {
        let destination = moved(&destination).and_then(|path| HeaderValue::try_from(path).ok());
        let destination = destination.ok_or_else(|| {
            let detail = format!("Destination must begin with {mount}/");
            Problem::new(Code::OtherStore, detail)
        })?;
        head.headers.insert(destination::DESTINATION, destination);
    }
    if let Some(states) = States::of(&head.headers)? {
        let states = HeaderValue::try_from(states.moved(moved).to_string().trim_end());
        let states = states.map_err(|_| malformed("the header If is not ASCII"))?;
        head.headers.insert(IF, states);
    }
    head.headers = passed_on(&head.headers);
    head.version = http::Version::HTTP_11;
    head.extensions.clear();
    let body = pass.over(body::boxed(body), Way::Received);
    Ok(Request::from_parts(head, body))
}
