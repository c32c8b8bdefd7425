//! Peers that ask nothing, and answers that nobody takes.
//!
//! hyper waits for the first bytes of a connection as long as it takes, and only then bounds the
//! time for a head. So a connection that has asked nothing after a while ends.
//!
//! A reader that takes a byte a minute costs an open file and a place among the connections for as
//! long as it likes, and keeps a connection over HTTP/2 busy with nothing. So a connection ends
//! when one of its answers lies ready for a minute and no more of it is asked for. That the gateway
//! itself has nothing to give, as while somebody waits for news, is not the reader's fault.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::server::PATIENCE;

/// How long the reader of an answer may take nothing of it.
const WINDOW: Duration = Duration::from_secs(60);
/// Answers up to this many bytes go into the buffers of a connection whole.
const SMALL: u64 = 64 * 1024;

/// The other end of one connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace {
    asked: CancellationToken,
    lost: CancellationToken,
}

impl Pace {
    /// It asked for something.
    pub(crate) fn asks(&self) {
        self.asked.cancel();
    }

    /// `response`, watched while it is read.
    pub(crate) fn over(&self, response: Response) -> Response {
        let is_small = response.body().size_hint().upper();
        if is_small.is_some_and(|bytes| bytes <= SMALL) {
            return response;
        }
        response.map(|body| {
            let reader = Arc::new(Reader::default());
            let ended = CancellationToken::new();
            tokio::spawn(watch(Arc::clone(&reader), ended.clone(), self.lost.clone()));
            Body::new(Watched {
                body,
                reader,
                _ended: ended.drop_guard(),
            })
        })
    }

    /// Resolves when nothing was asked for in time, or somebody reads too slowly.
    pub(crate) async fn lost(&self) {
        if timeout(PATIENCE, self.asked.cancelled()).await.is_ok() {
            self.lost.cancelled().await;
        }
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

async fn watch(reader: Arc<Reader>, ended: CancellationToken, lost: CancellationToken) {
    loop {
        tokio::select! {
            () = ended.cancelled() => return,
            () = sleep(WINDOW) => {}
        }
        let asked = reader.asked.swap(false, Ordering::Relaxed);
        if !asked && reader.given.load(Ordering::Relaxed) {
            return lost.cancel();
        }
    }
}

struct Watched {
    body: Body,
    reader: Arc<Reader>,
    _ended: DropGuard,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        self.reader.asked.store(true, Ordering::Relaxed);
        self.reader.given.store(frame.is_ready(), Ordering::Relaxed);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::http::Request;
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
        let (there, here) = duplex(16 * 1024);
        let pace = Pace::default();
        let task = tokio::spawn(async move {
            let watched = pace.clone();
            let service = hyper::service::service_fn(move |_: Request<Incoming>| {
                watched.asks();
                let response = watched.over(Response::new(answer()));
                async move { Ok::<_, Infallible>(response) }
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
