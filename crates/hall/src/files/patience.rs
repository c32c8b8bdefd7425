//! Bodies that come too slowly are broken off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::BodyDataStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::body::Body;

/// How long a sender is waited for, in all, until the bytes that came are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// The fewest that have to come in that time: about a kilobyte each second.
const FEWEST_BYTES: usize = 64 * 1024;

/// A body's data, which ends with [`io::ErrorKind::TimedOut`] when less than a kilobyte comes each
/// second. Only time spent waiting for the sender counts, not what the reader takes for itself.
pub struct Patient {
    body: BodyDataStream<Body>,
    waited: Duration,
    since: Option<Instant>,
    received: usize,
    end: Pin<Box<Sleep>>,
}

impl Patient {
    /// The data of `body`.
    #[must_use]
    pub fn new(body: Body) -> Self {
        Self {
            body: BodyDataStream::new(body),
            waited: Duration::ZERO,
            since: None,
            received: 0,
            end: Box::pin(sleep(WINDOW)),
        }
    }

    fn too_slow(&mut self) -> Option<io::Error> {
        if self.waited < WINDOW {
            return None;
        }
        if self.received < FEWEST_BYTES {
            return Some(io::Error::new(
                io::ErrorKind::TimedOut,
                "less than a kilobyte arrived each second",
            ));
        }
        self.waited = Duration::ZERO;
        self.received = 0;
        None
    }
}

impl std::fmt::Debug for Patient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Patient").finish_non_exhaustive()
    }
}

impl Stream for Patient {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            let next = Pin::new(&mut self.body).poll_next(context);
            let now = Instant::now();
            if let Poll::Ready(next) = next {
                if let Some(since) = self.since.take() {
                    self.waited += now - since;
                }
                if let Some(Ok(bytes)) = &next {
                    self.received += bytes.len();
                    if let Some(error) = self.too_slow() {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                return Poll::Ready(next);
            }
            if self.since.is_none() {
                self.since = Some(now);
                let left = WINDOW.saturating_sub(self.waited);
                self.end.as_mut().reset(now + left);
            }
            ready!(self.end.as_mut().poll(context));
            if let Some(since) = self.since.take() {
                self.waited += Instant::now() - since;
            }
            if let Some(error) = self.too_slow() {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};
    use hyper::body::Frame;

    use super::*;

    fn drip(bytes: usize, every: Duration) -> Patient {
        let body = stream::repeat(()).then(move |()| async move {
            sleep(every).await;
            Ok(Frame::data(Bytes::from(vec![0; bytes])))
        });
        Patient::new(StreamBody::new(body).boxed_unsync())
    }

    #[tokio::test(start_paused = true)]
    async fn one_byte_a_minute_is_broken_off_in_the_second_minute() {
        let began = Instant::now();
        let mut slow = drip(1, Duration::from_secs(59));
        assert!(slow.next().await.unwrap().is_ok());
        let error = slow.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() < 2 * WINDOW);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_broken_off() {
        let mut silent = drip(1, Duration::from_secs(3600));
        let error = silent.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn two_kilobytes_a_second_go_on_for_an_hour() {
        let mut steady = drip(2048, Duration::from_secs(1));
        for _ in 0..3600 {
            steady.next().await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_store_is_not_the_senders_fault() {
        let mut quick = drip(1, Duration::from_millis(1));
        for _ in 0..100 {
            quick.next().await.unwrap().unwrap();
            sleep(WINDOW).await;
        }
    }
}
