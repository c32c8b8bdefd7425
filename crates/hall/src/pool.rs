//! HTTP/1.1 connections that are kept for the next request.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use hallway_evidence::causes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use crate::body::Body;
use crate::stream::BoxStream;

/// The most idle connections that are kept.
const MOST_IDLE_CONNECTIONS: usize = 16;

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError<E> {
    /// No connection could be made.
    #[error(transparent)]
    Connect(E),
    /// The connection broke, or what came back is not HTTP.
    #[error("the connection broke: {}", causes(.0))]
    Http(#[from] hyper::Error),
}

type Connect<E> = Box<dyn Fn() -> BoxFuture<'static, Result<BoxStream, E>> + Send + Sync>;

/// Connections to one place.
pub(crate) struct Pool<E> {
    connect: Connect<E>,
    idle: Mutex<Idle>,
}

/// The connections that wait for a request.
#[derive(Default)]
struct Idle {
    /// How often the pool was cleared. A connection from before the last time is not kept.
    generation: u64,
    senders: Vec<SendRequest<Body>>,
}

/// A connection, and the generation in which it was made.
struct Sender {
    generation: u64,
    inner: SendRequest<Body>,
}

impl<E: std::fmt::Display> Pool<E> {
    pub(crate) fn new<F>(connect: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<BoxStream, E>> + Send + 'static,
    {
        Self {
            connect: Box::new(move || Box::pin(connect())),
            idle: Mutex::default(),
        }
    }

    /// Sends over an idle connection if there is one, or a new one. A request that a connection
    /// did not take, because it was closed in the meantime, goes over the next.
    pub(crate) async fn send(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, SendError<E>> {
        while let Some(mut sender) = self.take() {
            match sender.inner.try_send_request(request).await {
                Ok(response) => {
                    self.keep(sender);
                    return Ok(response);
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let mut sender = self.fresh().await?;
        let response = sender.inner.send_request(request).await?;
        self.keep(sender);
        Ok(response)
    }

    async fn fresh(&self) -> Result<Sender, SendError<E>> {
        let generation = self.idle().generation;
        let stream = (self.connect)().await.map_err(SendError::Connect)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a kept connection ended");
            }
        });
        Ok(Sender {
            generation,
            inner: sender,
        })
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that is ready now: a connection whose last answer is still being read is not.
    fn take(&self) -> Option<Sender> {
        let mut idle = self.idle();
        idle.senders.retain(|sender| !sender.is_closed());
        let ready = idle.senders.iter().position(SendRequest::is_ready)?;
        Some(Sender {
            generation: idle.generation,
            inner: idle.senders.swap_remove(ready),
        })
    }

    fn keep(&self, sender: Sender) {
        let mut idle = self.idle();
        if sender.generation == idle.generation && idle.senders.len() < MOST_IDLE_CONNECTIONS {
            idle.senders.push(sender.inner);
        }
    }

    /// Forgets all connections, as after a renewal: those that are idle, and those that are in use
    /// once their request is answered.
    pub(crate) fn clear(&self) {
        let mut idle = self.idle();
        idle.generation += 1;
        idle.senders.clear();
    }
}
