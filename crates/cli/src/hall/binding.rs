//! Where `hallway open` binds a service on this computer.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hallway_hall::client::HallClient;
use hallway_hall::stream::{self, BoxStream};
use hallway_hall::{Flow, ServiceName};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;

use crate::person::folders::private_folder;
use crate::private_socket;

/// The most connections that one service has open at a time; more wait.
const MOST_OPEN: usize = 256;
/// The pause after a connection could not be accepted: the system may lack something until then.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// A local address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LocalAddress {
    /// A TCP port; for port 0, the system picks one.
    Tcp(SocketAddr),
    /// A Unix socket, for this user only.
    Unix(PathBuf),
}

/// `SERVICE=PORT`, `SERVICE=ADDRESS:PORT` or `SERVICE=unix:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) service: ServiceName,
    pub(super) address: LocalAddress,
}

/// The text is not a binding.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a binding: write SERVICE=PORT, SERVICE=ADDRESS:PORT or SERVICE=unix:PATH")]
pub(super) struct NotABinding(String);

impl FromStr for Binding {
    type Err = NotABinding;

    fn from_str(text: &str) -> Result<Self, NotABinding> {
        let wrong = || NotABinding(text.to_owned());
        let (service, address) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Self {
            service: service.parse().map_err(|_| wrong())?,
            address: address.parse().map_err(|()| wrong())?,
        })
    }
}

impl FromStr for LocalAddress {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(path.into()));
        }
        // Only a full address leaves the loopback interface, so nobody does that by accident.
        let port = text.parse().map(|port| (Ipv4Addr::LOCALHOST, port).into());
        port.or_else(|_| text.parse())
            .map(Self::Tcp)
            .map_err(|_| ())
    }
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A bound address.
#[derive(Debug)]
pub(super) enum Listener {
    /// A TCP port.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener, SocketFile),
}

/// The file of a socket, removed when its listener is dropped.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Binds an address.
    ///
    /// # Errors
    /// The system can't bind it.
    pub(super) async fn bind(address: &LocalAddress) -> io::Result<Self> {
        match address {
            LocalAddress::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp),
            LocalAddress::Unix(path) => Self::bind_unix(path),
        }
    }

    fn bind_unix(path: &Path) -> io::Result<Self> {
        let listener = private_socket::bind(path)?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        Ok(Self::Unix(listener, SocketFile(path.to_owned())))
    }

    /// Binds a socket in a folder that only this user may enter.
    ///
    /// # Errors
    /// The folder can't be made, or the socket can't be bound.
    pub(super) fn private(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            private_folder(folder)?;
        }
        Self::bind_unix(path)
    }

    /// The bound address: for port 0, with the port that the system picked.
    ///
    /// # Errors
    /// The system does not say.
    pub(super) fn address(&self) -> io::Result<LocalAddress> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(LocalAddress::Tcp),
            Self::Unix(_, file) => Ok(LocalAddress::Unix(file.0.clone())),
        }
    }

    /// The next connection.
    ///
    /// # Errors
    /// The system lacks something; later connections may work.
    pub(super) async fn accept(&self) -> io::Result<BoxStream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                let _ = stream.set_nodelay(true);
                Ok(Box::new(stream))
            }
            Self::Unix(listener, _) => Ok(Box::new(listener.accept().await?.0)),
        }
    }

    /// Hands each connection to `serve`. Dropping this future drops the connections too.
    pub(super) async fn serve<F>(self, serve: impl Fn(BoxStream) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.accept(), if connections.len() < MOST_OPEN => match accepted {
                    Ok(stream) => {
                        connections.spawn(serve(stream));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

/// Joins a local connection to a service.
pub(super) async fn forward(
    near: BoxStream,
    client: HallClient,
    service: ServiceName,
    flow: Arc<Flow>,
    tell: impl FnOnce(String),
) {
    match client.stream(&service).await {
        Ok(far) => {
            if let Err(error) = stream::join(near, far, &flow).await {
                tracing::debug!(%error, %service, "a stream broke");
            }
        }
        Err(error) => tell(format!("{service}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn bindings_stay_on_loopback_unless_an_address_is_named() {
        for (text, expected) in [
            ("db=5432", "127.0.0.1:5432"),
            ("db=0.0.0.0:5432", "0.0.0.0:5432"),
            ("db=[::1]:0", "[::1]:0"),
            ("db=unix:/run/db", "unix:/run/db"),
        ] {
            assert_eq!(
                text.parse::<Binding>().unwrap().address.to_string(),
                expected
            );
        }
        for text in ["db", "db=", "=5432", "db=65536", "db=localhost:1", "D B=1"] {
            assert!(text.parse::<Binding>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_socket_is_for_its_user_and_goes_with_its_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/lab.sock");
        // Left by a program that was killed.
        private_folder(path.parent().unwrap()).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let listener = Listener::private(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = Listener::private(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "somebody serves it");
        drop(listener);
        assert!(!path.exists());
        std::fs::write(&path, "a file").unwrap();
        assert!(Listener::private(&path).is_err());
        assert!(path.exists(), "what is no socket is not removed");
    }
}
