//! The visitor's side: one grant, its key in memory, and what can be done with it.

use hallway_evidence::statement::hall::{HallName, Rights, ServiceName};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::{CertificateDer, ServerName};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, ClientConfig};

use crate::body::{self, Body};
use crate::bundle::{Bundle, BundleError};
use crate::identity::SpiffeId;
use crate::key::HallKey;
use crate::pool::{SendError, explain};
use crate::problem::Problem;
use crate::stream::{self, BoxStream, STREAM_PROTOCOL};
use crate::tcp;
use crate::tls::{self, Identity, TlsError};
use listener::Listener;

mod listener;

/// How long a connection may take to be made.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long an answer that needs no work may take, and its content again.
pub const ANSWER: Duration = Duration::from_secs(60);
/// Bytes of an answer in JSON.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

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
    /// Where the certificate is renewed, when that is not where the hall is: a visitor's realm.
    pub home: Option<Place>,
}

/// A gateway's hall listener.
#[derive(Debug)]
pub struct Place {
    /// `HOST:PORT`.
    pub address: String,
    /// Who answers there.
    pub gateway: SpiffeId,
    /// The authorities of its realm.
    pub bundle: Bundle,
}

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The hall listener can't be reached.
    #[error("{address} cannot be reached: {source}")]
    Unreachable {
        /// Where.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The handshake failed: one side refused the other.
    #[error("{address}: {reason}")]
    Refused {
        /// Where.
        address: String,
        /// Who refused, and why.
        reason: String,
    },
    /// It did not answer in time.
    #[error("{what} did not answer within {patience:?}")]
    Slow {
        /// Who did not.
        what: String,
        /// How long that is.
        patience: Duration,
    },
    /// It takes nothing of what is sent.
    #[error("the far side has taken nothing for {0:?}")]
    Stalled(Duration),
    /// The gateway says no.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// The connection broke in the middle.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The answer is not what was asked for.
    #[error("the gateway's answer cannot be used: {0}")]
    Answer(String),
    /// A file of one's own.
    #[error("{0}")]
    Local(#[from] io::Error),
    /// What arrived is not what was sent.
    #[error("{0}: the checksum is wrong, so what arrived was thrown away: try again")]
    Checksum(String),
    /// Certificate, key or bundle.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The trust bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

impl From<SendError<ClientError>> for ClientError {
    fn from(error: SendError<ClientError>) -> Self {
        match error {
            SendError::Connect(error) => error,
            SendError::Http(error) => broken(&error),
        }
    }
}

fn slow(what: &str, patience: Duration) -> ClientError {
    ClientError::Slow {
        what: what.to_owned(),
        patience,
    }
}

/// In TLS 1.3 a client learns that it was refused only when it reads.
fn broken(error: &hyper::Error) -> ClientError {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let inner = cause
            .downcast_ref::<io::Error>()
            .and_then(|error| error.get_ref()?.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = inner {
            return ClientError::Refused {
                address: "the gateway".to_owned(),
                reason: format!("it refuses this certificate ({alert:?}): open the hall again"),
            };
        }
        source = cause.source();
    }
    ClientError::Broken(explain(error))
}

impl ClientError {
    /// Whether trying again may help: the network, or the gateway being busy or restarted.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Slow { .. } | Self::Stalled(_) | Self::Broken(_) => {
                true
            }
            Self::Problem(problem) => matches!(problem.status, 408 | 429 | 502..=504),
            _ => false,
        }
    }
}

/// A person, as grants name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The realm's id.
    pub id: String,
    /// The name.
    pub name: String,
}

/// `GET /grant`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Which hall it opens.
    pub hall: HallName,
    /// For whom.
    pub person: Person,
    /// What may be done.
    pub rights: Rights,
    /// Until when, unix milliseconds.
    pub ends_ms: u64,
    /// Until when the present certificate is valid, unix milliseconds.
    pub certificate_ends_ms: u64,
}

/// `POST /grant/renew`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// The chain, leaf first, each DER as base64url.
    pub certificates: Vec<String>,
    /// Until when the leaf is valid, unix milliseconds.
    pub certificate_ends_ms: u64,
}

struct Inner {
    /// Where the hall is.
    host: Listener,
    /// Where certificates are renewed, when that is elsewhere.
    home: Option<Listener>,
    key: HallKey,
    identity: Arc<Identity>,
    certificate_ends_ms: AtomicU64,
}

/// An open hall. Cloning is cheap, and clones share their connections.
#[derive(Clone)]
pub struct HallClient {
    inner: Arc<Inner>,
}

impl HallClient {
    /// Makes ready; nothing is sent yet.
    ///
    /// # Errors
    /// The certificate is not for the key, or the bundle can't be used.
    pub fn new(opening: Opening) -> Result<Self, ClientError> {
        let certificate_ends_ms = leaf_end(&opening.chain)?.into();
        let identity = Identity::new(opening.chain, &opening.key)?;
        let listener = |place| Listener::new(place, Arc::clone(&identity));
        let inner = Inner {
            host: listener(Place {
                address: opening.address,
                gateway: opening.gateway,
                bundle: opening.bundle,
            })?,
            home: opening.home.map(listener).transpose()?,
            key: opening.key,
            identity,
            certificate_ends_ms,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Shows the evidence by which a visitor is let in: an encoded
    /// evidence bundle of the opening and of the registration of the key that
    /// signed it. Gives what the host answers: at least the grant as it made it, a [`Grant`].
    ///
    /// # Errors
    /// [`ClientError::Problem`] says what the host does not accept.
    pub async fn visit<T: for<'de> Deserialize<'de>>(
        &self,
        evidence: Vec<u8>,
    ) -> Result<T, ClientError> {
        let request = Request::post("/visit")
            .header(CONTENT_TYPE, "application/cbor")
            .body(body::full(evidence))
            .map_err(|error| ClientError::Answer(error.to_string()))?;
        let grant = json(self.ask(request).await?).await;
        // Whoever comes now is a guest, which the connections of before do not know.
        self.inner.host.forget_connections();
        grant
    }

    /// The grant, as the gateway sees it now.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn grant(&self) -> Result<Grant, ClientError> {
        json(self.call(&self.inner.host, Method::GET, "/grant").await?).await
    }

    /// Gets a new certificate for the same key and shows it from now on. Open streams go on.
    ///
    /// # Errors
    /// [`ClientError`]; the present certificate stays.
    pub async fn renew(&self) -> Result<Renewed, ClientError> {
        let renewed = self.call(self.inner.home(), Method::POST, "/grant/renew");
        let renewed: Renewed = json(renewed.await?).await?;
        let chain = renewed
            .certificates
            .iter()
            .map(|der| URL_SAFE_NO_PAD.decode(der).map(CertificateDer::from))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| ClientError::Answer(error.to_string()))?;
        let certificate_ends_ms = leaf_end(&chain)?;
        let inner = &self.inner;
        inner.identity.replace(chain, &inner.key)?;
        for listener in inner.listeners() {
            listener.show_renewed()?;
        }
        (inner.certificate_ends_ms).store(certificate_ends_ms, Ordering::Relaxed);
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
                // The host of a visitor learns by this that home still vouches for them.
                Ok(_) if self.inner.home.is_some() => drop(self.grant().await),
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
        self.inner.certificate_ends_ms.load(Ordering::Relaxed)
    }

    /// Ends the grant: everything that runs under it is cut. A visitor's is ended where the hall
    /// is and at home, whichever of the two answers.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn end(&self) -> Result<(), ClientError> {
        let mut ended = Ok(());
        for listener in self.inner.listeners() {
            let done = self.call(listener, Method::POST, "/grant/end").await;
            ended = ended.and(done.map(drop));
        }
        ended
    }

    /// A stream to `service`, over a TLS connection of its own.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stream(&self, service: &ServiceName) -> Result<BoxStream, ClientError> {
        let host = &self.inner.host;
        let path = format!("/connect/{service}");
        upgrade(host.connect().await?, &path, STREAM_PROTOCOL, host.name()).await
    }

    /// Sends any request of the data plane and gives the answer as it is. The path is all that
    /// counts of the URI.
    ///
    /// # Errors
    /// There is no answer. An answer that refuses is not an error here.
    pub async fn forward(&self, request: Request<Body>) -> Result<Response<Incoming>, ClientError> {
        self.inner.host.send(request).await
    }

    /// As [`HallClient::forward`], and an answer that refuses is an error.
    pub(crate) async fn ask(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, ClientError> {
        accepted(self.forward(request).await?).await
    }

    async fn call(
        &self,
        listener: &Listener,
        method: Method,
        path: &str,
    ) -> Result<Response<Incoming>, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(body::empty())
            .map_err(|error| ClientError::Answer(error.to_string()))?;
        let asked = async { accepted(listener.send(request).await?).await };
        timeout(ANSWER, asked)
            .await
            .map_err(|_| slow(listener.address(), ANSWER))?
    }
}

impl std::fmt::Debug for HallClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HallClient")
            .field("host", &self.inner.host)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Where certificates are renewed.
    fn home(&self) -> &Listener {
        self.home.as_ref().unwrap_or(&self.host)
    }

    fn listeners(&self) -> impl Iterator<Item = &Listener> {
        std::iter::once(&self.host).chain(&self.home)
    }
}

/// Connects to a hall listener: TCP, then TLS.
pub(crate) async fn connect(
    address: &str,
    config: Arc<ClientConfig>,
) -> Result<BoxStream, ClientError> {
    let connecting = async {
        let unreachable = |source| ClientError::Unreachable {
            address: address.to_owned(),
            source,
        };
        let tcp = TcpStream::connect(address).await.map_err(unreachable)?;
        tcp::prepare(&tcp);
        // The name decides nothing: the gateway is known by its SPIFFE ID.
        let name =
            ServerName::try_from("hall").map_err(|error| ClientError::Answer(error.to_string()))?;
        let tls = TlsConnector::from(config)
            .connect(name, tls::Socket::new(tcp))
            .await
            .map_err(|error| refused(address, error))?;
        Ok(Box::new(tls) as BoxStream)
    };
    timeout(PATIENCE, connecting)
        .await
        .map_err(|_| slow(address, PATIENCE))?
}

fn refused(address: &str, error: io::Error) -> ClientError {
    let address = address.to_owned();
    match error.get_ref().and_then(|cause| cause.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(reason)) => ClientError::Refused {
            address,
            reason: format!("whoever answers there is not the hall's gateway: {reason}"),
        },
        Some(reason) => ClientError::Refused {
            address,
            reason: format!("the gateway refuses this certificate: {reason}"),
        },
        None => ClientError::Unreachable {
            address,
            source: error,
        },
    }
}

/// Asks for an upgrade over a fresh connection, and gives the raw stream.
///
/// # Errors
/// [`ClientError`]: the connection broke, or the answer refuses.
pub async fn upgrade(
    stream: BoxStream,
    path: &str,
    protocol: &'static str,
    host: &HeaderValue,
) -> Result<BoxStream, ClientError> {
    let broken = |error: hyper::Error| broken(&error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    tokio::spawn(connection.with_upgrades());
    let mut request = stream::upgrade_request(path, protocol)
        .map_err(|error| ClientError::Answer(error.to_string()))?;
    request.headers_mut().insert(HOST, host.clone());
    let response = timeout(PATIENCE, sender.send_request(request))
        .await
        .map_err(|_| slow("the far side", PATIENCE))?
        .map_err(broken)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        accepted(response).await?;
        return Err(ClientError::Answer("it did not upgrade".to_owned()));
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(broken)?;
    Ok(Box::new(TokioIo::new(upgraded)))
}

/// The answer, or what it says is wrong.
///
/// # Errors
/// [`ClientError::Problem`].
pub async fn accepted(response: Response<Incoming>) -> Result<Response<Incoming>, ClientError> {
    let status = response.status();
    if status.is_success() || status.is_informational() {
        return Ok(response);
    }
    let plain = || Problem::new(status, "refused", format!("the gateway answers {status}"));
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"));
    if !is_problem {
        return Err(plain().into());
    }
    let bytes = collect(response).await?;
    Err(serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| plain())
        .into())
}

async fn collect(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let whole = Limited::new(response.into_body(), LONGEST_ANSWER).collect();
    let whole = timeout(ANSWER, whole)
        .await
        .map_err(|_| slow("the far side", ANSWER))?;
    Ok(whole
        .map_err(|error| ClientError::Broken(error.to_string()))?
        .to_bytes())
}

/// An answer's JSON, of at most 4 MiB.
///
/// # Errors
/// It broke off, or is not the JSON that was expected.
pub async fn json<T: for<'de> Deserialize<'de>>(
    response: Response<Incoming>,
) -> Result<T, ClientError> {
    serde_json::from_slice(&collect(response).await?)
        .map_err(|error| ClientError::Answer(error.to_string()))
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
