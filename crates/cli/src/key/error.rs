//! Why a `hallway key` command did not work.

use std::io;
use std::path::PathBuf;

use hallway_softkey::KeyFileError;

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
    /// Neither transport.
    #[error("say where to serve the key: --udp ADDRESS, --unix PATH, or both")]
    NoTransport,
    /// The result could not be printed.
    #[error("the result could not be printed: {0}")]
    Json(#[from] serde_json::Error),
}

impl KeyCommandError {
    /// The process's exit code.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::KeyFile(
                KeyFileError::WrongProtection
                | KeyFileError::WantsPassphrase
                | KeyFileError::WantsOperatorKey,
            ) => 3,
            Self::KeyFile(KeyFileError::InUse(_)) => 4,
            Self::NoTransport => 2,
            _ => 1,
        }
    }
}
