//! The pass of a request or stream under a grant: a way to cut it, and counters.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::body::Body;

/// The most streams that one grant has open at a time.
pub const MOST_STREAMS: usize = 256;

/// How many bytes flowed, and how many streams are open, under one grant.
#[derive(Debug, Default)]
pub struct Flow {
    received: AtomicU64,
    sent: AtomicU64,
    streams: AtomicUsize,
}

impl Flow {
    /// Bytes that came from the holder of the grant.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes that went to the holder of the grant.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Streams open now.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    pub(crate) fn receive(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn send(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A place for one more stream, given back when it is dropped. `None`: [`MOST_STREAMS`] are
    /// open.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Place> {
        self.streams
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
                (open < MOST_STREAMS).then_some(open + 1)
            })
            .ok()
            .map(|_| Place(Arc::clone(self)))
    }
}

/// One open stream.
#[derive(Debug)]
pub(crate) struct Place(Arc<Flow>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Goes with every request and stream under a grant.
#[derive(Debug, Clone, Default)]
pub struct Pass {
    /// Cancelled by the gateway when the grant ends: whatever is open is cut.
    pub cut: CancellationToken,
    /// Counted while bytes flow.
    pub flow: Arc<Flow>,
}

/// Which way a body goes, seen from the holder of the grant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Received,
    Sent,
}

impl Pass {
    /// `body`, counted, and broken off when the grant is cut.
    pub(crate) fn over(&self, body: Body, way: Way) -> Body {
        Counted {
            body,
            way,
            cut: Box::pin(self.cut.clone().cancelled_owned()),
            flow: Arc::clone(&self.flow),
        }
        .boxed_unsync()
    }
}

struct Counted {
    body: Body,
    way: Way,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    flow: Arc<Flow>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(std::io::Error::new(
                std::io::ErrorKind::ConnectionAborted,
                "the grant has ended",
            ))));
        }
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            match self.way {
                Way::Received => self.flow.receive(data.len()),
                Way::Sent => self.flow.send(data.len()),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body;

    #[test]
    fn a_grant_has_a_bounded_number_of_streams() {
        let flow = Arc::new(Flow::default());
        let mut places: Vec<Place> = (0..MOST_STREAMS).map(|_| flow.enter().unwrap()).collect();
        assert!(flow.enter().is_none());
        places.pop();
        assert!(flow.enter().is_some());
        assert_eq!(flow.streams(), MOST_STREAMS - 1);
    }

    #[tokio::test]
    async fn a_body_is_counted_and_cut() {
        let pass = Pass::default();
        let whole = pass.over(body::full("four"), Way::Sent).collect().await;
        assert_eq!(whole.unwrap().to_bytes(), "four");
        assert_eq!((pass.flow.sent(), pass.flow.received()), (4, 0));
        pass.cut.cancel();
        let cut = pass.over(body::full("four"), Way::Sent).collect().await;
        assert_eq!(
            cut.unwrap_err().kind(),
            std::io::ErrorKind::ConnectionAborted
        );
    }
}
