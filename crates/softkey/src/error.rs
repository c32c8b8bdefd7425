//! Why a key file does not open.

use std::io;
use std::path::PathBuf;

use hallway_authenticator::PowerUpError;

/// Why a key file cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("{}: {error}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// There is a file already.
    #[error("{} exists already; choose another name, or remove it if you are sure", .0.display())]
    Exists(PathBuf),
    /// Another process has it open.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The passphrase or key is not the right one, or the header was changed.
    #[error("the passphrase or key does not open this file")]
    WrongProtection,
    /// It is protected by a passphrase.
    #[error("this key file is protected by a passphrase")]
    WantsPassphrase,
    /// It is protected by an operator's key.
    #[error("this key file is protected by an operator's key, not by a passphrase")]
    WantsOperatorKey,
    /// It is something else.
    #[error("this is not a key file")]
    NotAKeyFile,
    /// Made by a later version.
    #[error("this key file has version {0}, which this program does not know; use a newer one")]
    UnknownVersion(u8),
    /// A part that is not the last one does not authenticate.
    #[error("the key file is damaged at byte {offset}; restore it from a backup")]
    Damaged {
        /// Where.
        offset: u64,
    },
    /// The witness saw more than this file holds.
    #[error(
        "this is an older copy of the key file than {} has seen, so PIN tries may have been given \
         back; find the newest copy, or remove the witness if you put this one in place yourself",
        .0.display()
    )]
    OlderCopy(PathBuf),
    /// The witness is about something else.
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
