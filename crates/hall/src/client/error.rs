//! Errors between a client and a hall.

use std::io;
use std::time::Duration;

use hallway_evidence::causes;
use tokio_rustls::rustls;

use crate::bundle::BundleError;
use crate::pool::SendError;
use crate::problem::{Code, Problem};
use crate::tls::TlsError;

/// Why a request to a hall failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The hall listener can't be reached.
    #[error("{address} cannot be reached: {source}")]
    Unreachable {
        /// `HOST:PORT` of the listener.
        address: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The handshake failed: one side refused the other.
    #[error("{address}: {reason}")]
    Refused {
        /// `HOST:PORT` of the listener.
        address: String,
        /// Who refused, and why.
        reason: String,
    },
    /// The other side did not answer in time.
    #[error("{what} did not answer within {patience:?}")]
    Slow {
        /// The side that did not answer.
        what: String,
        /// How long the client waited.
        patience: Duration,
    },
    /// The other side has accepted nothing of an upload for this long.
    #[error("the other side has accepted nothing for {0:?}")]
    Stalled(Duration),
    /// The gateway refused the request.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// The connection broke in the middle.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The answer is not what was asked for.
    #[error("the gateway's answer cannot be used: {0}")]
    Answer(String),
    /// A local file could not be read or written.
    #[error("{0}")]
    Local(#[from] io::Error),
    /// Certificate, key or bundle can't be used for TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The trust bundle can't be used.
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

pub(super) fn slow(what: &str, patience: Duration) -> ClientError {
    ClientError::Slow {
        what: what.to_owned(),
        patience,
    }
}

/// In TLS 1.3 a client learns that it was refused only when it reads.
pub(super) fn broken(error: &hyper::Error) -> ClientError {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let inner = cause
            .downcast_ref::<io::Error>()
            .and_then(|error| error.get_ref()?.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = inner {
            return ClientError::Refused {
                address: "the gateway".to_owned(),
                reason: format!(
                    "the gateway refuses this certificate ({alert:?}): open the hall again"
                ),
            };
        }
        source = cause.source();
    }
    ClientError::Broken(causes(error))
}

impl ClientError {
    /// The code of the refusal, if the gateway refused the request with one that is known here.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Problem(problem) => problem.known(),
            _ => None,
        }
    }

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
