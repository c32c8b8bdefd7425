//! Keeps a route's bounds: counts the requests under way, and cuts off those that take too long.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep, timeout};

use super::body::{announced, streamed, too_slow, whole};
use super::{BODY_TIMEOUT, Bounds, Gives, JSON, Made, Most, Polled, Takes, Wrap, wrapped};
use crate::http::problem::{Code, Problem};
use crate::source::{Share, Shares, Source};
use crate::turn::Turn;

/// The most requests of one source that are served at a time, over all routes together. Routes that
/// allow one source more than this count by themselves.
const MAX_ON_ALL_ROUTES: usize = 256;

/// The bounds of a route, and the places that its requests take now.
#[derive(Debug, Clone)]
pub struct Kept {
    bounds: Bounds,
    /// The bytes that [`Most::Payload`] allows.
    payload: u64,
    places: Arc<Semaphore>,
    shares: Arc<Shares>,
    everywhere: Arc<Shares>,
}

/// The place of one request. Dropping it frees the place.
#[derive(Debug)]
struct Place {
    _share: Option<Share>,
    _everywhere: Option<Share>,
    _place: OwnedSemaphorePermit,
}

impl Kept {
    /// `payload` is the number of bytes that [`Most::Payload`] allows; `everywhere` counts the
    /// requests of each source over all routes.
    pub fn new(bounds: Bounds, payload: u64, everywhere: Arc<Shares>) -> Self {
        Self {
            bounds,
            payload,
            places: Arc::new(Semaphore::new(bounds.at_once.total)),
            shares: Arc::default(),
            everywhere,
        }
    }

    fn place(&self, source: Option<Source>) -> Result<Place, Problem> {
        let each = self.bounds.at_once.each;
        let share = |shares: &Arc<Shares>, most| match source.clone() {
            None => Ok(None),
            Some(source) => shares.take(source, most).map(Some).ok_or(too_many(most)),
        };
        Ok(Place {
            _share: share(&self.shares, each)?,
            // A route that allows one caller more counts its callers by itself.
            _everywhere: if each <= MAX_ON_ALL_ROUTES {
                share(&self.everywhere, MAX_ON_ALL_ROUTES)?
            } else {
                None
            },
            _place: Arc::clone(&self.places)
                .try_acquire_owned()
                .map_err(|_| crowded())?,
        })
    }

    /// Runs `next` within the bounds, or refuses the request.
    pub async fn serve(&self, request: Request, source: Option<Source>, next: Next) -> Response {
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
                        // The handler waits for the sender, whose time has a bound of its own.
                        Err(_) if awaited.now() => {}
                        Err(_) => return Err(not_ready()),
                    }
                }
            }
            Gives::Streamed { lasts } => {
                let response = next.run(request).await;
                let length = response.body().size_hint().exact();
                if length.is_some_and(|length| length <= JSON as u64) {
                    // The answer is whole, and short: it needs no place.
                    return Ok(response);
                }
                let ends = lasts.map(|lasts| Box::pin(sleep(lasts)));
                let holding = Streamed {
                    ends,
                    _place: place,
                };
                Ok(response.map(|body| wrapped(body, holding)))
            }
        }
    }

    /// The request with a bounded body.
    async fn take(&self, request: Request) -> Result<Request, Problem> {
        let (bytes, within) = match self.bounds.body {
            Takes::Nothing => (0, BODY_TIMEOUT),
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

/// Tells whether the handler waits for more of a body.
#[derive(Clone, Debug, Default)]
struct Awaited(Arc<AtomicBool>);

impl Awaited {
    fn now(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wrap for Awaited {
    fn poll(&mut self, body: Pin<&mut Body>, context: &mut Context<'_>) -> Polled {
        let polled = body.poll_frame(context);
        self.0.store(polled.is_pending(), Ordering::Relaxed);
        polled
    }

    /// No handler waits for a dropped body.
    fn ended(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The request with a body that tells whether the handler waits for more of it.
fn watched(request: Request) -> (Request, Awaited) {
    let awaited = Awaited::default();
    let watching = awaited.clone();
    (request.map(|body| wrapped(body, watching)), awaited)
}

/// A streamed answer's time limit and place, held until the answer ends.
struct Streamed {
    ends: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl Wrap for Streamed {
    fn poll(&mut self, body: Pin<&mut Body>, context: &mut Context<'_>) -> Polled {
        if let Some(ends) = &mut self.ends
            && ends.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(None);
        }
        body.poll_frame(context)
    }
}

fn too_many(each: usize) -> Problem {
    Problem::new(
        Code::TooMany,
        format!(
            "{each} of your requests are under way here, the most that are allowed; \
             wait for one to end"
        ),
    )
}

fn crowded() -> Problem {
    Problem::new(
        Code::Crowded,
        "too many requests are under way here; try again in a moment",
    )
}

fn not_ready() -> Problem {
    Problem::new(
        Code::NotInTime,
        "the answer was not ready in time; check whether the request took effect, and try again",
    )
}

#[cfg(test)]
mod tests;
