//! TLS 1.3 with an X.509-SVID on both sides.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::client::{self, ResolvesClientCert};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::server::danger::ClientCertVerifier as _;
use tokio_rustls::rustls::server::{self, ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{
    self, ClientConfig, CommonState, ServerConfig, SignatureScheme, version::TLS13,
};

use crate::bundle::Bundles;
use crate::identity::SpiffeId;
use crate::key::HallKey;
use crate::svid::{Svid, SvidError};

mod socket;
mod verifier;

pub use socket::Socket;

/// The protocol of most streams: one that can be upgraded.
pub const HTTP_1: &[u8] = b"http/1.1";
/// HTTP/2, for many small requests over one connection.
pub const HTTP_2: &[u8] = b"h2";

/// Why a configuration can't be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// rustls refuses the configuration.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
    /// The bundles don't make a verifier.
    #[error("the trust bundles cannot be used: {0}")]
    Verifier(String),
    /// There is no certificate, or it is for another key.
    #[error("the certificate does not fit: {0}")]
    Identity(String),
}

/// The certificate and key of this side. The certificate can be replaced while connections are
/// made, and every later handshake shows the new one.
pub struct Identity {
    current: RwLock<Arc<CertifiedKey>>,
}

impl Identity {
    /// From a chain, leaf first, and the leaf's key.
    ///
    /// # Errors
    /// [`TlsError::Identity`]: the chain is empty, or its leaf is for another key.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: &HallKey) -> Result<Arc<Self>, TlsError> {
        Ok(Arc::new(Self {
            current: RwLock::new(certified(chain, key)?),
        }))
    }

    /// Shows `chain` from the next handshake on.
    ///
    /// # Errors
    /// As [`Identity::new`]; the present one stays.
    pub fn replace(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: &HallKey,
    ) -> Result<(), TlsError> {
        let next = certified(chain, key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    fn get(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: &HallKey,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let leaf = chain
        .first()
        .ok_or_else(|| TlsError::Identity("the chain is empty".to_owned()))?;
    let svid = Svid::read(leaf).map_err(|error| TlsError::Identity(error.to_string()))?;
    if svid.public_key != *key.public() {
        return Err(TlsError::Identity("it is for another key".to_owned()));
    }
    Ok(Arc::new(CertifiedKey::new(chain, key.signing())))
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The gateway's side: TLS 1.3 only, a client certificate of one of `bundles` required, sessions
/// resumed by tickets that cost no memory here.
///
/// A ticket carries the certificate of the handshake that it came from, and resuming does not check
/// it again. So call [`peer`] on every connection.
///
/// # Errors
/// [`TlsError`].
pub fn server_config(own: Arc<Identity>, bundles: Bundles) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = provider();
    let verifier = verifier::Clients::new(bundles, Arc::clone(&provider))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(own);
    config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.session_storage = Arc::new(server::NoServerSessionStorage {});
    Ok(Arc::new(config))
}

/// The client's and the agent's side: TLS 1.3 only, and the other end has to be `gateway` by its
/// SPIFFE ID, whatever its address is.
///
/// Make a new configuration when the certificate of this side was renewed: otherwise sessions of
/// the old certificate would be resumed, and refused once it has expired.
///
/// # Errors
/// [`TlsError`].
pub fn client_config(
    own: Arc<Identity>,
    bundles: Bundles,
    gateway: SpiffeId,
    protocol: &[u8],
) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = provider();
    let verifier = verifier::Gateway::new(bundles, gateway, &provider);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(own);
    config.alpn_protocols = vec![protocol.to_vec()];
    config.resumption = client::Resumption::in_memory_sessions(16);
    // Gateways are told apart by certificate, not by name.
    config.enable_sni = false;
    Ok(Arc::new(config))
}

/// Whether `bundles` vouch at `now_ms` (unix milliseconds) for a client's `chain`, leaf first.
#[must_use]
pub fn is_believed(bundles: &Bundles, chain: &[CertificateDer<'_>], now_ms: u64) -> bool {
    let now = UnixTime::since_unix_epoch(Duration::from_millis(now_ms));
    let clients = verifier::Clients::new(bundles.clone(), provider());
    let Some((leaf, rest)) = chain.split_first() else {
        return false;
    };
    clients.is_ok_and(|clients| clients.verify_client_cert(leaf, rest, now).is_ok())
}

/// Why the other end of a connection can't be identified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// It showed no certificate.
    #[error("the connection shows no certificate")]
    None,
    /// Its certificate is no X.509-SVID.
    #[error("the certificate is refused: {0}")]
    Svid(#[from] SvidError),
    /// Its certificate has run out since the handshake that a resumed session came from.
    #[error("the certificate has expired: connect again with a renewed one")]
    Expired,
}

/// Who is at the other end of an established connection, at `now_ms` (unix milliseconds).
///
/// # Errors
/// [`PeerError`].
pub fn peer(connection: &CommonState, now_ms: u64) -> Result<Svid, PeerError> {
    let leaf = connection
        .peer_certificates()
        .and_then(<[_]>::first)
        .ok_or(PeerError::None)?;
    let svid = Svid::read(leaf)?;
    if now_ms >= svid.not_after_ms {
        return Err(PeerError::Expired);
    }
    Ok(svid)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

#[cfg(test)]
mod tests;
