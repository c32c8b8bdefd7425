//! Peers that ask nothing, and answers that nobody takes.
//!
//! hyper waits for the first bytes of a connection as long as it takes, and only then bounds the
//! time for a head. So a connection that has asked nothing after a while ends.
//!
//! A reader that takes a byte a minute costs an open file and a place among the connections for as
//! long as it likes, and keeps a connection over HTTP/2 busy with nothing. So a connection ends
//! when one of its answers lies ready for a minute and no more of it is asked for. That the gateway
//! itself has nothing to give, as while somebody waits for news, is not the reader's fault.
//!
//! Until then the bytes of that answer are held, and so is the head of a request that is not answered
//! yet. Those of one connection are few: beyond [`ROOM`] its next request waits. Those of all
//! are, too: beyond [`MOST`] the connections end that hold most for longest, so whoever reads is
//! never refused because of somebody who does not.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Context;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use axum::response::Response;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::http::bounds::{Made, Polled, Wrap, wrapped};
use crate::server::PATIENCE;
use crate::turn::{ConnectionTurns, Turn, Turns};

/// How long the reader of an answer may take nothing of it.
const WINDOW: Duration = Duration::from_secs(60);
/// Bytes of answers that one connection may hold unread before its next request waits: a piece for each
/// of as many files as HTTP/2 lets it read at a time.
const ROOM: usize = 16 << 20;
/// Bytes of answers that all connections of the gateway may hold unread.
const MOST: usize = 64 << 20;
/// An answer that is made whole is counted from its beginning: one of a route that says so, and any
/// that is no longer than this. What was read of others is counted.
const WHOLE: u64 = 1 << 20;
/// What a request costs beside its head until it is answered, and an answer that is made whole beside
/// its body: its task, its stream and its fields. One that is streamed has a place of its route instead.
const STREAM: usize = 4 << 10;
/// Over HTTP/2 the fields of a head are pieces of the buffer that it came in, which is kept for them
/// and may be so many times as long.
const BUFFER: usize = 4;
/// What a field of a head costs beside its name and its value: its bucket in a table that may be half
/// empty, and an allocation for a name that nobody knows.
const FIELD: usize = 256;

/// What the answers hold that nobody has read yet, on all connections.
#[derive(Debug, Clone)]
pub struct Unread(Arc<All>);

#[derive(Debug)]
struct All {
    most: usize,
    held: AtomicUsize,
    next: AtomicU64,
    connections: Mutex<HashMap<u64, Weak<Connection>>>,
    turns: Turns,
    began: Instant,
}

impl Default for Unread {
    fn default() -> Self {
        Self::at_most(MOST)
    }
}

impl Unread {
    fn at_most(most: usize) -> Self {
        Self(Arc::new(All {
            most,
            held: AtomicUsize::new(0),
            next: AtomicU64::new(0),
            connections: Mutex::default(),
            turns: Turns::default(),
            began: Instant::now(),
        }))
    }

    /// A connection from now on.
    pub fn pace(&self) -> Pace {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection {
            all: Arc::clone(&self.0),
            number,
            asked: CancellationToken::new(),
            lost: CancellationToken::new(),
            answers: Mutex::default(),
            held: AtomicUsize::new(0),
            taken_ms: AtomicU64::new(self.0.now_ms()),
            less: Notify::new(),
            turns: self.0.turns.of_connection(),
        });
        let mut connections = lock(&self.0.connections);
        connections.insert(number, Arc::downgrade(&connection));
        drop(connections);
        Pace(connection)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl All {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Ends connections until what the others hold is three quarters of what may be held.
    fn make_room(&self) {
        let mut holding: Vec<Arc<Connection>> = lock(&self.connections)
            .values()
            .filter_map(Weak::upgrade)
            .filter(|connection| !connection.lost.is_cancelled())
            .filter(|connection| connection.held.load(Ordering::Relaxed) > 0)
            .collect();
        let now = self.now_ms();
        holding.sort_by_cached_key(|connection| std::cmp::Reverse(connection.weight(now)));
        let held = |connection: &Arc<Connection>| connection.held.load(Ordering::Relaxed);
        let mut left: usize = holding.iter().map(held).sum();
        for connection in holding {
            if left <= self.most / 4 * 3 {
                return;
            }
            left = left.saturating_sub(held(&connection));
            connection.lost.cancel();
        }
    }
}

/// The other end of one connection.
#[derive(Debug, Clone)]
pub struct Pace(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    all: Arc<All>,
    number: u64,
    asked: CancellationToken,
    lost: CancellationToken,
    answers: Mutex<HashMap<u64, Arc<Reader>>>,
    /// Bytes of answers that it has not taken.
    held: AtomicUsize,
    /// When it took some last.
    taken_ms: AtomicU64,
    less: Notify,
    turns: ConnectionTurns,
}

impl Connection {
    fn hold(&self, bytes: usize) {
        if self.held.fetch_add(bytes, Ordering::Relaxed) == 0 {
            // It could take nothing before.
            self.taken_ms.store(self.all.now_ms(), Ordering::Relaxed);
        }
        if self.all.held.fetch_add(bytes, Ordering::Relaxed) + bytes > self.all.most {
            self.all.make_room();
        }
    }

    /// So many bytes of answers were taken.
    fn taken(&self, bytes: usize) {
        self.taken_ms.store(self.all.now_ms(), Ordering::Relaxed);
        self.release(bytes);
    }

    fn release(&self, bytes: usize) {
        self.all.held.fetch_sub(bytes, Ordering::Relaxed);
        let before = self.held.fetch_sub(bytes, Ordering::Relaxed);
        if before > ROOM {
            self.less.notify_waiters();
        }
    }

    /// How much it costs the others: bytes, for as long as it took none of them.
    fn weight(&self, now_ms: u64) -> u64 {
        let held = self.held.load(Ordering::Relaxed) as u64;
        let since = now_ms.saturating_sub(self.taken_ms.load(Ordering::Relaxed));
        held.saturating_mul(since + 1)
    }

    /// Whether an answer lies ready, and no more of it was asked for since this was called last.
    fn is_unread(&self) -> bool {
        let answers = lock(&self.answers);
        let mut unread = false;
        for reader in answers.values() {
            let asked = reader.asked.swap(false, Ordering::Relaxed);
            unread |= !asked && reader.given.load(Ordering::Relaxed);
        }
        unread
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        lock(&self.all.connections).remove(&self.number);
    }
}

impl Pace {
    /// Answers `request` by `answer`, once there is room for the answer and it is the request's turn.
    ///
    /// # Errors
    /// The connection ended before. Over HTTP/2 a request is a task of its own, which would go on
    /// waiting, and hold its head, when nobody is there any more.
    pub async fn serve<B, F>(
        &self,
        request: Request<B>,
        answer: impl FnOnce(Request<B>, Turn) -> F,
    ) -> Result<Response, Gone>
    where
        F: Future<Output = Result<Response, Infallible>>,
    {
        self.0.asked.cancel();
        let answered = async {
            let head = Head::new(&self.0, &request);
            self.has_room().await;
            let turn = self.0.turns.next().await;
            let Ok(response) = answer(request, turn).await;
            drop(head);
            self.over(response)
        };
        tokio::select! {
            biased;
            () = self.0.lost.cancelled() => Err(Gone),
            response = answered => Ok(response),
        }
    }

    /// Ends the connection's requests when this is dropped.
    pub fn until_it_ends(&self) -> DropGuard {
        self.0.lost.clone().drop_guard()
    }

    async fn has_room(&self) {
        loop {
            let less = self.0.less.notified();
            tokio::pin!(less);
            less.as_mut().enable();
            if self.0.held.load(Ordering::Relaxed) <= ROOM {
                return;
            }
            less.await;
        }
    }

    /// `response`, watched until its last byte was taken.
    fn over(&self, mut response: Response) -> Response {
        let made = response.extensions_mut().remove::<Made>().is_some();
        if response.body().is_end_stream() {
            return response;
        }
        response.map(|body| {
            let number = self.0.all.next.fetch_add(1, Ordering::Relaxed);
            let reader = Arc::new(Reader::default());
            lock(&self.0.answers).insert(number, Arc::clone(&reader));
            let whole = body.size_hint().exact();
            let whole = whole.filter(|bytes| made || *bytes <= WHOLE);
            let (whole, stream) = match whole {
                // The buffer in which a text grew may have as much room again.
                Some(bytes) => (in_memory(bytes), STREAM + in_memory(bytes.min(WHOLE))),
                None => (0, 0),
            };
            self.0.hold(stream);
            let answer = Arc::new(Answer {
                connection: Arc::clone(&self.0),
                number,
                reader,
                stream,
            });
            let counted = Counted {
                unpolled: answer.hold(whole),
                answer,
            };
            wrapped(body, counted)
        })
    }

    /// Resolves when nothing was asked for in time, when somebody reads too slowly, or when others
    /// need the room.
    pub async fn lost(&self) {
        let connection = &self.0;
        if timeout(PATIENCE, connection.asked.cancelled())
            .await
            .is_err()
        {
            return;
        }
        loop {
            tokio::select! {
                () = connection.lost.cancelled() => return,
                () = sleep(WINDOW) => if connection.is_unread() {
                    return;
                }
            }
        }
    }
}

fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// What the head of `request` takes in memory, more or less.
fn head_bytes<B>(request: &Request<B>) -> usize {
    let fields = request.headers().iter();
    let fields = fields.map(|(name, value)| BUFFER * (name.as_str().len() + value.len()) + FIELD);
    let target = request.uri().path_and_query();
    fields.sum::<usize>() + target.map_or(0, |target| BUFFER * target.as_str().len())
}

/// The connection ended before its request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection ended")]
pub struct Gone;

/// The head of a request that is not answered yet.
#[derive(Debug)]
struct Head {
    connection: Arc<Connection>,
    bytes: usize,
}

impl Head {
    fn new<B>(connection: &Arc<Connection>, request: &Request<B>) -> Self {
        let bytes = STREAM + head_bytes(request);
        connection.hold(bytes);
        Self {
            connection: Arc::clone(connection),
            bytes,
        }
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        self.connection.release(self.bytes);
    }
}

/// What the reader of one answer does.
#[derive(Debug, Default)]
struct Reader {
    /// It asked for more since this was looked at.
    asked: AtomicBool,
    /// It was given what it asked for; otherwise it waits for us.
    given: AtomicBool,
}

/// One answer, until the last byte of it was taken.
#[derive(Debug)]
struct Answer {
    connection: Arc<Connection>,
    number: u64,
    reader: Arc<Reader>,
    /// What it costs beside the bytes of its body, until the last of them was taken.
    stream: usize,
}

impl Answer {
    fn hold(self: &Arc<Self>, bytes: usize) -> Held {
        self.connection.hold(bytes);
        Held {
            answer: Arc::clone(self),
            bytes,
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        lock(&self.connection.answers).remove(&self.number);
        self.connection.taken(self.stream);
    }
}

/// Bytes of an answer that are held until this is dropped.
#[derive(Debug)]
struct Held {
    answer: Arc<Answer>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.answer.connection.taken(self.bytes);
        self.answer.reader.asked.store(true, Ordering::Relaxed);
    }
}

/// A piece of an answer on its way: the connection drops it when it was sent.
struct Piece {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// An answer whose bytes are counted until they were taken.
struct Counted {
    /// What is still in the body of one that was made whole.
    unpolled: Held,
    answer: Arc<Answer>,
}

impl Counted {
    fn piece(&mut self, bytes: Bytes) -> Bytes {
        let held = self.answer.hold(bytes.len());
        let counted = self.unpolled.bytes.min(bytes.len());
        self.unpolled.bytes -= counted;
        self.answer.connection.taken(counted);
        Bytes::from_owner(Piece { bytes, _held: held })
    }
}

impl Wrap for Counted {
    fn poll(&mut self, body: Pin<&mut Body>, context: &mut Context<'_>) -> Polled {
        let frame = body.poll_frame(context);
        let reader = &self.answer.reader;
        reader.asked.store(true, Ordering::Relaxed);
        reader.given.store(frame.is_ready(), Ordering::Relaxed);
        frame.map_ok(|frame| frame.map_data(|bytes| self.piece(bytes)))
    }
}

#[cfg(test)]
mod tests;
