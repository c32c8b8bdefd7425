//! Passing requests for a store on to the gateway that serves it, for a client that can't go there:
//! a browser, or a program on the user's computer, whose certificate and key this side holds.
//!
//! The gateway that serves the store may be another organisation's, and its answers are seen under
//! this side's name: they leave as everything foreign does.

use std::time::Duration;

use async_trait::async_trait;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body::Body as _;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{ClientError, HallClient};
use crate::StoreName;
use crate::body::{self, AnyBody, Body};
use crate::dav::IF;
use crate::dav::methods::METHODS;
use crate::dav::path::FilePath;
use crate::dav::unmet::Unmet;
use crate::files::destination::{DESTINATION, asked, destination, name_server};
use crate::files::{
    Afar, Form, LOCK, LocksThere, NO_LOCKS, PROPPATCH, Refusing, Sends, ShownLock, States, below,
    collect, in_xml, malformed, not_allowed, read_wish,
};
use crate::foreign::{self, Asked, Foreign, passed_on};
use crate::pass::{Pass, Way};
use crate::problem::{Code, IntoResponse, Problem};

/// The longest answer with a lock, in bytes.
const LONGEST_LOCK_BYTES: usize = 64 * 1024;

/// A store of a hall that is reached through another server than that of the hall.
#[derive(Debug)]
pub struct Relayed<'a> {
    /// The client of the hall.
    pub client: &'a HallClient,
    /// The store's name in the hall.
    pub store: &'a StoreName,
    /// Where it is reached here, such as `/files/data`.
    pub mount: &'a str,
    /// How long an answer to a request without content may take to begin.
    pub patience: Duration,
}

impl Relayed<'_> {
    /// Passes a request for files on. The hall's gateway decides what may be done; `pass` counts
    /// the bytes and can cut the transfer.
    pub async fn answer(&self, pass: &Pass, request: Request<impl AnyBody>) -> Response<Body> {
        let form = Form::wanted(request.headers());
        let moved = Asked::of(&request).and_then(|asked| {
            let path = below(self.mount, request.uri().path()).map_err(malformed)?;
            let request = moved_there(self.store, self.mount, pass, request)?;
            Ok((asked, path.unwrap_or_else(FilePath::root), request))
        });
        let response = match moved {
            Ok((asked, path, request)) => {
                let answered = match request.method().as_str() {
                    LOCK => self.lock(&asked, request).await,
                    PROPPATCH => self.pass_properties_on(&asked, &path, request).await,
                    _ => self.pass_on(&asked, request).await,
                };
                let refusing = Refusing {
                    form,
                    mount: self.mount,
                    path: &path,
                };
                refusing.answer(answered)
            }
            Err(problem) => foreign::protected(problem.into_response()),
        };
        response.map(|body| pass.over(body, Way::Sent))
    }

    async fn pass_on(&self, asked: &Asked, request: Request<Body>) -> Response<Body> {
        let there = format!("/files/{}", self.store);
        let locks = LocksThere {
            sends: self.to_hall(),
            there: there.clone(),
        };
        let store = Afar {
            sends: self.to_hall(),
            there,
            mount: self.mount.to_owned(),
        };
        store.answer(asked, request, &locks).await
    }

    /// Passes a change of properties on, whose XML is written here.
    async fn pass_properties_on(
        &self,
        asked: &Asked,
        path: &FilePath,
        request: Request<Body>,
    ) -> Response<Body> {
        let mut response = self.pass_on(asked, request).await;
        if response.status() == StatusCode::LOCKED
            && let Some(value) = Unmet::submit(path).value()
        {
            response.headers_mut().insert(Unmet::HEADER, value);
        }
        response
    }

    /// Asks for a lock in JSON, and writes the answer here.
    async fn lock(&self, asked: &Asked, request: Request<Body>) -> Response<Body> {
        let answer = async {
            let (mut head, body) = request.into_parts();
            let wish = read_wish(&collect(body).await?)?;
            let is_new = wish.is_some();
            let content = match wish {
                Some(wish) => serde_json::to_vec(&wish).map_err(|_| foreign::unusable())?,
                None => Vec::new(),
            };
            let uri = format!("{}?lock", head.uri.path());
            head.uri = uri.parse().map_err(|_| malformed("the path is invalid"))?;
            head.method = Method::POST;
            head.headers.remove(header::CONTENT_LENGTH);
            head.headers.remove(header::CONTENT_TYPE);
            let request = Request::from_parts(head, body::full(content));
            let response = self.to_hall().send(request).await?;
            let status = response.status();
            if status == NO_LOCKS {
                return Err(not_allowed(METHODS));
            }
            if !matches!(status, StatusCode::OK | StatusCode::CREATED) {
                return Ok(Foreign::new(response).release(asked).await);
            }
            let whole = Limited::new(response.into_body(), LONGEST_LOCK_BYTES).collect();
            let whole = timeout(self.patience, whole).await;
            let whole = whole.map_err(|_| foreign::unusable())?;
            let whole = whole.map_err(|_| foreign::unusable())?.to_bytes();
            let lock: ShownLock =
                serde_json::from_slice(&whole).map_err(|_| foreign::unusable())?;
            let token = is_new.then_some(&lock.token);
            Ok(in_xml(self.mount, status, &lock, token))
        };
        answer
            .await
            .unwrap_or_else(|problem: Problem| foreign::protected(problem.into_response()))
    }

    fn to_hall(&self) -> ToHall {
        ToHall {
            client: self.client.clone(),
            patience: self.patience,
        }
    }
}

/// The request as the other side gets it.
fn moved_there(
    store: &StoreName,
    mount: &str,
    pass: &Pass,
    request: Request<impl AnyBody>,
) -> Result<Request<Body>, Problem> {
    let (mut head, body) = request.into_parts();
    name_server(&head.uri, &mut head.headers);
    let there = |place: &str| moved(place, mount, store);
    let mut uri = there(head.uri.path())?;
    if let Some(query) = head.uri.query() {
        uri = format!("{uri}?{query}");
    }
    let uri: Uri = uri.parse().map_err(|_| malformed("the path is invalid"))?;
    let mut headers = passed_on(&head.headers);
    // The other side refuses in JSON, and this side in the form that the client wants.
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let asked = asked(&head.uri, &head.headers);
    if let Some(destination) = destination(&headers, asked.as_ref())? {
        let destination = HeaderValue::try_from(there(&destination)?);
        headers.insert(
            DESTINATION,
            destination.map_err(|_| malformed("the path is invalid"))?,
        );
    }
    if let Some(states) = States::of(&head.headers)? {
        let states = states.moved(|place| there(place).ok()).to_string();
        let states = HeaderValue::try_from(states.trim_end());
        headers.insert(
            IF,
            states.map_err(|_| malformed("the header If is not ASCII"))?,
        );
    }
    let mut request = Request::new(pass.over(body::boxed(body), Way::Received));
    *request.method_mut() = head.method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Sends requests to the gateway where a hall is.
struct ToHall {
    client: HallClient,
    patience: Duration,
}

#[async_trait]
impl Sends for ToHall {
    async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Problem> {
        let sends = !request.body().is_end_stream();
        let answer = self.client.forward(request);
        // An upload may take as long as it needs: the gateway that serves the store breaks off slow
        // ones.
        let answer = if sends {
            answer.await
        } else {
            timeout(self.patience, answer).await.unwrap_or_else(|_| {
                Err(ClientError::Slow {
                    what: "the gateway of the hall".to_owned(),
                    patience: self.patience,
                })
            })
        };
        answer.map_err(|error| Problem::new(Code::HallAway, error.to_string()))
    }
}

/// The path in the hall of `place`, which is below `mount`.
fn moved(place: &str, mount: &str, store: &StoreName) -> Result<String, Problem> {
    let below = place
        .strip_prefix(mount)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
        .ok_or_else(|| malformed("the path is not in the store"))?;
    // The other side checks it as well. A path that leads out of the store must not get so far.
    FilePath::from_uri(below).map_err(malformed)?;
    Ok(format!("/files/{store}{below}"))
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
}
