//! The HTTP server: TCP, TLS, a limit on connections, and a shutdown that lets requests finish.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, rustls};
use tower::ServiceExt;

use crate::accept::{Arrival, Entrance, ListenError, Room, http, refusing, routed, turned_away};
use crate::pace::{PATIENCE, Pace, Unread};
use crate::settings::Tls;

/// How long open requests may still take after the gateway was told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// A bound socket, before anything is served on it.
pub struct Listener {
    entrance: Entrance,
    tls: Option<TlsAcceptor>,
    unread: Unread,
}

impl Listener {
    /// Binds `address` and reads the certificate; `folder` is where relative paths start.
    ///
    /// # Errors
    /// [`ListenError`].
    pub async fn bind(
        address: SocketAddr,
        tls: Option<&Tls>,
        folder: &Path,
        connections: usize,
    ) -> Result<Self, ListenError> {
        let tls = tls.map(|tls| acceptor(tls, folder)).transpose()?;
        let entrance = Entrance::bind(address, connections).await?;
        Ok(Self {
            entrance,
            tls,
            unread: Unread::default(),
        })
    }

    /// Counts unread answers together with those of other listeners, so that `unread` bounds all.
    pub fn sharing(self, unread: Unread) -> Self {
        Self { unread, ..self }
    }

    /// The address that was bound, with the port that the system chose for port 0.
    ///
    /// # Errors
    /// The system cannot tell the address.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.entrance.address()
    }

    /// Serves until `stop` resolves, then lets open requests finish for up to 20 seconds.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let full = refusing(turned_away());
        tokio::pin!(stop);
        loop {
            let arrival = tokio::select! {
                () = &mut stop => break,
                arrival = self.entrance.next() => arrival,
            };
            let router = match arrival.room {
                Room::Free => router.clone(),
                Room::None => full.clone(),
            };
            let (tls, watcher) = (self.tls.clone(), graceful.watcher());
            let pace = self.unread.pace();
            tokio::spawn(async move {
                let Arrival {
                    stream,
                    peer,
                    place,
                    ..
                } = arrival;
                match tls {
                    None => connection(stream, peer, router, pace, watcher).await,
                    Some(tls) => match timeout(PATIENCE, tls.accept(stream)).await {
                        Ok(Ok(stream)) => connection(stream, peer, router, pace, watcher).await,
                        Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
                        Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
                    },
                }
                drop(place);
            });
        }
        if timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests did not end in time");
        }
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    pace: Pace,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let answering = pace.clone();
    let _requests = pace.until_it_ends();
    // `ConnectInfo` is no layer of the router: that would copy every route for each connection.
    let service = service_fn(move |request: axum::http::Request<Incoming>| {
        let (router, pace) = (router.clone(), answering.clone());
        async move {
            let answer = |request, turn| {
                let mut request = routed(request);
                request.extensions_mut().insert(turn);
                request.extensions_mut().insert(ConnectInfo(peer));
                router.oneshot(request)
            };
            pace.serve(request, answer).await
        }
    });
    let served = http()
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    tokio::select! {
        served = watcher.watch(served) => if let Err(error) = served {
            tracing::debug!(%peer, %error, "a connection ended early");
        },
        () = pace.lost() => {
            tracing::debug!(%peer, "ended a connection that sends no request or reads no answer");
        }
    }
}

fn acceptor(tls: &Tls, folder: &Path) -> Result<TlsAcceptor, ListenError> {
    let pem = |path: &Path, reason: &dyn std::fmt::Display| ListenError::Pem {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let path = folder.join(&tls.certificate);
    let chain = CertificateDer::pem_file_iter(&path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| pem(&path, &error))?;
    if chain.is_empty() {
        return Err(pem(&path, &"it holds no certificate"));
    }
    let path = folder.join(&tls.key);
    let key = PrivateKeyDer::from_pem_file(&path).map_err(|error| pem(&path, &error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
