//! Accepts connections up to a limit. Over the limit, clients get 503.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use hallway_hall::body::read_on;
use hallway_hall::tcp;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::rustls;

use crate::http::problem::{Code, Problem};
use crate::http::request_id;
use crate::pace::PATIENCE;
use crate::source::{Share, Shares, Source};

/// The most bytes of a request's head, where a device sends its evidence, with ML-DSA signatures.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Why the gateway can't listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is in use, or not one of this machine.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address and port from the configuration.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// A PEM file cannot be read.
    #[error("the TLS file {path}: {reason}")]
    Pem {
        /// The file's path, with the folder in front.
        path: PathBuf,
        /// What is wrong with the file, as a text for people.
        reason: String,
    },
    /// The key does not belong to the certificate.
    #[error("the TLS certificate and key do not work together: {0}")]
    Tls(#[from] rustls::Error),
}

/// The most connections over the limit that are answered at a time; more wait in the system's
/// queue, where they cost no memory here.
const MAX_TURNED_AWAY: usize = 256;
/// The most places that one network may take if a quarter of all places would be fewer.
const MIN_PLACES_OF_NETWORK: usize = 64;
/// The pause after the system could not accept a connection, until it has file descriptors again.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// A bound address, and the places for its connections.
pub struct Entrance {
    tcp: TcpListener,
    places: Arc<Semaphore>,
    overflow: Arc<Semaphore>,
    shares: Arc<Shares>,
    /// The most places that one network may take.
    each: usize,
}

/// Whether there is a place for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// The connection has a place.
    Free,
    /// All places are taken: the client gets [`turned_away`].
    None,
}

/// An accepted connection.
pub struct Arrival {
    /// The open socket, with its TCP options set.
    pub stream: TcpStream,
    /// The client's address and port, or those of a proxy.
    pub peer: SocketAddr,
    /// Whether `stream` is served, or only refused.
    pub room: Room,
    /// The connection's place, within the limit or among those turned away, until it is dropped.
    pub place: Place,
}

/// A connection's place. Dropping it frees the place for another connection.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
    _share: Option<Share>,
}

impl Entrance {
    /// Binds `address`; at most `places` connections are open at a time.
    pub async fn bind(address: SocketAddr, places: usize) -> Result<Self, ListenError> {
        let tcp = TcpListener::bind(address)
            .await
            .map_err(|source| ListenError::Bind { address, source })?;
        Ok(Self {
            tcp,
            places: Arc::new(Semaphore::new(places)),
            overflow: Arc::new(Semaphore::new(MAX_TURNED_AWAY)),
            shares: Arc::default(),
            each: (places / 4).max(MIN_PLACES_OF_NETWORK.min(places)),
        })
    }

    /// The bound address, with the port that the system chose for port 0.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// A place for a connection, if one is free both in all and for its network.
    fn place(&self, peer: SocketAddr) -> Option<Place> {
        let share = match Source::network(peer.ip()) {
            Some(network) => Some(self.shares.take(network, self.each)?),
            None => None,
        };
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Place {
            _permit: permit,
            _share: share,
        })
    }

    /// Waits for the next connection. Dropping this future loses none.
    pub async fn next(&self) -> Arrival {
        let Ok(overflow) = Arc::clone(&self.overflow).acquire_owned().await else {
            // Never: nobody closes the semaphore.
            return std::future::pending().await;
        };
        loop {
            match self.tcp.accept().await {
                Ok((stream, peer)) => {
                    tcp::prepare(&stream);
                    let (room, place) = match self.place(peer) {
                        Some(place) => (Room::Free, place),
                        None => {
                            let overflow = Place {
                                _permit: overflow,
                                _share: None,
                            };
                            (Room::None, overflow)
                        }
                    };
                    return Arrival {
                        stream,
                        peer,
                        room,
                        place,
                    };
                }
                Err(error) => {
                    // Most likely out of file descriptors: closing connections frees some.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }
}

/// The most requests that one HTTP/2 connection may have under way.
const MAX_STREAMS: u32 = 64;
/// Bytes of request bodies that a peer may send over HTTP/2 before they are read: for one request,
/// and for all of a connection.
const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 512 * 1024;
/// Bytes of one answer that an HTTP/2 connection buffers until its peer takes them.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// The connection ends after this many requests that the peer reset before they were handled
/// (CVE-2023-44487), or errors by which the peer made us reset a request (CVE-2025-8671).
const MAX_RESETS: usize = 20;
const MAX_FAULTS: usize = 64;

/// The HTTP settings of every listener. They bound the size of heads, the time that a head may
/// take, and the memory that a peer can make a connection hold.
///
/// h2 itself bounds the rest: CONTINUATION frames by the size of heads, answers to PING and
/// SETTINGS to one at a time, and tiny DATA frames by a budget.
pub fn http() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_FAULTS)
        .keep_alive_interval(Some(PATIENCE))
        .keep_alive_timeout(PATIENCE);
    builder
}

/// Converts a listener's request for a router, which may refuse it before its body has come.
pub fn routed(request: Request<Incoming>) -> Request<Body> {
    read_on(request).map(Body::new)
}

/// Answers every request with `problem`, and ends the connection. Just closing the connection would
/// tell the client no reason.
pub fn refusing(problem: Problem) -> Router {
    Router::new()
        .fallback(move || {
            let problem = problem.clone();
            async move { closing(problem) }
        })
        .layer(from_fn(request_id::identify))
}

/// The 503 for clients over the limit.
pub fn turned_away() -> Problem {
    Problem::new(
        Code::Full,
        "the gateway has too many connections open, in all or from your network; \
         try again in a moment",
    )
    .after(20)
}

fn closing(problem: Problem) -> Response {
    let mut response = problem.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;

    async fn arrive(entrance: &Entrance) -> (TcpStream, Arrival) {
        let there = TcpStream::connect(entrance.address().unwrap())
            .await
            .unwrap();
        (there, entrance.next().await)
    }

    #[tokio::test]
    async fn a_client_that_is_turned_away_gets_an_id() {
        let asked = refusing(turned_away()).oneshot(Request::new(Body::empty()));
        let answer = asked.await.unwrap();
        assert_eq!(answer.status(), 503);
        assert!(answer.headers().contains_key(request_id::REQUEST_ID));
    }

    #[tokio::test]
    async fn a_connection_over_the_limit_is_turned_away_and_a_freed_place_is_given_again() {
        let entrance = Entrance::bind("127.0.0.1:0".parse().unwrap(), 2)
            .await
            .unwrap();
        let (_one, first) = arrive(&entrance).await;
        let (_two, second) = arrive(&entrance).await;
        let (_three, third) = arrive(&entrance).await;
        assert_eq!([first.room, second.room], [Room::Free; 2]);
        assert_eq!(third.room, Room::None);
        drop(first);
        let (_four, fourth) = arrive(&entrance).await;
        assert_eq!(fourth.room, Room::Free);
    }

    #[tokio::test]
    async fn few_connections_are_turned_away_at_a_time() {
        let entrance = Entrance::bind("127.0.0.1:0".parse().unwrap(), 0)
            .await
            .unwrap();
        let mut told = Vec::new();
        for _ in 0..MAX_TURNED_AWAY {
            told.push(arrive(&entrance).await);
        }
        let _waiting = TcpStream::connect(entrance.address().unwrap())
            .await
            .unwrap();
        let next = tokio::time::timeout(Duration::from_millis(50), entrance.next()).await;
        assert!(next.is_err(), "it waits in the system's queue");
        told.pop();
        assert_eq!(entrance.next().await.room, Room::None);
    }
}
