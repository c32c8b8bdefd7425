use bytes::Bytes;
use http_body_util::Empty;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

#[tokio::test]
async fn bytes_arrive_in_order_and_are_counted() {
    let (mut near, here) = duplex(1000);
    let (there, mut far) = duplex(700);
    let flow = Arc::new(Flow::default());
    let counted = Arc::clone(&flow);
    let joined = tokio::spawn(async move { join(here, there, &counted).await });

    let data: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let sent = data.clone();
    let writing = tokio::spawn(async move {
        near.write_all(&sent).await.unwrap();
        near.shutdown().await.unwrap();
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.unwrap();
        answer
    });
    let mut received = Vec::new();
    far.read_to_end(&mut received).await.unwrap();
    assert!(received == data);
    // The other direction goes on after the first has ended.
    far.write_all(b"thanks").await.unwrap();
    drop(far);
    assert_eq!(writing.await.unwrap(), "thanks");
    joined.await.unwrap().unwrap();
    assert_eq!((flow.received(), flow.sent()), (300_000, 6));
}

#[tokio::test]
async fn bytes_in_a_buffering_writer_are_flushed_when_no_more_bytes_come() {
    let (mut near, here) = duplex(100);
    let (there, mut far) = duplex(100);
    let there = tokio::io::BufWriter::new(there);
    let joined = tokio::spawn(async move { join(here, there, &Flow::default()).await });
    near.write_all(b"ping").await.unwrap();
    let mut ping = [0; 4];
    far.read_exact(&mut ping).await.unwrap();
    assert_eq!(&ping, b"ping");
    drop((near, far));
    let _ = joined.await.unwrap();
}

#[tokio::test]
async fn a_side_that_breaks_ends_the_other() {
    let (near, here) = duplex(100);
    let broken = Failing;
    let joined = tokio::spawn(async move { join(here, broken, &Flow::default()).await });
    let error = joined.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    drop(near);
}

#[tokio::test]
async fn bytes_before_a_break_are_passed_on() {
    let (mut near, here) = duplex(100);
    let reader = breaking_after(b"last words");
    let joined = tokio::spawn(async move { join(here, reader, &Flow::default()).await });
    let mut words = String::new();
    near.read_to_string(&mut words).await.unwrap();
    assert_eq!(words, "last words");
    let error = joined.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

/// Says `words`, and breaks.
fn breaking_after(words: &'static [u8]) -> impl Duplex {
    tokio::io::join(words.chain(Failing), Failing)
}

struct Failing;

impl AsyncRead for Failing {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

impl AsyncWrite for Failing {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::task::Poll::Pending
    }

    fn poll_flush(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn an_upgrade_has_to_be_asked_for_over_http_1_1() {
    let asked = |version, headers: &[(&str, &str)]| {
        let mut request = Request::builder().version(version).uri("/connect/psql");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let far = async { Ok(Box::new(duplex(1).0) as BoxStream) };
        async move { serve(request, Pass::default(), far).await.status() }
    };
    let good = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "hallway-stream"),
    ];
    assert_eq!(
        asked(Version::HTTP_11, &good).await,
        StatusCode::SWITCHING_PROTOCOLS
    );
    assert_eq!(
        asked(Version::HTTP_2, &good).await,
        StatusCode::HTTP_VERSION_NOT_SUPPORTED
    );
    for headers in [
        &good[..1],
        &good[1..],
        &[("connection", "upgrade"), ("upgrade", "websocket")],
    ] {
        assert_eq!(
            asked(Version::HTTP_11, headers).await,
            StatusCode::UPGRADE_REQUIRED
        );
    }
}
