//! The memory of the gateway for a device that has sent something, and for an idle connection.

use std::fs;
use std::sync::Arc;

use hallway_door_device::ingest::keyring::Keyring;
use hallway_evidence::CredentialId;
use hallway_gateway::config::Config;
use hallway_gateway::{Start, SystemClock};
use hallway_spine::store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The number of idle connections.
const CONNECTIONS: usize = 2_000;

/// The resident bytes of this process.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Bytes for each device whose key is in the keyring.
pub(crate) async fn per_device(store: &Store, ids: impl Iterator<Item = CredentialId>) -> usize {
    let keyring = Keyring::default();
    let (before, mut count) = (resident(), 0);
    for id in ids {
        assert!(keyring.get(store.read(), &id).await.unwrap().is_some());
        count += 1;
    }
    resident().saturating_sub(before) / count
}

/// Bytes for each connection that has sent a request and stays open, with both of its ends.
pub(crate) async fn per_connection() -> usize {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..Config::default()
    };
    let start = Start {
        folder: folder.path().to_owned(),
        config,
        operator_key: None,
        clock: Arc::new(SystemClock),
        doors: hallway_gateway::doors::ALL,
    };
    let ready = start.ready().await.unwrap();
    let address = ready.address().unwrap();
    tokio::spawn(ready.serve(std::future::pending()));
    let mut open = vec![ask(address).await];
    let before = resident();
    for _ in 0..CONNECTIONS {
        open.push(ask(address).await);
    }
    (resident() - before) / CONNECTIONS
}

async fn ask(address: std::net::SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 1024];
    assert!(stream.read(&mut answer).await.unwrap() > 0);
    stream
}
