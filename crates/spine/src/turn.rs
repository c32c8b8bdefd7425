//! Turns: how many requests are looked at before it is known who sends them.
//!
//! A route's bounds count callers, so a request has a place there only once its session was looked
//! up. Until then it costs more than any answer. So few are looked at, of one connection and of all,
//! in the order in which connections ask; the others wait, and cost their head.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many requests of one connection are looked at.
const EACH: usize = 8;
/// How many of all connections.
const ALL: usize = 64;

/// The turns of all connections.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ALL)))
    }
}

impl Turns {
    /// Those of one connection.
    pub(crate) fn of_connection(&self) -> ConnectionTurns {
        ConnectionTurns {
            each: Arc::new(Semaphore::new(EACH)),
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
    /// Waits for a turn, which lasts until the last copy of it is dropped.
    pub(crate) async fn next(&self) -> Turn {
        // One of the connection's own first: a connection waits for few of those of all. Nobody
        // closes the semaphores.
        let each = Arc::clone(&self.each).acquire_owned().await.ok();
        let all = Arc::clone(&self.all).acquire_owned().await.ok();
        Turn(Arc::new(Taken {
            _each: each,
            _all: all,
        }))
    }
}

/// The turn of one request. It goes with the request's extensions, and ends when the request has its
/// place, or with it.
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
        for _ in 0..EACH {
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
        let connections: Vec<_> = (0..ALL).map(|_| turns.of_connection()).collect();
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
