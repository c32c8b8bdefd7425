//! Turns bound the requests that are handled before their senders are known.
//!
//! A route's bounds count callers, so a request gets a place there only after its session was
//! looked up. Until then it costs more than any answer. So only a few of a connection's requests
//! and of all requests have a turn, in the order in which they came. The others wait, and cost only
//! the memory of their heads.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most turns that one connection has at a time.
const MAX_TURNS_EACH: usize = 8;
/// The most turns that all connections have at a time.
const MAX_TURNS: usize = 64;

/// The turns of all connections.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_TURNS)))
    }
}

impl Turns {
    /// The turns of a new connection.
    pub(crate) fn of_connection(&self) -> ConnectionTurns {
        ConnectionTurns {
            each: Arc::new(Semaphore::new(MAX_TURNS_EACH)),
            all: Arc::clone(&self.0),
        }
    }
}

/// The turns of one connection.
#[derive(Debug)]
pub(crate) struct ConnectionTurns {
    each: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

impl ConnectionTurns {
    /// Waits for a turn, which lasts until its last clone is dropped.
    pub(crate) async fn next(&self) -> Turn {
        // The connection's own permit first, so that one connection queues for few of the shared
        // permits. Nobody closes the semaphores.
        let each = Arc::clone(&self.each).acquire_owned().await.ok();
        let all = Arc::clone(&self.all).acquire_owned().await.ok();
        Turn(Arc::new(Taken {
            _each: each,
            _all: all,
        }))
    }
}

/// The turn of one request, kept in the request's extensions. It ends when the request gets its
/// place at the route, or when the request is dropped.
#[derive(Clone)]
pub struct Turn(#[expect(dead_code, reason = "dropped, not read")] Arc<Taken>);

struct Taken {
    _each: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, timeout};

    use super::*;

    async fn waits(turns: &ConnectionTurns) -> bool {
        timeout(Duration::from_secs(1), turns.next()).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_has_a_few_turns_and_leaves_those_of_others() {
        let turns = Turns::default();
        let (one, other) = (turns.of_connection(), turns.of_connection());
        let mut taken = Vec::new();
        for _ in 0..MAX_TURNS_EACH {
            taken.push(one.next().await);
        }
        assert!(waits(&one).await);
        assert!(!waits(&other).await);
        taken.pop();
        assert!(!waits(&one).await);
    }

    #[tokio::test(start_paused = true)]
    async fn all_connections_have_so_many_turns_together() {
        let turns = Turns::default();
        let connections: Vec<_> = (0..MAX_TURNS).map(|_| turns.of_connection()).collect();
        let mut taken = Vec::new();
        for connection in &connections {
            taken.push(connection.next().await);
        }
        let late = turns.of_connection();
        assert!(waits(&late).await);
        drop(taken.pop());
        assert!(!waits(&late).await);
    }
}
