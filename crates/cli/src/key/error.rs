//! Why a `hallway key` command did not work.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use hallway_client::ClientError;
use hallway_ctap::status::Status;
use hallway_evidence::causes;
use hallway_softkey::{BackupError, ConsentPolicyError, KeyFileError, UhidError};

use super::enterprise::IdentityError;

/// Why a `hallway key` command did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyCommandError {
    /// The key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// Another file.
    #[error("{}: {error}", .path.display())]
    File { path: PathBuf, error: io::Error },
    /// A socket, a thread or the terminal.
    #[error("{what}: {error}")]
    Io { what: String, error: io::Error },
    /// An operator's key of the wrong form.
    #[error("{} is not an operator's key: 32 bytes, or 64 hexadecimal digits", .0.display())]
    OperatorKey(PathBuf),
    /// The two entries differ.
    #[error("the two passphrases differ; nothing was made")]
    PassphrasesDiffer,
    /// No passphrase.
    #[error("the passphrase is empty; nothing was done")]
    EmptyPassphrase,
    /// The two entries of a PIN differ.
    #[error("the two PINs differ; nothing was changed")]
    PinsDiffer,
    /// The key said no.
    #[error("{}", with_advice(.0))]
    Client(ClientError),
    /// Not a credential id.
    #[error("{0:?} is not a credential id: an even number of hexadecimal digits")]
    CredentialId(String),
    /// Nobody said yes.
    #[error("nothing was erased; type \"erase\" to go on, or give --yes")]
    NotConfirmed,
    /// The terminal's input carries reports.
    #[error(
        "standard input carries reports, so nobody can be asked on it; say who confirms: \
         --consent desktop, always or never, --policy FILE, or --consent-command PROGRAM"
    )]
    NobodyToAsk,
    /// Everybody who reaches this address could use the key.
    #[error(
        "{0} can be reached from other machines, and everybody who reaches it could use the key: serve \
         it at 127.0.0.1, or add --udp-beyond-loopback if that is what you want"
    )]
    BeyondLoopback(SocketAddr),
    /// A first PIN for a key that has one.
    #[error("the key has a PIN already; hallway key pin change changes it")]
    PinIsSet,
    /// The PIN that was given is another one.
    #[error("the PIN is wrong; {}", tries(*.left))]
    WrongPin {
        /// How many more wrong PINs the key accepts.
        left: u64,
    },
    /// A file that is no policy.
    #[error("{}: {error}", .path.display())]
    Policy {
        path: PathBuf,
        error: ConsentPolicyError,
    },
    /// A certificate or key to attest by.
    #[error("{}: {error}", .path.display())]
    Identity { path: PathBuf, error: IdentityError },
    /// A backup was not made or not read.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// No USB security key could be made.
    #[error(transparent)]
    Uhid(#[from] UhidError),
    /// The result could not be printed.
    #[error("the result could not be printed: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<ClientError> for KeyCommandError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl KeyCommandError {
    /// The process's exit code.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Backup(BackupError::File(KeyFileError::WrongProtection)) => 3,
            Self::KeyFile(
                KeyFileError::WrongProtection
                | KeyFileError::WantsPassphrase
                | KeyFileError::WantsOperatorKey,
            ) => 3,
            Self::KeyFile(KeyFileError::InUse(_)) => 4,
            Self::KeyFile(KeyFileError::OlderCopy(_)) => 6,
            Self::NobodyToAsk
            | Self::BeyondLoopback(_)
            | Self::Policy { .. }
            | Self::CredentialId(_) => 2,
            Self::WrongPin { .. }
            | Self::Client(
                ClientError::PinNotGiven
                | ClientError::Refused(
                    Status::PinInvalid | Status::PinAuthBlocked | Status::PinBlocked,
                ),
            ) => 5,
            _ => 1,
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

/// Why a key refused, and what to do about it.
pub(crate) fn with_advice(error: &ClientError) -> String {
    match error {
        ClientError::VerificationUnavailable | ClientError::Refused(Status::PinNotSet) => {
            "the key has no PIN: hallway key pin set FILE sets one for a key file, and the program \
             of its maker for any other key"
                .to_owned()
        }
        ClientError::PinNotGiven => {
            "the key needs its PIN, which was not given: at a terminal it is asked for; otherwise \
             give --pin-file or HALLWAY_PIN"
                .to_owned()
        }
        other => causes(other),
    }
}

/// Names what failed, for [`KeyCommandError::Io`].
pub(super) fn failed(what: impl ToString) -> impl FnOnce(io::Error) -> KeyCommandError {
    let what = what.to_string();
    move |error| KeyCommandError::Io { what, error }
}
