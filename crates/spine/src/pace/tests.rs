use futures_util::stream;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::accept::http;

const FRAME_BYTES: usize = 64 * 1024;

fn long() -> Body {
    let frames = stream::iter((0..1000).map(|_| Ok::<_, Infallible>(vec![b'x'; FRAME_BYTES])));
    Body::from_stream(frames)
}

/// Serves one connection; the task ends when `Pace::lost` resolves or the connection ends.
fn serve(answer: fn() -> Body) -> (DuplexStream, JoinHandle<&'static str>) {
    serve_among(&Unread::default(), answer)
}

/// As [`serve`], for one of several connections.
fn serve_among(unread: &Unread, answer: fn() -> Body) -> (DuplexStream, JoinHandle<&'static str>) {
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
async fn a_reader_of_one_byte_a_minute_is_disconnected() {
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
    assert!(began.elapsed() <= 4 * READ_TIMEOUT, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_ends_even_inside_a_preface() {
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
    // The client answers pings, and reads nothing.
    let _unread = sender.send_request(request).await.unwrap();
    let outcome = timeout(4 * READ_TIMEOUT, served).await.unwrap().unwrap();
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
async fn a_small_unread_answer_over_http_2_ends_the_connection() {
    let (there, served) = serve(small);
    let mut sender = over_http_2(there).await;
    let _unread = sender.send_request(get()).await.unwrap();
    let outcome = timeout(4 * READ_TIMEOUT, served).await.unwrap().unwrap();
    assert_eq!(outcome, "lost");
}

#[tokio::test(start_paused = true)]
async fn connections_that_read_nothing_end_first() {
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
    assert!(out.count() >= 1, "no connection was ended");
    drop(idle);
}

fn long_head() -> Request<()> {
    let request = Request::get("http://here/").header("x-long", "x".repeat(40_000));
    request.body(()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_head_of_a_request_counts_until_its_answer() {
    let unread = Unread::default();
    let held = || unread.0.held.load(Ordering::Relaxed);
    let answer = async |_, turn| {
        drop(turn);
        assert!(held() > 40_000 + TASK_BYTES);
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
    assert!(timeout(READ_TIMEOUT, waiting.as_mut()).await.is_err());
    drop(connection);
    assert_eq!(waiting.await.unwrap_err(), Gone);
    assert_eq!(unread.0.held.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_counts_with_its_task_and_a_made_one_counts_whole() {
    const LONG_BYTES: usize = 3 << 20;
    let unread = Unread::default();
    let pace = unread.pace();
    let held = || unread.0.held.load(Ordering::Relaxed);
    let short = pace.over(Response::new(Body::from("short")));
    assert!(held() > TASK_BYTES);
    drop(short);
    let mut made = Response::new(Body::from(vec![b'x'; LONG_BYTES]));
    made.extensions_mut().insert(Made);
    let made = pace.over(made);
    assert!(held() > LONG_BYTES);
    drop(made);
    assert_eq!(held(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_read_answer_does_not_count() {
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
async fn a_slow_but_steady_reader_gets_the_whole_answer() {
    let (mut there, served) = serve(long);
    ask(&mut there).await;
    let mut read = 0;
    let mut buffer = vec![0; FRAME_BYTES];
    while read < 1000 * FRAME_BYTES {
        read += there.read(&mut buffer).await.unwrap();
        sleep(Duration::from_secs(2)).await;
    }
    drop(there);
    assert_eq!(served.await.unwrap(), "ended");
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_events_stays_open_for_hours() {
    fn silent() -> Body {
        Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())
    }
    let (mut there, mut served) = serve(silent);
    ask(&mut there).await;
    let hours = Duration::from_secs(4 * 3600);
    assert!(timeout(hours, &mut served).await.is_err());
    served.abort();
}

#[test]
fn connections_that_end_while_others_are_ended_cause_no_deadlock() {
    // Each byte makes room.
    let unread = Unread::at_most(0);
    let (done, ended) = std::sync::mpsc::channel();
    for _ in 0..4 {
        let (unread, done) = (unread.clone(), done.clone());
        std::thread::spawn(move || {
            for _ in 0..20_000 {
                let pace = unread.pace();
                pace.0.hold(1);
                pace.0.release(1);
            }
            done.send(()).unwrap();
        });
    }
    for _ in 0..4 {
        ended.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}
