//! What every TCP connection of a hall is set to.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// After how long without a byte the other side is asked whether it is there, and how often it is
/// asked again. A stream may be idle for hours; one whose other end has vanished without a word, as
/// a computer that was unplugged does, ends two minutes after its last byte.
const IDLE: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_secs(15);
const TIMES: u32 = 4;

/// Sends small pieces at once, and notices when the other end is gone.
pub fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new()
        .with_time(IDLE)
        .with_interval(EVERY)
        .with_retries(TIMES);
    // Without it everything works but that.
    if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&keepalive) {
        tracing::debug!(%error, "the system does not watch a connection");
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_prepared_connection_is_watched_by_the_system() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        assert!(!SockRef::from(&stream).keepalive().unwrap());
        prepare(&stream);
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap() && stream.nodelay().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), IDLE);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), EVERY);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), TIMES);
    }
}
