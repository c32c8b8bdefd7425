//! The way to one gateway's hall listener: TLS that accepts its SPIFFE ID alone, and connections
//! that are kept.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use http::header::{HOST, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;

use super::error::slow;
use super::{ClientError, Place, accepted, connect};
use crate::body::Body;
use crate::bundle::{Bundle, Bundles};
use crate::identity::SpiffeId;
use crate::pool::Pool;
use crate::stream::BoxStream;
use crate::tls::{self, Identity};

/// A hall listener, from a client's side.
pub(super) struct Listener {
    shared: Arc<Shared>,
    pool: Pool<ClientError>,
}

struct Shared {
    address: String,
    name: HeaderValue,
    gateway: SpiffeId,
    bundles: Mutex<Bundles>,
    identity: Arc<Identity>,
    config: RwLock<Arc<ClientConfig>>,
}

impl Listener {
    /// Prepares connections; nothing is sent yet.
    ///
    /// # Errors
    /// The address is invalid, or the bundle can't be used.
    pub(super) fn new(place: Place, identity: Arc<Identity>) -> Result<Self, ClientError> {
        let bundles = Bundles::new([&place.bundle])?;
        let name = HeaderValue::try_from(place.address.as_str())
            .map_err(|_| ClientError::Answer(format!("{:?} is not an address", place.address)))?;
        let config = tls::client_config(
            Arc::clone(&identity),
            bundles.clone(),
            place.gateway.clone(),
            tls::HTTP_1,
        )?;
        let shared = Arc::new(Shared {
            address: place.address,
            name,
            gateway: place.gateway,
            bundles: Mutex::new(bundles),
            identity,
            config: RwLock::new(config),
        });
        let connecting = Arc::clone(&shared);
        let pool = Pool::new(move || {
            let shared = Arc::clone(&connecting);
            async move { shared.connect().await }
        });
        Ok(Self { shared, pool })
    }

    /// `HOST:PORT`.
    pub(super) fn address(&self) -> &str {
        &self.shared.address
    }

    /// The value of `Host` in requests to it.
    pub(super) fn name(&self) -> &HeaderValue {
        &self.shared.name
    }

    /// A new connection, which is not kept.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(super) async fn connect(&self) -> Result<BoxStream, ClientError> {
        self.shared.connect().await
    }

    /// Sends a request over a connection that is kept. Only the path and query of the URI count.
    ///
    /// # Errors
    /// There is no answer. An answer that refuses is not an error here.
    pub(super) async fn send(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, ClientError> {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .parse()
            .map_err(|_| ClientError::Answer("the path is not valid".to_owned()))?;
        *request.uri_mut() = path;
        *request.version_mut() = http::Version::HTTP_11;
        request.headers_mut().insert(HOST, self.name().clone());
        Ok(self.pool.send(request).await?)
    }

    /// Like [`Listener::send`], for requests that are quick to answer: a refusal is an error, and
    /// so is no answer within `patience`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(super) async fn ask(
        &self,
        request: Request<Body>,
        patience: Duration,
    ) -> Result<Response<Incoming>, ClientError> {
        let answered = async { accepted(self.send(request).await?).await };
        timeout(patience, answered)
            .await
            .map_err(|_| slow(self.address(), patience))?
    }

    /// Shows the certificate that the identity has now, and trusts `bundle`; without one, what it
    /// trusted before. The TLS configuration is new, so that no session of the old one is resumed.
    ///
    /// # Errors
    /// [`ClientError::Tls`].
    pub(super) fn show_renewed(&self, bundle: Option<Bundle>) -> Result<(), ClientError> {
        let shared = &self.shared;
        let mut bundles = (shared.bundles.lock()).unwrap_or_else(PoisonError::into_inner);
        if let Some(bundle) = bundle {
            *bundles = Bundles::new([&bundle])?;
        }
        let config = tls::client_config(
            Arc::clone(&shared.identity),
            bundles.clone(),
            shared.gateway.clone(),
            tls::HTTP_1,
        )?;
        *(shared.config.write()).unwrap_or_else(PoisonError::into_inner) = config;
        self.forget_connections();
        Ok(())
    }

    /// Makes new connections from now on; streams that are open go on.
    pub(super) fn forget_connections(&self) {
        self.pool.clear();
    }
}

impl Shared {
    async fn connect(&self) -> Result<BoxStream, ClientError> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        connect(&self.address, config).await
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shared.address)
    }
}
