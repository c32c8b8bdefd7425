//! A body with an action of its own at each frame and at its end.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// The next frame of a body.
pub(crate) type Polled = Poll<Option<Result<Frame<Bytes>, axum::Error>>>;

/// The actions of a wrapped body.
pub(crate) trait Wrap: Send + Unpin + 'static {
    /// Polls `body` for its next frame.
    fn poll(&mut self, body: Pin<&mut Body>, context: &mut Context<'_>) -> Polled;

    /// Called when the body is dropped, at its end or before.
    fn ended(&mut self) {}
}

/// `body`, which is polled through `wrap`.
pub(crate) fn wrapped(body: Body, wrap: impl Wrap) -> Body {
    Body::new(Wrapped { body, wrap })
}

struct Wrapped<W: Wrap> {
    body: Body,
    wrap: W,
}

impl<W: Wrap> HttpBody for Wrapped<W> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        let this = self.get_mut();
        this.wrap.poll(Pin::new(&mut this.body), context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<W: Wrap> Drop for Wrapped<W> {
    fn drop(&mut self) {
        self.wrap.ended();
    }
}
