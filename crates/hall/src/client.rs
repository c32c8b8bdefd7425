//! The visitor's side: one grant, its key in memory, and what can be done with it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallway_evidence::statement::hall::ServiceName;
use http::header::{HOST, HeaderValue};
use http::{Method, Request, Response};
use hyper::body::Incoming;
use rustls_pki_types::CertificateDer;
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::ClientConfig;

use self::error::slow;
use crate::body::{self, Body};
use crate::bundle::{Bundle, Bundles};
use crate::identity::SpiffeId;
use crate::key::HallKey;
use crate::pool::Pool;
use crate::stream::{BoxStream, STREAM_PROTOCOL};
use crate::tls::{self, Identity, TlsError};

mod answer;
mod connection;
mod error;
mod grant;

pub use answer::{ANSWER, accepted, json};
pub(crate) use connection::connect;
pub use connection::upgrade;
pub use error::ClientError;
pub use grant::{Grant, Person, Renewed};

/// What opening a hall gave: all that a client needs.
#[derive(Debug)]
pub struct Opening {
    /// `HOST:PORT` of the hall listener.
    pub address: String,
    /// Who answers there.
    pub gateway: SpiffeId,
    /// The authorities of the gateway's realm.
    pub bundle: Bundle,
    /// One's own certificate, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key that the certificate is for.
    pub key: HallKey,
}

/// What changes with a renewal.
struct Current {
    config: Arc<ClientConfig>,
    certificate_ends_ms: u64,
}

struct Inner {
    address: String,
    host: HeaderValue,
    gateway: SpiffeId,
    bundles: Bundles,
    key: HallKey,
    identity: Arc<Identity>,
    current: RwLock<Current>,
}

/// An open hall. Cloning is cheap, and clones share their connections.
#[derive(Clone)]
pub struct HallClient {
    inner: Arc<Inner>,
    pool: Arc<Pool<ClientError>>,
}

impl HallClient {
    /// Makes ready; nothing is sent yet.
    ///
    /// # Errors
    /// The certificate is not for the key, or the bundle can't be used.
    pub fn new(opening: Opening) -> Result<Self, ClientError> {
        let bundles = Bundles::new([&opening.bundle])?;
        let certificate_ends_ms = leaf_end(&opening.chain)?;
        let identity = Identity::new(opening.chain, &opening.key)?;
        let host = HeaderValue::try_from(opening.address.as_str())
            .map_err(|_| ClientError::Answer(format!("{:?} is no address", opening.address)))?;
        let config = tls::client_config(
            Arc::clone(&identity),
            bundles.clone(),
            opening.gateway.clone(),
            tls::HTTP_1,
        )?;
        let inner = Arc::new(Inner {
            address: opening.address,
            host,
            gateway: opening.gateway,
            bundles,
            key: opening.key,
            identity,
            current: RwLock::new(Current {
                config,
                certificate_ends_ms,
            }),
        });
        let connecting = Arc::clone(&inner);
        let pool = Pool::new(move || {
            let inner = Arc::clone(&connecting);
            async move { inner.connect().await }
        });
        Ok(Self {
            inner,
            pool: Arc::new(pool),
        })
    }

    /// The grant, as the gateway sees it now.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn grant(&self) -> Result<Grant, ClientError> {
        json(self.call(Method::GET, "/grant").await?).await
    }

    /// Gets a new certificate for the same key and shows it from now on. Open streams go on.
    ///
    /// # Errors
    /// [`ClientError`]; the present certificate stays.
    pub async fn renew(&self) -> Result<Renewed, ClientError> {
        let renewed: Renewed = json(self.call(Method::POST, "/grant/renew").await?).await?;
        let chain = renewed
            .certificates
            .iter()
            .map(|der| URL_SAFE_NO_PAD.decode(der).map(CertificateDer::from))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| ClientError::Answer(error.to_string()))?;
        let certificate_ends_ms = leaf_end(&chain)?;
        let inner = &self.inner;
        inner.identity.replace(chain, &inner.key)?;
        // A new configuration, so that no session of the old certificate is resumed.
        let config = tls::client_config(
            Arc::clone(&inner.identity),
            inner.bundles.clone(),
            inner.gateway.clone(),
            tls::HTTP_1,
        )?;
        *inner
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Current {
            config,
            certificate_ends_ms,
        };
        self.pool.clear();
        Ok(renewed)
    }

    /// Renews whenever a third of the certificate's time is left, until that is refused: the
    /// grant has ended. A network that fails is tried again while the certificate lasts.
    pub async fn keep_renewed(&self) -> ClientError {
        loop {
            let ends_ms = self.certificate_ends_ms();
            let left = Duration::from_millis(ends_ms.saturating_sub(now_ms()));
            sleep(left * 2 / 3).await;
            match self.renew().await {
                Ok(_) => {}
                Err(error) if error.is_passing() && now_ms() < ends_ms => {
                    tracing::debug!(%error, "cannot renew yet");
                    sleep(Duration::from_secs(2)).await;
                }
                Err(error) => return error,
            }
        }
    }

    /// Until when the present certificate is valid, unix milliseconds.
    #[must_use]
    pub fn certificate_ends_ms(&self) -> u64 {
        self.inner
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .certificate_ends_ms
    }

    /// Ends the grant: everything that runs under it is cut.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn end(&self) -> Result<(), ClientError> {
        self.call(Method::POST, "/grant/end").await.map(|_| ())
    }

    /// A stream to `service`, over a TLS connection of its own.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stream(&self, service: &ServiceName) -> Result<BoxStream, ClientError> {
        let (tls, config) = (&self.inner, self.inner.config());
        let stream = tls.connect_with(config).await?;
        upgrade(
            stream,
            &format!("/connect/{service}"),
            STREAM_PROTOCOL,
            &self.inner.host,
        )
        .await
    }

    /// Sends any request of the data plane and gives the answer as it is. The path is all that
    /// counts of the URI.
    ///
    /// # Errors
    /// There is no answer. An answer that refuses is not an error here.
    pub async fn forward(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, ClientError> {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .parse()
            .map_err(|_| ClientError::Answer("the path is no path".to_owned()))?;
        *request.uri_mut() = path;
        *request.version_mut() = http::Version::HTTP_11;
        request.headers_mut().insert(HOST, self.inner.host.clone());
        Ok(self.pool.send(request).await?)
    }

    /// As [`HallClient::forward`], and an answer that refuses is an error.
    pub(crate) async fn ask(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, ClientError> {
        accepted(self.forward(request).await?).await
    }

    async fn call(&self, method: Method, path: &str) -> Result<Response<Incoming>, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(body::empty())
            .map_err(|error| ClientError::Answer(error.to_string()))?;
        timeout(ANSWER, self.ask(request))
            .await
            .map_err(|_| slow(&self.inner.address, ANSWER))?
    }
}

impl std::fmt::Debug for HallClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HallClient")
            .field("address", &self.inner.address)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn config(&self) -> Arc<ClientConfig> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current.config)
    }

    async fn connect(&self) -> Result<BoxStream, ClientError> {
        self.connect_with(self.config()).await
    }

    async fn connect_with(&self, config: Arc<ClientConfig>) -> Result<BoxStream, ClientError> {
        connect(&self.address, config).await
    }
}

fn leaf_end(chain: &[CertificateDer<'static>]) -> Result<u64, ClientError> {
    let leaf = chain
        .first()
        .ok_or_else(|| TlsError::Identity("the chain is empty".to_owned()))?;
    let svid =
        crate::svid::Svid::read(leaf).map_err(|error| TlsError::Identity(error.to_string()))?;
    Ok(svid.not_after_ms)
}

fn now_ms() -> u64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
