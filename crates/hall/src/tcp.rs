//! The settings of every TCP connection of a hall.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// After how long without a byte the other side is asked whether it is there, after how long it is
/// asked again, and how often. A stream may be idle for hours; one whose other end has vanished
/// without a word, as a computer that was unplugged does, ends two minutes after its last byte.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;

/// Connects to `HOST:PORT`, and prepares the connection.
///
/// # Errors
/// What the system says.
pub(crate) async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = match loopback(address) {
        Some(both) => TcpStream::connect(&both[..]).await?,
        None => TcpStream::connect(address).await?,
    };
    prepare(&stream);
    Ok(stream)
}

/// Where `localhost` and names below it lead: to this machine, and no resolver is asked (RFC 6761,
/// section 6.3). Many systems know only `localhost` itself.
fn loopback(address: &str) -> Option<[SocketAddr; 2]> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next()?;
    if !last.eq_ignore_ascii_case("localhost") {
        return None;
    }
    let port: u16 = port.parse().ok()?;
    Some([
        (Ipv4Addr::LOCALHOST, port).into(),
        (Ipv6Addr::LOCALHOST, port).into(),
    ])
}

/// Sends small pieces at once, and notices when the other end is gone.
pub fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    // Without it, only a vanished peer goes unnoticed.
    if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&keepalive) {
        tracing::debug!(%error, "the system does not watch a connection");
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn names_below_localhost_are_this_machine() {
        let both: Option<[SocketAddr; 2]> =
            Some(["127.0.0.1:84".parse().unwrap(), "[::1]:84".parse().unwrap()]);
        for here in [
            "localhost:84",
            "gate.alpha.localhost:84",
            "GATE.LocalHost:84",
            "a.localhost.:84",
        ] {
            assert_eq!(loopback(here), both, "{here}");
        }
        for elsewhere in [
            "localhost",
            "localhost:",
            "localhost:65536",
            "notlocalhost:84",
            "localhost.example:84",
            "127.0.0.1:84",
            "[::1]:84",
            ":84",
        ] {
            assert_eq!(loopback(elsewhere), None, "{elsewhere}");
        }
    }

    #[tokio::test]
    async fn a_listener_on_either_address_of_localhost_is_found() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address).await else {
                assert_eq!(address, "[::1]:0", "only IPv6 may be missing");
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            let stream = connect(&format!("gate.alpha.localhost:{port}"))
                .await
                .unwrap();
            assert!(stream.nodelay().unwrap());
        }
    }

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
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_INTERVAL);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_PROBES);
    }
}
