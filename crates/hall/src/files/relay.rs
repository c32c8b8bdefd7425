//! Passing requests for a store on to the gateway that serves it, for somebody who can't go there:
//! a browser, whose certificate and key this side holds.
//!
//! Whoever serves the store is another organisation, and what it answers reaches the browser under
//! this side's name. So a request and an answer take only what files need with them: no cookie, no
//! redirection, no policy of theirs.

use std::io;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::handler::confined;
use super::path::FilePath;
use crate::StoreName;
use crate::body::{self, AnyBody, Body};
use crate::client::{self, ClientError, HallClient};
use crate::pass::{Pass, Way};
use crate::problem::Problem;

/// How long an answer to a request without content may take to begin.
const PATIENCE: Duration = client::ANSWER;

/// What of a request goes along.
const ASKED: [HeaderName; 15] = [
    header::ACCEPT,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::RANGE,
    HeaderName::from_static("destination"),
    HeaderName::from_static("overwrite"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("want-repr-digest"),
    HeaderName::from_static("upload-complete"),
    HeaderName::from_static("upload-length"),
    HeaderName::from_static("upload-offset"),
    HeaderName::from_static("x-oc-mtime"),
];

/// What of an answer comes back.
const ANSWERED: [HeaderName; 10] = [
    header::ACCEPT_RANGES,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::ETAG,
    header::LAST_MODIFIED,
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("upload-complete"),
    HeaderName::from_static("upload-offset"),
    HeaderName::from_static("x-oc-mtime"),
];

/// Passes a request for `store`, which is reached here at `mount`, such as `/files/data`, on to the
/// hall of `client`. What may be done is decided there; `pass` counts what flows and can cut it.
pub async fn relay(
    client: &HallClient,
    store: &StoreName,
    mount: &str,
    pass: &Pass,
    request: Request<impl AnyBody>,
) -> Response<Body> {
    let answer = passed_on(client, store, mount, pass, request).await;
    confined(answer.unwrap_or_else(Problem::into_response), pass)
}

async fn passed_on(
    client: &HallClient,
    store: &StoreName,
    mount: &str,
    pass: &Pass,
    request: Request<impl AnyBody>,
) -> Result<Response<Body>, Problem> {
    let (head, body) = request.into_parts();
    let there = |place: &str| moved(place, mount, store);
    let mut uri = there(head.uri.path())?;
    if let Some(query) = head.uri.query() {
        uri = format!("{uri}?{query}");
    }
    let uri: Uri = uri.parse().map_err(|_| malformed("this is no path"))?;
    let mut headers = only(&head.headers, &ASKED);
    if let Some(destination) = headers.get(DESTINATION) {
        let destination = destination
            .to_str()
            .map_err(|_| malformed("this is no path"))?;
        let destination = HeaderValue::try_from(there(destination)?);
        headers.insert(
            DESTINATION,
            destination.map_err(|_| malformed("this is no path"))?,
        );
    }
    let sends = !body.is_end_stream();
    let mut request = Request::new(pass.over(body::boxed(body), Way::Received));
    *request.method_mut() = head.method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    let answer = client.forward(request);
    // What is sent takes as long as it takes: whoever serves the store breaks off who is too slow.
    let answer = if sends {
        answer.await
    } else {
        timeout(PATIENCE, answer).await.unwrap_or_else(|_| {
            Err(ClientError::Slow {
                what: "the partner's gateway".to_owned(),
                patience: PATIENCE,
            })
        })
    };
    let answer = answer.map_err(refused)?;
    if !answer.status().is_success() && answer.status() != StatusCode::NOT_MODIFIED {
        let answer = client::accepted(answer).await;
        return Err(answer.err().map_or_else(unusable, refused));
    }
    let mut response = Response::new(());
    *response.status_mut() = answer.status();
    *response.headers_mut() = only(answer.headers(), &ANSWERED);
    let body = answer.into_body().map_err(io::Error::other);
    Ok(response.map(|()| body.boxed_unsync()))
}

const DESTINATION: &str = "destination";

/// Where what is called `place` below `mount` is in the hall.
fn moved(place: &str, mount: &str, store: &StoreName) -> Result<String, Problem> {
    let below = place
        .strip_prefix(mount)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
        .ok_or_else(|| malformed("this is not in the store"))?;
    // The other side checks it as well. A path that leads out of the store must not get so far.
    FilePath::from_uri(below).map_err(|error| malformed(&error.to_string()))?;
    Ok(format!("/files/{store}{below}"))
}

fn only(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let named = headers.iter().filter(|(name, _)| names.contains(name));
    named
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn malformed(reason: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed", reason)
}

/// What the other side says no by, if it does: neither a redirection nor a demand to sign in.
fn refused(error: ClientError) -> Problem {
    match error {
        ClientError::Problem(problem) => match problem.status {
            400 | 403..=599 => problem,
            _ => unusable(),
        },
        other => Problem::new(StatusCode::BAD_GATEWAY, "partner-away", other.to_string()),
    }
}

fn unusable() -> Problem {
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "partner-away",
        "the partner's gateway gave an answer that cannot be used",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_in_its_store() {
        let store: StoreName = "data".parse().unwrap();
        let moved = |place| moved(place, "/api/x/files/data", &store);
        assert_eq!(moved("/api/x/files/data").unwrap(), "/files/data");
        assert_eq!(
            moved("/api/x/files/data/a%20b/c").unwrap(),
            "/files/data/a%20b/c"
        );
        for wrong in [
            "/api/x/files/database/a",
            "/api/x/files/data/../other/a",
            "/api/x/files/data/%2e%2e/other",
            "/files/data/a",
            "",
        ] {
            assert_eq!(moved(wrong).unwrap_err().code, "malformed", "{wrong}");
        }
    }

    #[test]
    fn only_what_files_need_goes_along() {
        let given = HeaderMap::from_iter([
            (header::SET_COOKIE, HeaderValue::from_static("session=1")),
            (
                header::LOCATION,
                HeaderValue::from_static("https://other.example"),
            ),
            (header::ETAG, HeaderValue::from_static("\"1\"")),
        ]);
        let kept = only(&given, &ANSWERED);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[header::ETAG], "\"1\"");
    }

    #[test]
    fn no_redirection_and_no_demand_to_sign_in_comes_through() {
        for (status, seen) in [(401, 502), (302, 502), (200, 502), (403, 403), (507, 507)] {
            let problem = Problem::new(StatusCode::from_u16(status).unwrap(), "x", "y");
            assert_eq!(refused(problem.into()).status, seen, "{status}");
        }
    }
}
