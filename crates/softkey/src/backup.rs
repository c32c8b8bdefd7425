//! Backups of a key file: the seed as words or shares, and the passkeys as a file.

mod passkeys;

use hallway_authenticator::Answer;

use crate::error::KeyFileError;
use crate::seed::Seed;
use crate::soft_key::SoftKey;

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

impl SoftKey {
    /// Whether the owner may back up the secrets of this key file.
    ///
    /// # Errors
    /// [`BackupError::Fault`].
    pub fn backup_allowed(&self) -> Result<bool, BackupError> {
        self.authenticator
            .backup_allowed()
            .map_err(|_| BackupError::Fault)
    }

    /// The seed, once the owner has confirmed that it may leave the key.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn backup_seed(&mut self) -> Result<Seed, BackupError> {
        Ok(Seed(self.authenticator.backup_seed()?))
    }
}
