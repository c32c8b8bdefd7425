//! What `hallway open` offers on this computer: its grant's data plane, to the person's own programs.
//!
//! Paths stay as they are, so WebDAV clients find what answers name. The key and the certificate
//! never leave this process.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallway_hall::body::{Unread, read_on};
use hallway_hall::client::{ClientError, HallClient};
use hallway_hall::stream::{self, STREAM_PROTOCOL};
use hallway_hall::{Body, Flow, Problem};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

/// The name that goes with the password; WebDAV clients want one.
pub(super) const USER: &str = "hall";

/// Headers that belong to one connection (RFC 9110, 7.6.1), and what opens only the local port.
const LOCAL_ONLY: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHORIZATION,
    header::AUTHORIZATION,
];

/// Who may come in.
#[derive(Clone)]
pub(super) enum Admission {
    /// Whoever can connect: a socket that only this user can reach.
    Socket,
    /// Whoever shows the password. Every user of this computer, and every web page in its browsers,
    /// can reach a loopback port.
    Password(Arc<Zeroizing<String>>),
}

impl Admission {
    fn admits(&self, headers: &HeaderMap) -> bool {
        let Self::Password(password) = self else {
            return true;
        };
        let Some(shown) = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(secret)
        else {
            return false;
        };
        verify_slices_are_equal(shown.as_bytes(), password.as_bytes()).is_ok()
    }
}

/// The secret of a Basic or Bearer authorisation.
fn secret(value: &str) -> Option<Zeroizing<String>> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Zeroizing::new(rest.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(rest.trim()).ok()?);
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    (user == USER).then(|| Zeroizing::new(password.to_owned()))
}

/// A local door to one grant.
#[derive(Clone)]
pub(super) struct Relay {
    /// The grant.
    pub(super) client: HallClient,
    /// Who may come in.
    pub(super) admission: Admission,
    /// What flows through streams.
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
        if !self.admission.admits(request.headers()) {
            return unadmitted();
        }
        let path = request.uri().path();
        if let Some(service) = path.strip_prefix("/connect/") {
            let service = service.to_owned();
            return self.connect(request, &service).await;
        }
        if path.starts_with("/files/") || (path == "/grant" && request.method() == Method::GET) {
            return self.pass_on(request).await;
        }
        Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "here are /files/STORE/… and /connect/SERVICE of the open hall",
        )
        .into_response()
    }

    async fn pass_on(&self, mut request: Request<Unread<Incoming>>) -> Response<Body> {
        drop_local(request.headers_mut());
        let request = request.map(|body| body.map_err(io::Error::other).boxed_unsync());
        match self.client.forward(request).await {
            Ok(mut response) => {
                drop_local(response.headers_mut());
                response.map(|body| body.map_err(io::Error::other).boxed_unsync())
            }
            Err(error) => unreachable(error),
        }
    }

    async fn connect(
        self,
        mut request: Request<Unread<Incoming>>,
        service: &str,
    ) -> Response<Body> {
        let Ok(service) = service.parse() else {
            return Problem::new(
                StatusCode::NOT_FOUND,
                "not-found",
                "this is no service's name",
            )
            .into_response();
        };
        let upgrade = match stream::accept_upgrade(&mut request, STREAM_PROTOCOL) {
            Ok(upgrade) => upgrade,
            Err(problem) => return problem.into_response(),
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

fn drop_local(headers: &mut HeaderMap) {
    for name in &LOCAL_ONLY {
        headers.remove(name);
    }
}

fn unadmitted() -> Response<Body> {
    let mut response = Problem::new(
        StatusCode::UNAUTHORIZED,
        "password",
        "this port wants the user and password that `hallway open` shows",
    )
    .into_response();
    let challenge = HeaderValue::from_static("Basic realm=\"hallway open\"");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, challenge);
    response
}

fn unreachable(error: ClientError) -> Response<Body> {
    match error {
        ClientError::Problem(problem) => problem,
        other => Problem::new(StatusCode::BAD_GATEWAY, "unreachable", other.to_string()),
    }
    .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_port_admits_only_who_knows_the_password() {
        let password = Admission::Password(Arc::new(Zeroizing::new("s3:cret".to_owned())));
        assert!(password.admits(&shown("Bearer s3:cret")));
        assert!(
            password.admits(&shown("basic aGFsbDpzMzpjcmV0")),
            "hall:s3:cret"
        );
        for wrong in [
            "Bearer s3:cre",
            "Bearer",
            "Basic s3:cret",
            "Basic b3RoZXI6czM6Y3JldA==",
            "Digest s3:cret",
        ] {
            assert!(!password.admits(&shown(wrong)), "{wrong}");
        }
        assert!(!password.admits(&HeaderMap::new()));
        assert!(Admission::Socket.admits(&HeaderMap::new()));
    }
}
