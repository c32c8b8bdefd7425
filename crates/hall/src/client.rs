//! The client's side: one grant, its key in memory, and the requests under it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallway_evidence::statement::hall::ServiceName;
use hallway_webauthn::wire::Base64Url;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use tokio::time::sleep;

use crate::body::{self, Body};
use crate::bundle::Bundle;
use crate::identity::SpiffeId;
use crate::key::HallKey;
use crate::stream::{BoxStream, STREAM_PROTOCOL};
use crate::tls::{Identity, TlsError};

mod answer;
mod connection;
mod error;
mod grant;
mod listener;
mod relay;

pub use answer::{ANSWER, accepted, json, sized_json};
pub(crate) use connection::connect;
pub use connection::upgrade;
pub use error::ClientError;
pub use grant::{Grant, Person, Renewed};
use listener::Listener;
pub use relay::Relayed;

/// The outcome of opening a hall: all that a client needs.
#[derive(Debug)]
pub struct Opening {
    /// `HOST:PORT` of the hall listener.
    pub address: String,
    /// The SPIFFE ID of the gateway that answers there.
    pub gateway: SpiffeId,
    /// The authorities of the gateway's realm.
    pub bundle: Bundle,
    /// The client's own certificate chain, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key that the certificate is for.
    pub key: HallKey,
    /// Where the certificate is renewed, if not where the hall is: a visitor's own realm.
    pub home: Option<Place>,
}

/// A gateway's hall listener.
#[derive(Debug)]
pub struct Place {
    /// `HOST:PORT`.
    pub address: String,
    /// The SPIFFE ID of the gateway that answers there.
    pub gateway: SpiffeId,
    /// The authorities of its realm.
    pub bundle: Bundle,
}

/// The pause before a renewal that failed is tried again.
const RENEW_RETRY: Duration = Duration::from_secs(2);
/// How long a gateway that is told that a grant ends may take to answer. Without an answer the
/// grant ends by itself, and its key is gone.
pub const FAREWELL_TIMEOUT: Duration = Duration::from_secs(5);

struct Inner {
    /// The gateway where the hall is.
    host: Listener,
    /// Where certificates are renewed, if that is elsewhere.
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
    /// Prepares a client; nothing is sent yet.
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

    /// Shows the host the evidence that lets a visitor in: an encoded evidence bundle of the
    /// opening and of the registration of the key that signed it. Returns the host's answer, which
    /// holds at least the [`Grant`] that the host made.
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
        let answer = self.ask(request).await;
        // From now on this client is a guest, which the host does not know on earlier connections.
        // It is one as well if its evidence was shown by another program meanwhile.
        self.inner.host.forget_connections();
        json(answer?).await
    }

    /// The grant, as the gateway sees it now.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn grant(&self) -> Result<Grant, ClientError> {
        json(self.ask(bare(Method::GET, "/grant")?).await?).await
    }

    /// Gets a new certificate for the same key and shows it from now on. Open streams go on. The
    /// answer also names the authorities to trust from now on.
    ///
    /// # Errors
    /// [`ClientError`]; the present certificate stays.
    pub async fn renew(&self) -> Result<Renewed, ClientError> {
        let request = bare(Method::POST, "/grant/renew")?;
        let renewed: Renewed = json(self.inner.home().ask(request, ANSWER).await?).await?;
        let believed = |ders: &[Base64Url]| match ders {
            [] => Ok(None),
            some => Ok::<_, ClientError>(Some(Bundle::new(certificates(some))?)),
        };
        let own = believed(&renewed.bundle)?;
        let (host, home) = match self.inner.home {
            None => (own, None),
            Some(_) => (believed(&renewed.host_bundle)?, own),
        };
        self.replace(certificates(&renewed.certificates), host, home)?;
        Ok(renewed)
    }

    /// Shows this certificate for the same key from now on, and trusts these authorities where the
    /// hall is. Open streams go on.
    ///
    /// # Errors
    /// The certificate is not for the key; the present one stays.
    pub fn show(
        &self,
        chain: Vec<CertificateDer<'static>>,
        host: Bundle,
    ) -> Result<(), ClientError> {
        self.replace(chain, Some(host), None)
    }

    fn replace(
        &self,
        chain: Vec<CertificateDer<'static>>,
        host: Option<Bundle>,
        home: Option<Bundle>,
    ) -> Result<(), ClientError> {
        let certificate_ends_ms = leaf_end(&chain)?;
        let inner = &self.inner;
        inner.identity.replace(chain, &inner.key)?;
        inner.host.show_renewed(host)?;
        if let Some(listener) = &inner.home {
            listener.show_renewed(home)?;
        }
        (inner.certificate_ends_ms).store(certificate_ends_ms, Ordering::Relaxed);
        Ok(())
    }

    /// Renews whenever a third of the certificate's time is left, until that is refused because the
    /// grant has ended. If the network fails, it tries again while the certificate is valid.
    pub async fn keep_renewed(&self) -> ClientError {
        loop {
            let ends_ms = self.certificate_ends_ms();
            let left = Duration::from_millis(ends_ms.saturating_sub(now_ms()));
            sleep(left * 2 / 3).await;
            while let Err(error) = self.renew().await {
                if !error.is_passing() || now_ms() >= ends_ms {
                    return error;
                }
                tracing::debug!(%error, "cannot renew yet");
                sleep(RENEW_RETRY).await;
            }
            if self.inner.home.is_some() {
                // From this request the host of a visitor learns that home still vouches for them.
                drop(self.grant().await);
            }
        }
    }

    /// Until when the present certificate is valid, unix milliseconds.
    #[must_use]
    pub fn certificate_ends_ms(&self) -> u64 {
        self.inner.certificate_ends_ms.load(Ordering::Relaxed)
    }

    /// Ends the grant: everything that runs under it is cut. A visitor's grant is ended at the host
    /// and at home at the same time, and the result is that of home. Each side has
    /// [`FAREWELL_TIMEOUT`] to answer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn end(&self) -> Result<(), ClientError> {
        let host = end_at(&self.inner.host);
        let Some(home) = &self.inner.home else {
            return host.await;
        };
        let (at_host, at_home) = tokio::join!(host, end_at(home));
        if let Err(error) = at_host {
            tracing::debug!(%error, "the host did not end the grant");
        }
        at_home
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

    /// Sends any request of the data plane and returns the answer as it is. Only the path and query
    /// of the URI count.
    ///
    /// # Errors
    /// There is no answer. An answer that refuses is not an error here.
    pub async fn forward(&self, request: Request<Body>) -> Result<Response<Incoming>, ClientError> {
        self.inner.host.send(request).await
    }

    /// Like [`HallClient::forward`], for requests that are quick to answer: a refusal is an error,
    /// and so is no answer within [`ANSWER`].
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn ask(&self, request: Request<Body>) -> Result<Response<Incoming>, ClientError> {
        self.inner.host.ask(request, ANSWER).await
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
}

async fn end_at(listener: &Listener) -> Result<(), ClientError> {
    let request = bare(Method::POST, "/grant/end")?;
    listener.ask(request, FAREWELL_TIMEOUT).await.map(drop)
}

/// A request without content.
fn bare(method: Method, path: &str) -> Result<Request<Body>, ClientError> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(body::empty())
        .map_err(|error| ClientError::Answer(error.to_string()))
}

/// Certificates as they stand in JSON: DER, base64url.
/// Certificates, as the API writes them.
#[must_use]
pub fn certificates(ders: &[Base64Url]) -> Vec<CertificateDer<'static>> {
    let ders = ders.iter().map(|der| der.0.clone());
    ders.map(CertificateDer::from).collect()
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

#[cfg(test)]
mod tests;
