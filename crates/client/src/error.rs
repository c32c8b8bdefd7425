//! Why a ceremony did not succeed.

use hallway_ctap::cbor::ReadError;
use hallway_ctap::status::Status;

use crate::connection::ConnectionError;

/// Why a ceremony did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The key could not be reached.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The key refused.
    #[error("the key refused: {0}")]
    Refused(Status),
    /// The PIN is another one. It cost one of the key's tries.
    #[error("the PIN is wrong; {}", tries(*.left))]
    WrongPin {
        /// How many more wrong PINs the key accepts.
        left: u64,
    },
    /// The key's answer is not what CTAP says.
    #[error("the key's answer to {command} cannot be read: {error}")]
    Answer {
        /// The name of the command, or of its extension.
        command: &'static str,
        /// What is wrong with the answer.
        error: ReadError,
    },
    /// The key's answer lacks this required part.
    #[error("the key's answer lacks {0}")]
    Incomplete(&'static str),
    /// Verification is required, and the key has no PIN and no sensor.
    #[error("user verification is required, but the key has no PIN; set one first")]
    VerificationUnavailable,
    /// The key has no fingerprint sensor.
    #[error("the key has no fingerprint sensor")]
    NoFingerprints,
    /// The key does not derive secrets.
    #[error("the key cannot derive secrets (it lacks the extension hmac-secret)")]
    NoHmacSecret,
    /// The PIN was not given.
    #[error("the key's PIN is required and was not given")]
    PinNotGiven,
    /// The text cannot be a PIN.
    #[error("a PIN has 4 to 63 characters, at most 63 bytes of UTF-8, and no NUL")]
    PinForm,
    /// The key supports no PIN protocol that this client knows.
    #[error("the key supports neither PIN protocol 1 nor 2")]
    PinProtocol,
    /// The local cryptography failed.
    #[error("cryptography failed on this computer")]
    Crypto,
}

impl ClientError {
    /// The status with which the key refused, if it did.
    pub const fn status(&self) -> Option<Status> {
        match self {
            Self::Refused(status) => Some(*status),
            Self::WrongPin { .. } => Some(Status::PinInvalid),
            _ => None,
        }
    }
}

fn tries(left: u64) -> String {
    match left {
        0 => "it is blocked for good, and only a reset helps".to_owned(),
        1 => "one more wrong one blocks it for good".to_owned(),
        left => format!("{left} tries are left"),
    }
}
