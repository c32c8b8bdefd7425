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
pub(crate) struct Unread(Arc<All>);

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
    pub(crate) fn pace(&self) -> Pace {
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
pub(crate) struct Pace(Arc<Connection>);

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
    pub(crate) async fn serve<B, F>(
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
    pub(crate) fn until_it_ends(&self) -> DropGuard {
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
    pub(crate) async fn lost(&self) {
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
pub(crate) struct Gone;

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
mod tests {
    use futures_util::stream;
    use hyper::body::Incoming;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;
    use crate::accept::http;

    /// Bytes of one frame.
    const FRAME: usize = 64 * 1024;

    fn long() -> Body {
        let frames = stream::iter((0..1000).map(|_| Ok::<_, Infallible>(vec![b'x'; FRAME])));
        Body::from_stream(frames)
    }

    /// Serves one connection; the task ends when the pace is lost or the connection ends.
    fn serve(answer: fn() -> Body) -> (DuplexStream, JoinHandle<&'static str>) {
        serve_among(&Unread::default(), answer)
    }

    /// The same as one of several connections.
    fn serve_among(
        unread: &Unread,
        answer: fn() -> Body,
    ) -> (DuplexStream, JoinHandle<&'static str>) {
        let (there, here) = duplex(16 * 1024);
        let pace = unread.pace();
        let task = tokio::spawn(async move {
            let watched = pace.clone();
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let watched = watched.clone();
                async move {
                    let answered = async |_, _| Ok(Response::new(answer()));
                    watched.serve(request, answered).await
                }
            });
            let builder = http();
            tokio::select! {
                _ = builder.serve_connection(TokioIo::new(here), service) => "ended",
                () = pace.lost() => "lost",
            }
        });
        (there, task)
    }

    async fn ask(there: &mut DuplexStream) {
        there
            .write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            .await
            .unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_of_one_byte_a_minute_is_put_out_within_minutes() {
        let (mut there, served) = serve(long);
        ask(&mut there).await;
        let began = Instant::now();
        let reading = async {
            loop {
                there.read_u8().await.unwrap();
                sleep(Duration::from_secs(60)).await;
            }
        };
        tokio::select! {
            outcome = served => assert_eq!(outcome.unwrap(), "lost"),
            () = reading => {}
        }
        assert!(began.elapsed() <= 4 * WINDOW, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_asks_nothing_is_put_out_also_in_the_middle_of_a_preface() {
        for said in [&b""[..], b"PRI * HTT", b"GET / HT"] {
            let (mut there, served) = serve(long);
            there.write_all(said).await.unwrap();
            let ended = timeout(2 * PATIENCE, served).await.unwrap();
            assert!(matches!(ended.unwrap(), "lost" | "ended"), "{said:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn over_http_2_too() {
        let (there, served) = serve(long);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(executor, TokioIo::new(there))
                .await
                .unwrap();
        tokio::spawn(connection);
        let request = Request::get("http://here/").body(Body::empty()).unwrap();
        // It answers pings, and reads nothing.
        let _unread = sender.send_request(request).await.unwrap();
        let outcome = timeout(4 * WINDOW, served).await.unwrap().unwrap();
        assert_eq!(outcome, "lost");
    }

    fn small() -> Body {
        Body::from(vec![b'x'; 48 * 1024])
    }

    /// A connection over HTTP/2 whose peer lets it send one byte of each answer.
    async fn over_http_2(there: DuplexStream) -> hyper::client::conn::http2::SendRequest<Body> {
        let (sender, connection) =
            hyper::client::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new())
                .initial_stream_window_size(1)
                .handshake(TokioIo::new(there))
                .await
                .unwrap();
        tokio::spawn(connection);
        sender
    }

    fn get() -> Request<Body> {
        Request::get("http://here/").body(Body::empty()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_answer_that_is_not_read_over_http_2_ends_the_connection_too() {
        let (there, served) = serve(small);
        let mut sender = over_http_2(there).await;
        let _unread = sender.send_request(get()).await.unwrap();
        let outcome = timeout(4 * WINDOW, served).await.unwrap().unwrap();
        assert_eq!(outcome, "lost");
    }

    #[tokio::test(start_paused = true)]
    async fn of_those_who_do_not_read_some_make_room_for_whoever_does() {
        let unread = Unread::at_most(1 << 20);
        let mut idle = Vec::new();
        for _ in 0..4 {
            let (there, served) = serve_among(&unread, small);
            let mut sender = over_http_2(there).await;
            let mut answers = Vec::new();
            for _ in 0..10 {
                answers.push(sender.send_request(get()).await);
            }
            idle.push((sender, answers, served));
            tokio::task::yield_now().await;
        }
        let (mut there, _served) = serve_among(&unread, small);
        ask(&mut there).await;
        let mut read = vec![0; 48 * 1024];
        there.read_exact(&mut read).await.unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(unread.0.held.load(Ordering::Relaxed) <= 1 << 20);
        let out = idle.iter().filter(|(_, _, served)| served.is_finished());
        assert!(out.count() >= 1, "somebody had to go");
        drop(idle);
    }

    fn long_head() -> Request<()> {
        let request = Request::get("http://here/").header("x-long", "x".repeat(40_000));
        request.body(()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_head_of_a_request_is_held_until_it_is_answered() {
        let unread = Unread::default();
        let held = || unread.0.held.load(Ordering::Relaxed);
        let answer = async |_, turn| {
            drop(turn);
            assert!(held() > 40_000 + STREAM);
            Ok(Response::new(Body::empty()))
        };
        unread.pace().serve(long_head(), answer).await.unwrap();
        assert_eq!(held(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_ends_with_its_connection() {
        let unread = Unread::default();
        let pace = unread.pace();
        let connection = pace.until_it_ends();
        let never = async |_, _| std::future::pending().await;
        let mut waiting = Box::pin(pace.serve(long_head(), never));
        assert!(timeout(WINDOW, waiting.as_mut()).await.is_err());
        drop(connection);
        assert_eq!(waiting.await.unwrap_err(), Gone);
        assert_eq!(unread.0.held.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_costs_more_than_its_body_and_a_long_one_that_is_made_is_held_whole() {
        const LONG: usize = 3 << 20;
        let unread = Unread::default();
        let pace = unread.pace();
        let held = || unread.0.held.load(Ordering::Relaxed);
        let short = pace.over(Response::new(Body::from("short")));
        assert!(held() > STREAM);
        drop(short);
        let mut made = Response::new(Body::from(vec![b'x'; LONG]));
        made.extensions_mut().insert(Made);
        let made = pace.over(made);
        assert!(held() > LONG);
        drop(made);
        assert_eq!(held(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_is_not_held() {
        let unread = Unread::default();
        for body in [small, long] {
            let (mut there, served) = serve_among(&unread, body);
            there
                .write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
                .await
                .unwrap();
            let mut all = Vec::new();
            there.read_to_end(&mut all).await.unwrap();
            assert_eq!(served.await.unwrap(), "ended");
            assert_eq!(unread.0.held.load(Ordering::Relaxed), 0);
            assert!(lock(&unread.0.connections).is_empty());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_reads_slowly_but_steadily_gets_everything() {
        let (mut there, served) = serve(long);
        ask(&mut there).await;
        let mut read = 0;
        let mut buffer = vec![0; FRAME];
        while read < 1000 * FRAME {
            read += there.read(&mut buffer).await.unwrap();
            sleep(Duration::from_secs(2)).await;
        }
        drop(there);
        assert_eq!(served.await.unwrap(), "ended");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_waits_for_news_may_wait_for_hours() {
        fn silent() -> Body {
            Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())
        }
        let (mut there, mut served) = serve(silent);
        ask(&mut there).await;
        let hours = Duration::from_secs(4 * 3600);
        assert!(timeout(hours, &mut served).await.is_err());
        served.abort();
    }
}
