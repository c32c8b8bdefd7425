//! Errors as OpenSSH knows them (PROTOCOL.u2f, sk-api.h).

use hallway_client::{ClientError, ConnectionError};
use hallway_ctap::status::Status;

/// What a function of the middleware returns when it fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub(crate) enum SkError {
    /// SSH_SK_ERR_GENERAL.
    General = -1,
    /// SSH_SK_ERR_UNSUPPORTED.
    Unsupported = -2,
    /// SSH_SK_ERR_PIN_REQUIRED.
    PinRequired = -3,
    /// SSH_SK_ERR_DEVICE_NOT_FOUND: also when the key has no such credential.
    DeviceNotFound = -4,
    /// SSH_SK_ERR_CREDENTIAL_EXISTS.
    CredentialExists = -5,
}

impl From<ConnectionError> for SkError {
    fn from(_: ConnectionError) -> Self {
        Self::DeviceNotFound
    }
}

impl From<ClientError> for SkError {
    fn from(error: ClientError) -> Self {
        match error {
            // ssh asks again for a wrong PIN as for a missing one.
            ClientError::PinNotGiven | ClientError::WrongPin { .. } => Self::PinRequired,
            ClientError::Connection(_) => Self::DeviceNotFound,
            ClientError::VerificationUnavailable => Self::Unsupported,
            ClientError::Refused(status) => match status {
                Status::PuatRequired | Status::PinAuthInvalid => Self::PinRequired,
                Status::NoCredentials => Self::DeviceNotFound,
                Status::UnsupportedAlgorithm | Status::UnsupportedOption => Self::Unsupported,
                _ => Self::General,
            },
            _ => Self::General,
        }
    }
}
