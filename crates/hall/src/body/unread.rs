//! Bodies of requests that were answered before they had arrived.
//!
//! A request that is refused is answered at once, while its sender still sends. hyper then closes
//! an HTTP/1.1 connection; bytes that arrive after that are answered with a TCP reset, which can
//! destroy the answer before the sender reads it (RFC 9112, section 9.6). An HTTP/2 stream is reset
//! with `NO_ERROR` (RFC 9113, section 8.1), which leaves the answer whole; but some clients, curl
//! 7.88 among them, fail on the write that comes next and look no further. So whatever is left of a
//! body is read and thrown away, for a while.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http::header::EXPECT;
use http::{Request, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// The most bytes that are thrown away of one body. A sender that goes on after that does not read
/// the answer, which it has had all the time: then closing is right.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// How long the rest of a body is waited for.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// The body of a request at a server. When it is dropped before its end, a task reads on: 64 MiB
/// and 30 seconds at most, of which nothing is kept. Then hyper closes as it would have.
#[derive(Debug)]
pub struct Unread<B: Body + Unpin + Send + 'static> {
    /// `None` once its end has come.
    body: Option<B>,
    turn: Turn,
}

/// Who has to act next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The sender waits to be asked for the body (RFC 9110, section 10.1.1), and was not asked yet.
    /// It may never send it, so there is nothing to read, and hyper closes.
    Ours,
    /// The sender sends.
    Senders,
}

/// `request`, as it came from hyper. The rest of its body is read even if the body is dropped.
pub fn read_on<B: Body + Unpin + Send + 'static>(request: Request<B>) -> Request<Unread<B>> {
    let waits = request.version() == Version::HTTP_11 && request.headers().contains_key(EXPECT);
    let turn = if waits { Turn::Ours } else { Turn::Senders };
    request.map(|body| Unread {
        body: (!body.is_end_stream()).then_some(body),
        turn,
    })
}

impl<B: Body + Unpin + Send + 'static> Body for Unread<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.turn = Turn::Senders;
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let ended = || SizeHint::with_exact(0);
        self.body.as_ref().map_or_else(ended, Body::size_hint)
    }
}

impl<B: Body + Unpin + Send + 'static> Drop for Unread<B> {
    fn drop(&mut self) {
        let rest = self.body.take().filter(|body| !body.is_end_stream());
        // Without a runtime there is no connection either.
        if let (Some(rest), Turn::Senders, Ok(runtime)) = (rest, self.turn, Handle::try_current()) {
            runtime.spawn(timeout(DRAIN_TIMEOUT, discard(rest)));
        }
    }
}

async fn discard<B: Body + Unpin>(mut body: B) {
    let mut left = MOST_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let came = frame.data_ref().map_or(0, Buf::remaining);
        match left.checked_sub(came) {
            Some(less) => left = less,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests;
