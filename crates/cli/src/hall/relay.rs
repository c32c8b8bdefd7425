//! The local server of `hallway open`: it gives the person's own programs the grant's data plane.
//!
//! Paths stay as they are, so WebDAV clients find what answers name. The key and the certificate
//! never leave this process. The hall's answers are other people's content: they are passed on as
//! foreign bytes are, so that no file is a page that reads the other files.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hallway_api::{Code, Problem};
use hallway_hall::body::{Unread, read_on};
use hallway_hall::client::{ClientError, HallClient, Relayed};
use hallway_hall::files::serve_stores;
use hallway_hall::foreign::{protected, said};
use hallway_hall::stream::{self, STREAM_PROTOCOL};
use hallway_hall::{Body, Flow, IntoResponse, Pass, StoreName, body};
use http::header::{self, HeaderValue};
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::admission::Admission;

/// How long an answer may take to begin: the far side may have to hash a long file for it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// A local door to one grant.
#[derive(Clone)]
pub(super) struct Relay {
    /// The way to the hall, under the grant.
    pub(super) client: HallClient,
    /// Which requests are admitted.
    pub(super) admission: Admission,
    /// Counts the bytes of streams.
    pub(super) flow: Arc<Flow>,
}

impl Relay {
    /// Serves one connection to its end.
    pub(super) async fn serve(self, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(
                TokioIo::new(io),
                service_fn(move |request| {
                    let relay = self.clone();
                    async move { Ok::<_, Infallible>(relay.answer(read_on(request)).await) }
                }),
            )
            .with_upgrades();
        if let Err(error) = served.await {
            tracing::debug!(%error, "a local connection broke");
        }
    }

    async fn answer(self, request: Request<Unread<Incoming>>) -> Response<Body> {
        if let Err(refused) = self.admission.admits(request.headers()) {
            return protected(refused.into_response());
        }
        let path = request.uri().path();
        if let Some(service) = path.strip_prefix("/connect/") {
            let service = service.to_owned();
            return self.connect(request, &service).await;
        }
        if matches!(path, "/files" | "/files/") {
            return match self.client.grant().await {
                Ok(grant) => serve_stores(&grant.rights, "/files", request).await,
                Err(error) => unreachable(error),
            };
        }
        if let Some(place) = path.strip_prefix("/files/") {
            let store = place.split('/').next().unwrap_or_default();
            return match store.parse() {
                Ok(store) => self.files(&store, request).await,
                Err(_) => protected(nothing_here().into_response()),
            };
        }
        if path == "/grant" && request.method() == Method::GET {
            return self.grant().await;
        }
        protected(nothing_here().into_response())
    }

    async fn files(&self, store: &StoreName, request: Request<Unread<Incoming>>) -> Response<Body> {
        let relayed = Relayed {
            client: &self.client,
            store,
            mount: &format!("/files/{store}"),
            patience: ANSWER_TIMEOUT,
        };
        relayed.answer(&Pass::default(), request).await
    }

    /// The grant, as the gateway sees it now.
    async fn grant(&self) -> Response<Body> {
        let json = match self.client.grant().await {
            Ok(grant) => serde_json::to_vec(&grant).unwrap_or_default(),
            Err(error) => return unreachable(error),
        };
        let mut response = Response::new(body::full(json));
        let media_type = HeaderValue::from_static("application/json");
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, media_type);
        protected(response)
    }

    async fn connect(
        self,
        mut request: Request<Unread<Incoming>>,
        service: &str,
    ) -> Response<Body> {
        let Ok(service) = service.parse() else {
            let problem = Problem::new(Code::NotFound, "this is not the name of a service");
            return protected(problem.into_response());
        };
        let upgrade = match stream::accept_upgrade(&mut request, STREAM_PROTOCOL) {
            Ok(upgrade) => upgrade,
            Err(problem) => return protected(problem.into_response()),
        };
        let far = match self.client.stream(&service).await {
            Ok(far) => far,
            Err(error) => return unreachable(error),
        };
        tokio::spawn(async move {
            let joined = match upgrade.await {
                Ok(near) => stream::join(TokioIo::new(near), far, &self.flow).await,
                Err(error) => Err(io::Error::other(error)),
            };
            if let Err(error) = joined {
                tracing::debug!(%error, "a stream broke");
            }
        });
        stream::switching(STREAM_PROTOCOL)
    }
}

fn nothing_here() -> Problem {
    Problem::new(
        Code::NotFound,
        "only /files/, /files/STORE/… and /connect/SERVICE of the open hall are here",
    )
}

fn unreachable(error: ClientError) -> Response<Body> {
    let problem = match error {
        ClientError::Problem(problem) => said(problem.status, &problem.code, &problem.detail),
        other => Problem::new(Code::Unreachable, other.to_string()),
    };
    protected(problem.into_response())
}
