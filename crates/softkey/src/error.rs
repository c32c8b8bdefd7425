//! Why a key file does not open.

use std::io;
use std::path::{Path, PathBuf};

use hallway_authenticator::PowerUpError;

/// Why a key file cannot be created or opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file's path.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// There is already a file of this name.
    #[error("{} exists already; choose another name, or remove it if you are sure", .0.display())]
    Exists(PathBuf),
    /// Another process has it open.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The passphrase or key is not the right one, or the header was changed.
    #[error("the passphrase or key does not open this file")]
    WrongProtection,
    /// The file is protected by a passphrase, and an operator's key was given.
    #[error("this key file is protected by a passphrase")]
    WantsPassphrase,
    /// The file is protected by an operator's key, and a passphrase was given.
    #[error("this key file is protected by an operator's key, not by a passphrase")]
    WantsOperatorKey,
    /// The file is something else.
    #[error("this is not a key file")]
    NotAKeyFile,
    /// The file was made by a later version.
    #[error("this key file has version {0}, which this program does not know; use a newer one")]
    UnknownVersion(u8),
    /// A part that is not the last one does not authenticate.
    #[error("the key file is damaged at byte {offset}; restore it from a backup")]
    Damaged {
        /// Where the damaged part starts, in bytes.
        offset: u64,
    },
    /// The witness saw more commits than this file has.
    #[error(
        "this is an older copy of the key file than {} has seen, so PIN tries may have been given \
         back; find the newest copy, or remove the witness if you put this one in place yourself",
        .0.display()
    )]
    OlderCopy(PathBuf),
    /// The witness belongs to another key file, or is something else.
    #[error("{} is not the witness of this key file; name another", .0.display())]
    OtherWitness(PathBuf),
    /// The records make no sense.
    #[error("the key file cannot be used: {0}")]
    PowerUp(#[from] PowerUpError),
    /// The attestation key does not fit its certificate.
    #[error("the attestation does not fit: {0}")]
    Attestation(&'static str),
    /// The cryptography or the source of randomness failed.
    #[error("cryptography or the source of randomness failed on this computer")]
    Crypto,
}

/// Says of an error of the system at which file it happened.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> KeyFileError {
    let path = path.to_owned();
    move |error| KeyFileError::Io { path, error }
}
