//! What one route may cost: bytes, time and count.
//!
//! Each route states its bounds in its declaration; the layer here keeps them for all of them, on
//! both listeners, so no handler can forget one. Whoever asks for too much hears which bound it was:
//! 413 for a body that is too long, 408 for one that comes too slowly, 429 for a source that holds
//! all its places, 503 when all places of the route are taken or the answer is not ready in time.
//! 429 and 503 say when to try again.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures_util::{StreamExt, stream};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::problem::Problem;
use crate::source::{Share, Shares, Source};
use crate::turn::Turn;

/// Bytes of JSON.
pub const JSON: usize = 64 * 1024;
/// How long a body may take that is read as a whole.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a sender of a stream is waited for before it is looked at how much came. Handlers may be
/// less patient.
const WINDOW: Duration = Duration::from_secs(90);
/// How much of a stream has to come in that time: half a kilobyte each second.
const LEAST: u64 = 45 * 1024;

/// The bounds of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The body that it takes.
    pub body: Takes,
    /// The answer that it gives.
    pub answer: Gives,
    /// How many requests at a time.
    pub at_once: AtOnce,
    /// Why they are wider than what routes of this kind have otherwise.
    pub because: Option<&'static str>,
}

/// What body a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// None.
    Nothing,
    /// One that is read before the handler runs.
    Whole {
        /// How long it may be.
        bytes: usize,
        /// How long it may take.
        within: Duration,
    },
    /// One that the handler reads as it comes: half a kilobyte each second at least.
    Streamed {
        /// How long it may be.
        most: Most,
    },
}

/// How long a stream may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Most {
    /// So many bytes.
    Bytes(u64),
    /// What `[limits] payload_bytes` of the configuration says.
    Payload,
}

/// What answer a route gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// One that is made whole. Its place is free again once it is made: what of it is not read is
    /// bounded by `pace`.
    Whole {
        /// How long making it may take, once the body has come.
        within: Duration,
    },
    /// One that is made while it is read. Its place is free again at its end.
    Streamed {
        /// When it ends, whatever was still to come; a reader that is too slow ends it before.
        lasts: Option<Duration>,
    },
}

/// In an answer's extensions: all of it is in memory, as [`Gives::Whole`] says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made;

/// How many requests of a route are served at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtOnce {
    /// Of all sources.
    pub total: usize,
    /// Of one [`Source`].
    pub each: usize,
}

impl Bounds {
    /// For what only tells something.
    pub const READ: Self = Self {
        body: Takes::Nothing,
        answer: Gives::Whole {
            within: Duration::from_secs(30),
        },
        at_once: AtOnce {
            total: 512,
            each: 64,
        },
        because: None,
    };

    /// For what changes something, and takes next to nothing.
    pub const CHANGE: Self = Self {
        body: Takes::Whole {
            bytes: 1024,
            within: PATIENCE,
        },
        answer: Gives::Whole {
            within: Duration::from_secs(60),
        },
        at_once: AtOnce {
            total: 256,
            each: 32,
        },
        because: None,
    };

    /// The same for what takes JSON.
    pub const JSON: Self = Self {
        body: Takes::Whole {
            bytes: JSON,
            within: PATIENCE,
        },
        ..Self::CHANGE
    };

    /// For what costs more than a look at the database, such as a chain of signatures.
    pub const COSTLY: Self = Self {
        at_once: AtOnce { total: 32, each: 8 },
        ..Self::JSON
    };

    /// Whether nothing here is wider than in `other`.
    #[must_use]
    pub fn fit(&self, other: &Self) -> bool {
        let body = match (self.body, other.body) {
            (Takes::Nothing, _) => true,
            (
                Takes::Whole { bytes, within },
                Takes::Whole {
                    bytes: most,
                    within: longest,
                },
            ) => bytes <= most && within <= longest,
            _ => false,
        };
        let answer = match (self.answer, other.answer) {
            (Gives::Whole { within }, Gives::Whole { within: longest }) => within <= longest,
            _ => false,
        };
        let (these, those) = (self.at_once, other.at_once);
        body && answer && these.total <= those.total && these.each <= those.each
    }
}

impl fmt::Display for Bounds {
    /// As the description of the API has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.body {
            Takes::Nothing => f.write_str("No body.")?,
            Takes::Whole { bytes, within } => write!(
                f,
                "A body of at most {bytes} bytes, within {} s.",
                within.as_secs()
            )?,
            Takes::Streamed { most } => {
                match most {
                    Most::Bytes(bytes) => write!(f, "A body of at most {bytes} bytes")?,
                    Most::Payload => {
                        f.write_str("A body as long as the gateway is configured for")?
                    }
                }
                f.write_str(", half a kilobyte each second at least.")?;
            }
        }
        match self.answer {
            Gives::Whole { within } => write!(f, " An answer within {} s.", within.as_secs())?,
            Gives::Streamed { lasts: Some(lasts) } => {
                write!(f, " An answer that ends after {} s.", lasts.as_secs())?;
            }
            Gives::Streamed { lasts: None } => f.write_str(" An answer as it is read.")?,
        }
        let AtOnce { total, each } = self.at_once;
        write!(f, " At most {total} at a time, {each} of one caller.")?;
        match self.because {
            Some(because) => write!(f, " Wider than usual, because {because}."),
            None => Ok(()),
        }
    }
}

/// The bounds of a route, and who is within them now.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    bounds: Bounds,
    /// What [`Most::Payload`] is.
    payload: u64,
    places: Arc<Semaphore>,
    shares: Arc<Shares>,
}

/// A place, until it is dropped.
#[derive(Debug)]
struct Place {
    _share: Option<Share>,
    _place: OwnedSemaphorePermit,
}

impl Kept {
    pub(crate) fn new(bounds: Bounds, payload: u64) -> Self {
        Self {
            bounds,
            payload,
            places: Arc::new(Semaphore::new(bounds.at_once.total)),
            shares: Arc::default(),
        }
    }

    fn place(&self, source: Option<Source>) -> Result<Place, Problem> {
        let each = self.bounds.at_once.each;
        let share = match source {
            None => None,
            Some(source) => Some(
                self.shares
                    .take(source, each)
                    .ok_or_else(|| too_many(each))?,
            ),
        };
        let place = Arc::clone(&self.places).try_acquire_owned();
        Ok(Place {
            _share: share,
            _place: place.map_err(|_| crowded())?,
        })
    }

    /// Lets a request through to `next`, within the bounds.
    pub(crate) async fn serve(
        &self,
        request: Request,
        source: Option<Source>,
        next: Next,
    ) -> Response {
        match self.within(request, source, next).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(),
        }
    }

    async fn within(
        &self,
        mut request: Request,
        source: Option<Source>,
        next: Next,
    ) -> Result<Response, Problem> {
        let place = self.place(source)?;
        request.extensions_mut().remove::<Turn>();
        let request = self.take(request).await?;
        match self.bounds.answer {
            Gives::Whole { within } => {
                let (request, awaited) = watched(request);
                let answer = next.run(request);
                tokio::pin!(answer);
                loop {
                    match timeout(within, answer.as_mut()).await {
                        Ok(mut response) => {
                            response.extensions_mut().insert(Made);
                            return Ok(response);
                        }
                        // The sender's time is not the handler's, and has a bound of its own.
                        Err(_) if awaited.now() => {}
                        Err(_) => return Err(not_ready()),
                    }
                }
            }
            Gives::Streamed { lasts } => {
                let response = next.run(request).await;
                let length = response.body().size_hint().exact();
                if length.is_some_and(|length| length <= JSON as u64) {
                    // It is made.
                    return Ok(response);
                }
                let ends = lasts.map(|lasts| Box::pin(sleep(lasts)));
                Ok(response.map(|body| {
                    Body::new(Streamed {
                        body,
                        ends,
                        _place: place,
                    })
                }))
            }
        }
    }

    /// The request with a body that is bounded.
    async fn take(&self, request: Request) -> Result<Request, Problem> {
        let (bytes, within) = match self.bounds.body {
            Takes::Nothing => (0, PATIENCE),
            Takes::Whole { bytes, within } => (bytes, within),
            Takes::Streamed { most } => {
                let most = match most {
                    Most::Bytes(bytes) => bytes,
                    Most::Payload => self.payload,
                };
                announced(&request, most)?;
                return Ok(request.map(|body| streamed(body, most)));
            }
        };
        if request.body().is_end_stream() {
            return Ok(request);
        }
        announced(&request, bytes as u64)?;
        let (head, body) = request.into_parts();
        let body = timeout(within, whole(body, bytes))
            .await
            .map_err(|_| too_slow())??;
        Ok(Request::from_parts(head, Body::from(body)))
    }
}

/// Refuses a body whose head says already that it is too long.
fn announced(request: &Request, most: u64) -> Result<(), Problem> {
    match request.body().size_hint().lower() {
        said if said > most => Err(too_long(most)),
        _ => {
            let said = request.headers().get(header::CONTENT_LENGTH);
            let said = said.and_then(|said| said.to_str().ok()?.parse::<u64>().ok());
            match said {
                Some(said) if said > most => Err(too_long(most)),
                _ => Ok(()),
            }
        }
    }
}

async fn whole(body: Body, most: usize) -> Result<Bytes, Problem> {
    let mut chunks = body.into_data_stream();
    let mut taken = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            Problem::malformed("the connection broke in the middle of the request's body")
        })?;
        if taken.len() + chunk.len() > most {
            return Err(too_long(most as u64));
        }
        taken.extend_from_slice(&chunk);
    }
    Ok(taken.freeze())
}

/// Why a body that is read as it comes was broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It is longer than the route takes.
    #[error("the body is longer than {0} bytes")]
    TooLong(u64),
    /// Less than half a kilobyte came each second.
    #[error("less than half a kilobyte came each second")]
    TooSlow,
}

impl Broken {
    /// The one in a body's error, if it is one.
    #[must_use]
    pub fn of(error: &axum::Error) -> Option<Self> {
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = cause {
            if let Some(broken) = error.downcast_ref::<Self>() {
                return Some(*broken);
            }
            // io::Error tells of what it wraps by another way than of causes.
            let wrapped = error.downcast_ref::<std::io::Error>();
            if let Some(broken) = wrapped.and_then(|error| error.get_ref()?.downcast_ref::<Self>())
            {
                return Some(*broken);
            }
            cause = error.source();
        }
        None
    }
}

impl From<Broken> for Problem {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::TooLong(most) => too_long(most),
            Broken::TooSlow => too_slow(),
        }
    }
}

impl From<Broken> for std::io::Error {
    fn from(broken: Broken) -> Self {
        let kind = match broken {
            Broken::TooLong(_) => std::io::ErrorKind::FileTooLarge,
            Broken::TooSlow => std::io::ErrorKind::TimedOut,
        };
        Self::new(kind, broken)
    }
}

/// `body`, broken off with [`Broken`] when it is too long or too slow. Only time spent waiting for
/// the sender counts.
fn streamed(body: Body, most: u64) -> Body {
    if body.is_end_stream() {
        return body;
    }
    struct Coming {
        chunks: axum::body::BodyDataStream,
        left: u64,
        waited: Duration,
        came: u64,
    }
    let hint = body.size_hint();
    let coming = Coming {
        chunks: body.into_data_stream(),
        left: most,
        waited: Duration::ZERO,
        came: 0,
    };
    let chunks = Body::from_stream(stream::try_unfold(coming, move |mut coming| async move {
        let asked = Instant::now();
        let patience = WINDOW.saturating_sub(coming.waited);
        let chunk = match timeout(patience, coming.chunks.next()).await {
            Ok(chunk) => chunk,
            // What came in the window before this chunk does not help it.
            Err(_) if coming.came < LEAST => return Err(Broken::TooSlow.into()),
            Err(_) => match timeout(WINDOW, coming.chunks.next()).await {
                Ok(chunk) => chunk,
                Err(_) => return Err(Broken::TooSlow.into()),
            },
        };
        let Some(chunk) = chunk else { return Ok(None) };
        let chunk = chunk.map_err(std::io::Error::other)?;
        let length = chunk.len() as u64;
        coming.left = match coming.left.checked_sub(length) {
            Some(left) => left,
            None => return Err(Broken::TooLong(most).into()),
        };
        coming.waited += asked.elapsed();
        coming.came += length;
        if coming.waited >= WINDOW {
            if coming.came < LEAST {
                return Err(Broken::TooSlow.into());
            }
            (coming.waited, coming.came) = (Duration::ZERO, 0);
        }
        Ok::<_, std::io::Error>(Some((chunk, coming)))
    }));
    Body::new(Hinted { chunks, hint })
}

/// Tells whether somebody waits for more of a body.
#[derive(Clone, Debug, Default)]
struct Awaited(Arc<AtomicBool>);

impl Awaited {
    fn now(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body that says whether somebody waits for more of it.
struct Watched {
    body: Body,
    awaited: Awaited,
}

/// The request with a body that is watched.
fn watched(request: Request) -> (Request, Awaited) {
    let awaited = Awaited::default();
    let watching = awaited.clone();
    let watch = |body| {
        Body::new(Watched {
            body,
            awaited: watching,
        })
    };
    (request.map(watch), awaited)
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.awaited.0.store(polled.is_pending(), Ordering::Relaxed);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.awaited.0.store(false, Ordering::Relaxed);
    }
}

/// Chunks, with what is known of their length.
struct Hinted {
    chunks: Body,
    hint: SizeHint,
}

impl HttpBody for Hinted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.chunks).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}

/// An answer that holds its place until its end.
struct Streamed {
    body: Body,
    ends: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(ends) = &mut self.ends
            && ends.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn too_long(most: u64) -> Problem {
    let detail = match most {
        0 => "this address takes no body".to_owned(),
        _ => format!("the request's body is longer than {most} bytes, the most that is taken here"),
    };
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
}

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "too-slow",
        "the request's body came too slowly; send it again",
    )
}

fn too_many(each: usize) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many",
        format!(
            "{each} requests of yours are under way here, as many as may be; wait for one to end"
        ),
    )
}

fn crowded() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "crowded",
        "as many requests are under way here as may be; try again in a moment",
    )
}

fn not_ready() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not-in-time",
        "the answer was not ready in time; look whether it was done, and try again",
    )
}

#[cfg(test)]
mod tests;
