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

/// The most connections for which there is no room and that are told so at a time; more wait in the
/// system's queue, where they cost no memory here.
const PORCH: usize = 256;
/// A pause after the system refused a connection, for it to find what it lacks.
const BREATH: Duration = Duration::from_millis(100);

/// A bound address and the places behind it.
pub(crate) struct Entrance {
    tcp: TcpListener,
    places: Arc<Semaphore>,
    porch: Arc<Semaphore>,
}

/// Whether there is a place for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// It has one.
    Free,
    /// All are taken: it is told so, see [`turned_away`].
    None,
}

/// A connection that came.
pub(crate) struct Arrival {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) room: Room,
    /// Its place, here or on the porch, until it is dropped.
    pub(crate) place: OwnedSemaphorePermit,
}

impl Entrance {
    /// Binds `address`; at most `places` connections are open at a time.
    pub(crate) async fn bind(address: SocketAddr, places: usize) -> Result<Self, ListenError> {
        let tcp = TcpListener::bind(address)
            .await
            .map_err(|source| ListenError::Bind { address, source })?;
        Ok(Self {
            tcp,
            places: Arc::new(Semaphore::new(places)),
            porch: Arc::new(Semaphore::new(PORCH)),
        })
    }

    /// The address that was bound.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// The next connection. Nothing is lost when this future is dropped.
    pub(crate) async fn next(&self) -> Arrival {
        let Ok(porch) = Arc::clone(&self.porch).acquire_owned().await else {
            // Nobody closes it.
            return std::future::pending().await;
        };
        loop {
            match self.tcp.accept().await {
                Ok((stream, peer)) => {
                    tcp::prepare(&stream);
                    let (room, place) = match Arc::clone(&self.places).try_acquire_owned() {
                        Ok(place) => (Room::Free, place),
                        Err(_) => (Room::None, porch),
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

/// How HTTP is spoken on every listener: heads are bounded in size and in time.
pub(crate) fn http() -> Builder<TokioExecutor> {
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
        .max_concurrent_streams(64)
        .keep_alive_interval(Some(PATIENCE));
    builder
}

/// A request of any listener for a router. It may be refused before its body has come.
pub(crate) fn routed(request: Request<Incoming>) -> Request<Body> {
    read_on(request).map(Body::new)
}

/// Answers whatever is asked with `problem`, and ends the connection. Said in HTTP, because nobody
/// reads the reason of a closed connection.
pub(crate) fn refusing(problem: Problem) -> Router {
    Router::new().fallback(move || {
        let problem = problem.clone();
        async move { closing(problem) }
    })
}

/// What somebody hears for whom there is no room.
pub(crate) fn turned_away() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "full",
        "the gateway has as many connections open as it may; try again in a moment",
    )
}

fn closing(problem: Problem) -> Response {
    let is_passing = problem.status == StatusCode::SERVICE_UNAVAILABLE;
    let mut response = problem.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if is_passing {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("20"));
    }
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
