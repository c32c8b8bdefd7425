//! Connections to a hall listener, and streams over them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{HOST, HeaderValue};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, ClientConfig};

use super::answer::accepted;
use super::error::{ClientError, broken, slow};
use crate::stream::{self, BoxStream};
use crate::{tcp, tls};

/// How long a connection, and the answer to an upgrade, may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

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
        let tcp = tcp::connect(address).await.map_err(unreachable)?;
        // This name is not checked: the gateway is identified by its SPIFFE ID.
        let name =
            ServerName::try_from("hall").map_err(|error| ClientError::Answer(error.to_string()))?;
        let tls = TlsConnector::from(config)
            .connect(name, tls::Socket::new(tcp))
            .await
            .map_err(|error| refused(address, error))?;
        Ok(Box::new(tls) as BoxStream)
    };
    timeout(CONNECT_TIMEOUT, connecting)
        .await
        .map_err(|_| slow(address, CONNECT_TIMEOUT))?
}

fn refused(address: &str, error: io::Error) -> ClientError {
    let address = address.to_owned();
    match error.get_ref().and_then(|cause| cause.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(reason)) => ClientError::Refused {
            address,
            reason: format!("the other end is not the hall's gateway: {reason}"),
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

/// Asks for an upgrade over a fresh connection, and returns the raw stream.
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
    let response = timeout(CONNECT_TIMEOUT, sender.send_request(request))
        .await
        .map_err(|_| slow("the other side", CONNECT_TIMEOUT))?
        .map_err(broken)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        accepted(response).await?;
        return Err(ClientError::Answer(
            "the gateway did not upgrade the connection".to_owned(),
        ));
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(broken)?;
    Ok(Box::new(TokioIo::new(upgraded)))
}
