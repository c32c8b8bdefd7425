//! Raw streams: HTTP upgrades on both sides, and copying between two streams.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::body::{self, AnyBody, Body};
use crate::pass::{Flow, Pass};
use crate::problem::{Code, IntoResponse, Problem};

mod copy;

/// `Upgrade: hallway-stream`: raw bytes both ways.
pub const STREAM_PROTOCOL: &str = "hallway-stream";
/// `Upgrade: hallway-agent`: an agent's control connection, lines of JSON both ways.
pub const AGENT_PROTOCOL: &str = "hallway-agent";

/// Both directions of a connection.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection of any kind.
pub type BoxStream = Box<dyn Duplex>;

/// Copies both ways until both have ended. An end on one side is passed on as an end of writing to
/// the other, and the opposite direction goes on. `near` is the side of the grant's holder.
///
/// A stream over which nothing flows holds no buffer.
///
/// # Errors
/// One side broke; what was open is dropped.
pub async fn join(mut near: impl Duplex, mut far: impl Duplex, flow: &Flow) -> io::Result<()> {
    let (mut inward, mut outward) = (copy::Half::default(), copy::Half::default());
    poll_fn(|context| {
        let (near, far) = (&mut near, &mut far);
        let received = inward.poll(context, Pin::new(near), Pin::new(far), |n| flow.receive(n))?;
        let sent = outward.poll(context, Pin::new(far), Pin::new(near), |n| flow.send(n))?;
        if received.is_ready() && sent.is_ready() {
            std::task::Poll::Ready(Ok(()))
        } else {
            std::task::Poll::Pending
        }
    })
    .await
}

/// Asks for an upgrade of `path` to `protocol`.
pub(crate) fn upgrade_request(path: &str, protocol: &'static str) -> http::Result<Request<Body>> {
    Request::builder()
        .method(Method::GET)
        .uri(path)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, protocol)
        .body(body::empty())
}

/// Whether a request asks for `protocol`, and if so its connection once the answer is sent.
///
/// # Errors
/// 426: it does not ask for it. 505: only HTTP/1.1 has upgrades.
pub fn accept_upgrade<B>(
    request: &mut Request<B>,
    protocol: &'static str,
) -> Result<OnUpgrade, Problem> {
    if request.version() != Version::HTTP_11 {
        return Err(Problem::new(
            Code::Http1Only,
            "a stream needs HTTP/1.1: each has a connection of its own",
        ));
    }
    if !asks_for(request.headers(), protocol) {
        return Err(Problem::new(
            Code::UpgradeRequired,
            format!("ask with `Connection: upgrade` and `Upgrade: {protocol}`"),
        ));
    }
    Ok(hyper::upgrade::on(request))
}

fn asks_for(headers: &HeaderMap, protocol: &str) -> bool {
    let has = |name, wanted: &str| {
        headers.get_all(name).iter().any(|value: &HeaderValue| {
            value.to_str().is_ok_and(|value| {
                value
                    .split(',')
                    .any(|item| item.trim().eq_ignore_ascii_case(wanted))
            })
        })
    };
    has(CONNECTION, "upgrade") && has(UPGRADE, protocol)
}

/// 101: from here on, raw bytes of `protocol`.
#[must_use]
pub fn switching(protocol: &'static str) -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(protocol));
    response
}

/// Answers an upgrade request of a grant's holder: joins its connection to what `open` gives, until
/// either ends or the grant is cut. `open` runs before the answer, so that the answer says why it
/// failed.
pub async fn serve(
    mut request: Request<impl AnyBody>,
    pass: Pass,
    open: impl Future<Output = Result<BoxStream, Problem>>,
) -> Response<Body> {
    let upgrade = match accept_upgrade(&mut request, STREAM_PROTOCOL) {
        Ok(upgrade) => upgrade,
        Err(problem) => return problem.into_response(),
    };
    let Some(place) = pass.flow.enter() else {
        return Problem::new(
            Code::TooManyStreams,
            "this grant has as many streams open as it may: close one",
        )
        .into_response();
    };
    let far = match open.await {
        Ok(far) => far,
        Err(problem) => return problem.into_response(),
    };
    tokio::spawn(async move {
        let _place = place;
        let flow = Arc::clone(&pass.flow);
        let joined = async {
            let near = upgrade.await.map_err(io::Error::other)?;
            join(TokioIo::new(near), far, &flow).await
        };
        tokio::select! {
            () = pass.cut.cancelled() => tracing::debug!("a stream was cut: its grant has ended"),
            ended = joined => if let Err(error) = ended {
                tracing::debug!(%error, "a stream broke");
            },
        }
    });
    switching(STREAM_PROTOCOL)
}

#[cfg(test)]
mod tests;
