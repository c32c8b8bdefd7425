use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Response, StatusCode};
use http_body_util::{Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;

/// More than the buffers of a connection on this machine hold, and less than is thrown away.
const BIG_BYTES: usize = 24 * 1024 * 1024;
const REASON: &str = "you may not, and here is why";

/// How much of a body the server reads before it refuses.
#[derive(Clone, Copy)]
enum Reads {
    Nothing,
    OneFrame,
}

async fn refuse(
    mut request: Request<Unread<Incoming>>,
    reads: Reads,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if let Reads::OneFrame = reads {
        request.body_mut().frame().await.unwrap().unwrap();
    }
    let mut refusal = Response::new(Full::from(REASON));
    *refusal.status_mut() = StatusCode::FORBIDDEN;
    Ok(refusal)
}

/// A server that refuses everything.
async fn refusing(reads: Reads) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |request| refuse(read_on(request), reads));
        let _ = auto::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
    });
    address
}

fn head(more: &str) -> String {
    format!("PUT /file HTTP/1.1\r\nHost: here\r\nContent-Length: {BIG_BYTES}\r\n{more}\r\n")
}

/// The head of an answer, and its body.
async fn hears(from: &mut BufReader<TcpStream>) -> (String, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(from.read_line(&mut head).await.unwrap(), 0, "{head}");
    }
    let mut body = vec![
        0;
        if head.contains(" 100 ") {
            0
        } else {
            REASON.len()
        }
    ];
    from.read_exact(&mut body).await.unwrap();
    (head, String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn a_client_that_sends_the_whole_body_first_hears_the_refusal_and_may_ask_again() {
    for reads in [Reads::Nothing, Reads::OneFrame] {
        let address = refusing(reads).await;
        let mut there = BufReader::new(TcpStream::connect(address).await.unwrap());
        for _ in 0..2 {
            there.write_all(head("").as_bytes()).await.unwrap();
            there.write_all(&vec![7; BIG_BYTES]).await.unwrap();
            let (head, body) = hears(&mut there).await;
            assert!(head.starts_with("HTTP/1.1 403"), "{head}");
            assert_eq!(body, REASON);
        }
    }
}

#[tokio::test]
async fn over_http_2_the_stream_is_not_reset_while_its_body_comes() {
    let stream = TcpStream::connect(refusing(Reads::Nothing).await).await;
    let executor = TokioExecutor::new();
    let stream = TokioIo::new(stream.unwrap());
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let taken = Arc::new(AtomicUsize::new(0));
    let piece = Bytes::from(vec![7; 64 * 1024]);
    let (counted, all) = (Arc::clone(&taken), CancellationToken::new());
    let end = all.clone();
    let pieces = stream::iter(0..BIG_BYTES / piece.len()).map(move |_| {
        if counted.fetch_add(piece.len(), Ordering::Relaxed) + piece.len() == BIG_BYTES {
            end.cancel();
        }
        Ok::<_, Infallible>(Frame::data(piece.clone()))
    });
    let request = Request::put("http://here/file").body(StreamBody::new(pieces));
    let response = sender.send_request(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, REASON);
    let taken = || taken.load(Ordering::Relaxed);
    let came = timeout(DRAIN_TIMEOUT, all.cancelled()).await;
    assert!(came.is_ok(), "{} of {BIG_BYTES} were taken", taken());
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_for_the_body_is_not_waited_for() {
    let address = refusing(Reads::Nothing).await;
    let mut there = BufReader::new(TcpStream::connect(address).await.unwrap());
    let head = head("Expect: 100-continue\r\n");
    there.write_all(head.as_bytes()).await.unwrap();
    let mut all = String::new();
    there.read_to_string(&mut all).await.unwrap();
    assert!(
        all.starts_with("HTTP/1.1 403") && all.ends_with(REASON),
        "{all}"
    );
}

#[tokio::test]
async fn a_client_that_was_asked_for_the_body_hears_the_refusal_after_it() {
    let address = refusing(Reads::OneFrame).await;
    let mut there = BufReader::new(TcpStream::connect(address).await.unwrap());
    let head = head("Expect: 100-continue\r\n");
    there.write_all(head.as_bytes()).await.unwrap();
    assert!(hears(&mut there).await.0.starts_with("HTTP/1.1 100"));
    there.write_all(&vec![7; BIG_BYTES]).await.unwrap();
    let (head, body) = hears(&mut there).await;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    assert_eq!(body, REASON);
}

/// An endless body in pieces of `bytes` bytes; `gone` is cancelled when it is dropped.
fn endless(
    bytes: usize,
    every: Duration,
    gone: DropGuard,
) -> impl Body<Data = Bytes, Error = Infallible> + Unpin + Send + 'static {
    let piece = Bytes::from(vec![7; bytes]);
    let pieces = stream::repeat((piece, Arc::new(gone))).then(move |(piece, _)| async move {
        sleep(every).await;
        Ok(Frame::data(piece))
    });
    StreamBody::new(pieces.boxed())
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_let_go_by_its_length_or_by_the_time() {
    const MEGABYTE: usize = 1024 * 1024;
    for (bytes, every, after) in [
        (
            MEGABYTE,
            Duration::from_millis(1),
            Duration::from_millis(65),
        ),
        (1, Duration::from_secs(7), DRAIN_TIMEOUT),
    ] {
        let gone = CancellationToken::new();
        let request = Request::new(endless(bytes, every, gone.clone().drop_guard()));
        let began = Instant::now();
        drop(read_on(request));
        gone.cancelled().await;
        assert_eq!(began.elapsed(), after);
    }
}
