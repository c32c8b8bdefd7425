//! Taking connections: as many as there is room for, and a word to those for whom there is none.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hallway_hall::body::read_on;
use hallway_hall::tcp;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::problem::Problem;
use crate::server::{HEAD, ListenError, PATIENCE};
use crate::source::{Share, Shares, Source};

/// The most connections for which there is no room and that are told so at a time; more wait in the
/// system's queue, where they cost no memory here.
const PORCH: usize = 256;
/// How many places one network may have where a quarter of all would be fewer.
const LEAST: usize = 64;
/// A pause after the system refused a connection, for it to find what it lacks.
const BREATH: Duration = Duration::from_millis(100);

/// A bound address and the places behind it.
pub struct Entrance {
    tcp: TcpListener,
    places: Arc<Semaphore>,
    porch: Arc<Semaphore>,
    shares: Arc<Shares>,
    /// How many places one network may have.
    each: usize,
}

/// Whether there is a place for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// It has one.
    Free,
    /// All are taken: it is told so, see [`turned_away`].
    None,
}

/// A connection that came.
pub struct Arrival {
    pub stream: TcpStream,
    pub peer: SocketAddr,
    pub room: Room,
    /// Its place, here or on the porch, until it is dropped.
    pub place: Place,
}

/// A place of a connection.
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
            porch: Arc::new(Semaphore::new(PORCH)),
            shares: Arc::default(),
            each: (places / 4).max(LEAST.min(places)),
        })
    }

    /// The address that was bound.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// A place for a connection, if there is one: in all, and among those of its network.
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

    /// The next connection. Nothing is lost when this future is dropped.
    pub async fn next(&self) -> Arrival {
        let Ok(porch) = Arc::clone(&self.porch).acquire_owned().await else {
            // Nobody closes it.
            return std::future::pending().await;
        };
        loop {
            match self.tcp.accept().await {
                Ok((stream, peer)) => {
                    tcp::prepare(&stream);
                    let (room, place) = match self.place(peer) {
                        Some(place) => (Room::Free, place),
                        None => {
                            let porch = Place {
                                _permit: porch,
                                _share: None,
                            };
                            (Room::None, porch)
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
                    // Out of file descriptors, most likely: closing connections frees some.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }
}

/// The most requests of one connection that are under way over HTTP/2.
const STREAMS: u32 = 64;
/// Bytes of request bodies that a peer may send over HTTP/2 before they are read, of one request and
/// of all on a connection.
const STREAM_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 512 * 1024;
/// Bytes of one answer that are given to a connection over HTTP/2 before its peer takes them.
const SEND_BUFFER: usize = 64 * 1024;
/// Requests that were reset before they were looked at (CVE-2023-44487), and errors of the peer's
/// that make us reset one (CVE-2025-8671): so many, then the connection ends.
const RESETS: usize = 20;
const FAULTS: usize = 64;

/// How HTTP is spoken on every listener: heads are bounded in size and in time, and so is what a peer
/// can make a connection hold.
///
/// What a flood of CONTINUATION frames makes is bounded by the size of heads, answers to PING and
/// SETTINGS are one at a time, and tiny DATA frames have a budget: h2 sees to these itself.
pub fn http() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD as u32)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(FAULTS)
        .keep_alive_interval(Some(PATIENCE))
        .keep_alive_timeout(PATIENCE);
    builder
}

/// A request of any listener for a router. It may be refused before its body has come.
pub fn routed(request: Request<Incoming>) -> Request<Body> {
    read_on(request).map(Body::new)
}

/// Answers whatever is asked with `problem`, and ends the connection. Said in HTTP, because nobody
/// reads the reason of a closed connection.
pub fn refusing(problem: Problem) -> Router {
    Router::new().fallback(move || {
        let problem = problem.clone();
        async move { closing(problem) }
    })
}

/// What somebody hears for whom there is no room.
pub fn turned_away() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "full",
        "the gateway has as many connections open as it may, in all or of yours; try again in a moment",
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
    use super::*;

    async fn arrive(entrance: &Entrance) -> (TcpStream, Arrival) {
        let there = TcpStream::connect(entrance.address().unwrap())
            .await
            .unwrap();
        (there, entrance.next().await)
    }

    #[tokio::test]
    async fn one_too_many_is_taken_to_be_told_and_a_place_that_is_free_again_is_given() {
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
    async fn those_who_are_told_are_few_at_a_time() {
        let entrance = Entrance::bind("127.0.0.1:0".parse().unwrap(), 0)
            .await
            .unwrap();
        let mut told = Vec::new();
        for _ in 0..PORCH {
            told.push(arrive(&entrance).await);
        }
        let _waiting = TcpStream::connect(entrance.address().unwrap())
            .await
            .unwrap();
        let next = tokio::time::timeout(Duration::from_millis(50), entrance.next()).await;
        assert!(next.is_err(), "it waits outside");
        told.pop();
        assert_eq!(entrance.next().await.room, Room::None);
    }
}
