//! Content that takes its time: somebody else may lock the file meanwhile. So its last bytes are
//! held back until the locks were looked at again.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::{LockHolder, LockedStore, Locks, Touch, Verdict, judge, may_use};
use crate::body::Body;
use crate::files::lock::Lock;

/// The locks are looked at again if the content took at least this long.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What the second look needs to know.
pub(super) struct Look {
    pub(super) locks: Arc<dyn Locks>,
    pub(super) store: LockedStore,
    pub(super) holder: LockHolder,
    pub(super) now_ms: u64,
    pub(super) touches: Vec<Touch>,
    pub(super) submitted: Vec<String>,
}

/// The lock that was found to be in the way.
pub(super) type Found = Arc<OnceLock<Lock>>;

impl Look {
    /// `body`, which breaks off before its last bytes if a lock is in the way by then.
    pub(super) fn before_the_end_of(self, body: Body) -> (Body, Found) {
        let found = Found::default();
        let content = Content {
            body,
            held: None,
            look: Some(Box::pin(self.again(Arc::clone(&found), Instant::now()))),
            ended: false,
        };
        (content.boxed_unsync(), found)
    }

    async fn again(self, found: Found, since: Instant) -> io::Result<()> {
        let waited = since.elapsed();
        if waited < LOOK_AGAIN_AFTER {
            return Ok(());
        }
        let paths: Vec<_> = self
            .touches
            .iter()
            .map(|touch| touch.path.clone())
            .collect();
        let waited = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        let now_ms = self.now_ms.saturating_add(waited);
        let locks = self.locks.around(&self.store, &paths, now_ms).await;
        let locks = locks.map_err(io::Error::other)?;
        let may = |lock: &Lock| may_use(lock, self.holder, &self.submitted);
        for touch in &self.touches {
            // Whether a name is new was judged when the request came.
            if let Verdict::Locked(lock) = judge(&locks, touch, may) {
                let _ = found.set(lock.clone());
                return Err(io::Error::other("it was locked meanwhile"));
            }
        }
        Ok(())
    }
}

struct Content {
    body: Body,
    held: Option<Frame<Bytes>>,
    look: Option<BoxFuture<'static, io::Result<()>>>,
    ended: bool,
}

impl http_body::Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        while !self.ended {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Some(before) = self.held.replace(frame) {
                        return Poll::Ready(Some(Ok(before)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.ended = true,
            }
        }
        if let Some(look) = &mut self.look {
            let looked = ready!(look.as_mut().poll(context));
            self.look = None;
            if let Err(error) = looked {
                self.held = None;
                return Poll::Ready(Some(Err(error)));
            }
        }
        Poll::Ready(self.held.take().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.held.is_none() && self.look.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.held.as_ref().and_then(Frame::data_ref);
        let held = held.map_or(0, |data| data.len() as u64);
        let rest = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(held));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint
    }
}
