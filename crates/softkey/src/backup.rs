//! Backups of a key file: the seed as words or shares, and the passkeys as a file.

pub(crate) mod passkeys;
pub(crate) mod seed;

use hallway_authenticator::Answer;

use crate::error::KeyFileError;
use crate::slip39::ShareError;

/// Why a backup was not made, or not read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The key file was created without leave to be backed up.
    #[error(
        "this key was created without `hallway key new --allow-backup`, and that cannot be changed"
    )]
    NotAllowed,
    /// The owner did not say yes.
    #[error("not confirmed: nothing was done")]
    NotConfirmed(Answer),
    /// The file cannot be made, read or opened.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The file is something else.
    #[error("this is not a backup of passkeys, or it is damaged")]
    NotABackup,
    /// There is no room for all passkeys of the backup.
    #[error("this key has no room for all of the passkeys; nothing was added")]
    Full,
    /// Storage or randomness failed.
    #[error("the key file or the source of randomness failed")]
    Fault,
    /// The words are not the words of a seed.
    #[error("these are not the 24 words of a seed: {0}")]
    Words(String),
    /// The shares do not give a seed.
    #[error("these shares do not give a seed: {0}")]
    Shares(#[from] ShareError),
}

impl From<hallway_authenticator::BackupError> for BackupError {
    fn from(error: hallway_authenticator::BackupError) -> Self {
        use hallway_authenticator::BackupError as Inner;
        match error {
            Inner::NotAllowed => Self::NotAllowed,
            Inner::NotConfirmed(answer) => Self::NotConfirmed(answer),
            Inner::NotACredential => Self::NotABackup,
            Inner::Full => Self::Full,
            Inner::Fault => Self::Fault,
        }
    }
}
