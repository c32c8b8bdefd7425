//! Ends connections whose peers send no request, or do not read their answers.
//!
//! hyper bounds the time for a head only once the first bytes of a connection have come. So a
//! connection that has sent no request after [`PATIENCE`] ends.
//!
//! A reader that takes a byte a minute costs an open file and a place among the connections for as
//! long as it likes, and keeps an HTTP/2 connection busy with nothing. So a connection ends when
//! one of its answers lies ready for a minute and the reader asks for no more of it. An answer that
//! waits for the gateway itself, such as a stream of events, is not the reader's fault.
//!
//! Until then the bytes of that answer stay in memory, and so does the head of a request that is
//! not answered yet. Both are bounded. If a connection holds more than `CONNECTION_UNREAD_BYTES`,
//! its next request waits. If all together hold more than `UNREAD_BYTES`, the connections that hold
//! most for longest end. Peers that read are never refused because of peers that do not.

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
use crate::turn::{ConnectionTurns, Turn, Turns};

/// How long a peer may take for a handshake or for the head of a request.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long a reader may take no bytes of an answer that lies ready.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of answers that one connection may hold unread before its next request waits: a piece of
/// each file that HTTP/2 lets it read at a time.
const CONNECTION_UNREAD_BYTES: usize = 16 << 20;
/// Bytes of answers that all connections of the gateway may hold unread.
const UNREAD_BYTES: usize = 64 << 20;
/// An answer that is whole in memory is counted from its beginning: one whose route says so
/// ([`Made`]), and any up to this length. Other answers are counted piece by piece, as they are
/// polled.
const WHOLE_BYTES: u64 = 1 << 20;
/// Bytes that a request costs besides its head until it is answered, and a whole answer besides its
/// body: its task, its stream and its fields. A streamed answer has a place of its route instead.
const TASK_BYTES: usize = 4 << 10;
/// Over HTTP/2 the fields of a head point into the buffer that it came in. They keep the whole
/// buffer, which may be this many times as long as they are.
const BUFFER_FACTOR: usize = 4;
/// Bytes that a field of a head costs besides its name and its value: its bucket in a table that
/// may be half empty, and an allocation for a name that is not a standard one.
const FIELD_BYTES: usize = 256;

/// The count of bytes of answers that nobody has read yet, on all connections.
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
        Self::at_most(UNREAD_BYTES)
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

    /// Registers a new connection, which has sent no request yet.
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

    /// Ends connections until the others hold at most three quarters of the limit.
    fn make_room(&self) {
        // The connections are chosen from only after the lock is released: dropping the last handle of
        // one locks the map to remove the connection.
        let mut holding: Vec<Arc<Connection>> = lock(&self.connections)
            .values()
            .filter_map(Weak::upgrade)
            .collect();
        holding.retain(|connection| {
            !connection.lost.is_cancelled() && connection.held.load(Ordering::Relaxed) > 0
        });
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

/// How one connection's peer sends requests and reads answers.
#[derive(Debug, Clone)]
pub struct Pace(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    all: Arc<All>,
    number: u64,
    asked: CancellationToken,
    lost: CancellationToken,
    answers: Mutex<HashMap<u64, Arc<Reader>>>,
    /// Bytes of answers that the peer has not taken.
    held: AtomicUsize,
    /// When the peer last took some, milliseconds since `All::began`.
    taken_ms: AtomicU64,
    less: Notify,
    turns: ConnectionTurns,
}

impl Connection {
    fn hold(&self, bytes: usize) {
        if self.held.fetch_add(bytes, Ordering::Relaxed) == 0 {
            // Before, there was nothing to take.
            self.taken_ms.store(self.all.now_ms(), Ordering::Relaxed);
        }
        if self.all.held.fetch_add(bytes, Ordering::Relaxed) + bytes > self.all.most {
            self.all.make_room();
        }
    }

    /// Notes that the peer took `bytes` of answers.
    fn taken(&self, bytes: usize) {
        self.taken_ms.store(self.all.now_ms(), Ordering::Relaxed);
        self.release(bytes);
    }

    fn release(&self, bytes: usize) {
        self.all.held.fetch_sub(bytes, Ordering::Relaxed);
        let before = self.held.fetch_sub(bytes, Ordering::Relaxed);
        if before > CONNECTION_UNREAD_BYTES {
            self.less.notify_waiters();
        }
    }

    /// What the connection costs the others: held bytes, times the milliseconds since the peer last
    /// took some.
    fn weight(&self, now_ms: u64) -> u64 {
        let held = self.held.load(Ordering::Relaxed) as u64;
        let since = now_ms.saturating_sub(self.taken_ms.load(Ordering::Relaxed));
        held.saturating_mul(since + 1)
    }

    /// Whether an answer lies ready of which the peer asked for no more since the last call.
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
    /// Answers `request` by `answer`, once there is room for the answer and it is the request's
    /// turn.
    ///
    /// # Errors
    /// The connection ended before. Over HTTP/2 a request is a task of its own, which would
    /// otherwise go on waiting, and hold its head, after the peer is gone.
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

    /// A guard for the connection's task: dropping it ends the connection's requests.
    pub fn until_it_ends(&self) -> DropGuard {
        self.0.lost.clone().drop_guard()
    }

    async fn has_room(&self) {
        loop {
            let less = self.0.less.notified();
            tokio::pin!(less);
            less.as_mut().enable();
            if self.0.held.load(Ordering::Relaxed) <= CONNECTION_UNREAD_BYTES {
                return;
            }
            less.await;
        }
    }

    /// Counts the bytes of `response` until the peer has taken the last one.
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
            let whole = whole.filter(|bytes| made || *bytes <= WHOLE_BYTES);
            let (whole, stream) = match whole {
                // The buffer in which a text grew may be twice as long as the text.
                Some(bytes) => (
                    in_memory(bytes),
                    TASK_BYTES + in_memory(bytes.min(WHOLE_BYTES)),
                ),
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

    /// Resolves when the connection must end: no request came in time, the peer reads too slowly,
    /// or others need the memory.
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
                () = sleep(READ_TIMEOUT) => if connection.is_unread() {
                    return;
                }
            }
        }
    }
}

fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// About how many bytes the head of `request` takes in memory.
fn head_bytes<B>(request: &Request<B>) -> usize {
    let fields = request.headers().iter();
    let fields = fields
        .map(|(name, value)| BUFFER_FACTOR * (name.as_str().len() + value.len()) + FIELD_BYTES);
    let target = request.uri().path_and_query();
    fields.sum::<usize>() + target.map_or(0, |target| BUFFER_FACTOR * target.as_str().len())
}

/// The connection ended before its request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection ended")]
pub struct Gone;

/// The memory of a request's head, held until the request is answered.
#[derive(Debug)]
struct Head {
    connection: Arc<Connection>,
    bytes: usize,
}

impl Head {
    fn new<B>(connection: &Arc<Connection>, request: &Request<B>) -> Self {
        let bytes = TASK_BYTES + head_bytes(request);
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

/// How the peer reads one answer.
#[derive(Debug, Default)]
struct Reader {
    /// The peer asked for more since `is_unread` last looked.
    asked: AtomicBool,
    /// The peer was given the part that it asked for; otherwise it waits for the gateway.
    given: AtomicBool,
}

/// One answer, until the peer has taken its last byte.
#[derive(Debug)]
struct Answer {
    connection: Arc<Connection>,
    number: u64,
    reader: Arc<Reader>,
    /// Bytes that the answer costs besides its body, until the last byte of the body is taken.
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

/// A piece of an answer on its way: the connection drops it once it is sent.
struct Piece {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// An answer whose bytes are counted until the peer takes them.
struct Counted {
    /// The bytes that are still in the body of a whole answer.
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
