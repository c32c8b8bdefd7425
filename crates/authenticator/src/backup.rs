//! Backup and restore of the seed and of the discoverable credentials.
//!
//! CTAP has no such command: a program that embeds the authenticator calls these functions. A key
//! whose maker did not allow backups when the key was created never gives a secret out.

use alloc::vec::Vec;

use hallway_ctap::status::Status;
use zeroize::Zeroizing;

use crate::authenticator::Authenticator;
use crate::credential::{Credential, sha256};
use crate::platform::{
    Answer, BackupContent, Change, Environment, Platform, Presence, Question, RecordKey, Storage,
    StorageError,
};

/// Why a backup or a restore failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// The key was created without leave to be backed up.
    #[error("this key was created without --allow-backup")]
    NotAllowed,
    /// The owner did not say yes.
    #[error("the owner did not confirm")]
    NotConfirmed(Answer),
    /// A record is not a discoverable credential.
    #[error("the backup contains a record that is not a passkey")]
    NotACredential,
    /// There is no room for all credentials of the backup.
    #[error("this key has no room for all of the passkeys")]
    Full,
    /// Storage or randomness failed.
    #[error("the storage or the source of randomness failed")]
    Fault,
}

/// How many credentials a restore stored and skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestoredCredentials {
    /// Credentials that were stored.
    pub added: usize,
    /// Credentials that were skipped: this key already has one for their account.
    pub kept: usize,
}

/// The record of a key that may be backed up: see [`Authenticator::allow_backup`].
const ALLOWED: &[u8] = &[1];

impl<E: Environment> Authenticator<E> {
    /// The record that a maker writes into the storage of a new authenticator whose owner may back
    /// up its secrets; it outlives resets.
    pub const fn allow_backup() -> Change<'static> {
        Change::Put(RecordKey::BACKUP, ALLOWED)
    }

    /// The records that give a new authenticator a known seed. Its signature counter continues at
    /// `count` (big-endian), which must be above every value that the seed's authenticator gave
    /// out, or relying parties take the new one for a clone (WebAuthn Level 3, section 6.1.1).
    pub const fn with_seed<'a>(seed: &'a [u8; 32], count: &'a [u8; 4]) -> [Change<'a>; 2] {
        [
            Change::Put(RecordKey::SEED, seed),
            Change::Put(RecordKey::COUNTER, count),
        ]
    }

    /// Whether the owner may back up secrets.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn backup_allowed(&self) -> Result<bool, StorageError> {
        match self.platform.storage.read(RecordKey::BACKUP)? {
            Some(record) if record[..] == *ALLOWED => Ok(true),
            Some(_) => Err(StorageError::Fault),
            None => Ok(false),
        }
    }

    /// Gives out the seed, once the owner has confirmed. With the seed, every credential that is
    /// not discoverable works on another authenticator.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn backup_seed(&mut self) -> Result<Zeroizing<[u8; 32]>, BackupError> {
        self.confirm_backup(BackupContent::Seed)?;
        let record = self.platform.storage.read(RecordKey::SEED)?;
        let seed = record.ok_or(BackupError::Fault)?;
        let seed: &[u8; 32] = seed[..].try_into().map_err(|_| BackupError::Fault)?;
        Ok(Zeroizing::new(*seed))
    }

    /// Gives out the records of all discoverable credentials, including their secrets, once the
    /// owner has confirmed.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn backup_credentials(&mut self) -> Result<Vec<Zeroizing<Vec<u8>>>, BackupError> {
        self.confirm_backup(BackupContent::Credentials)?;
        let mut records = Vec::with_capacity(self.index.len());
        self.platform.storage.each(&mut |key, record| {
            if key.slot().is_some() {
                records.push(Zeroizing::new(record.to_vec()));
            }
        })?;
        Ok(records)
    }

    /// Stores the records that [`backup_credentials`](Self::backup_credentials) gave out, in one
    /// batch, once the owner has confirmed. An account that already has a credential keeps it.
    ///
    /// # Errors
    /// [`BackupError`]; then nothing was stored.
    pub fn restore_credentials(
        &mut self,
        records: &[Zeroizing<Vec<u8>>],
    ) -> Result<RestoredCredentials, BackupError> {
        let mut fresh: Vec<Credential> = Vec::new();
        for record in records {
            let credential = Credential::decode(record).ok_or(BackupError::NotACredential)?;
            let is_repeated = fresh.iter().any(|other| same_account(other, &credential));
            if !is_repeated && !self.has_account_of(&credential)? {
                fresh.push(credential);
            }
        }
        if fresh.len() > self.room() {
            return Err(BackupError::Full);
        }
        let outcome = RestoredCredentials {
            added: fresh.len(),
            kept: records.len() - fresh.len(),
        };
        let credentials = fresh.len();
        confirm(&mut self.platform, &Question::Restore { credentials })?;
        fresh.sort_by_key(|credential| credential.created);
        self.store_all(fresh)?;
        Ok(outcome)
    }

    fn confirm_backup(&mut self, content: BackupContent) -> Result<(), BackupError> {
        if !self.backup_allowed()? {
            return Err(BackupError::NotAllowed);
        }
        confirm(&mut self.platform, &Question::Backup(content))
    }

    fn has_account_of(&self, wanted: &Credential) -> Result<bool, BackupError> {
        let (Some(rp_id), Some(user)) = (&wanted.rp_id, &wanted.user) else {
            return Err(BackupError::NotACredential);
        };
        for slot in self.index.of_account(&sha256(rp_id.as_bytes()), &user.id) {
            let known = self.load(slot)?;
            if same_account(&known, wanted) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn store_all(&mut self, mut fresh: Vec<Credential>) -> Result<(), BackupError> {
        self.sequences.end();
        let state = *self.platform.random::<16>().map_err(Status::from)?;
        let mut placed = Vec::with_capacity(fresh.len());
        for credential in &mut fresh {
            credential.created = self.index.next_created();
            // The caller has checked that there is room for all of them.
            let Some(slot) = self.index.vacancy(self.max_discoverable()) else {
                break;
            };
            self.index.put(slot, credential);
            placed.push((slot, credential.encode()));
        }
        let mut changes: Vec<Change<'_>> = placed
            .iter()
            .map(|(slot, record)| Change::Put(RecordKey::credential(*slot), record))
            .collect();
        changes.push(Change::Put(RecordKey::STORE_STATE, &state));
        let stored = match placed.len() == fresh.len() {
            true => self.platform.storage.commit(&changes),
            false => Err(StorageError::Full),
        };
        if let Err(error) = stored {
            for ((slot, _), credential) in placed.iter().zip(&fresh) {
                self.index.remove(*slot, credential);
            }
            return Err(error.into());
        }
        self.persistent.store_state = state;
        Ok(())
    }
}

fn same_account(one: &Credential, other: &Credential) -> bool {
    let id = |credential: &Credential| credential.user.as_ref().map(|user| user.id.clone());
    one.rp_id == other.rp_id && id(one) == id(other)
}

fn confirm<E: Environment>(
    platform: &mut Platform<E>,
    question: &Question<'_>,
) -> Result<(), BackupError> {
    match platform.presence.confirm(question) {
        Answer::Granted => Ok(()),
        answer => Err(BackupError::NotConfirmed(answer)),
    }
}

impl From<StorageError> for BackupError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Full => Self::Full,
            StorageError::Fault => Self::Fault,
        }
    }
}

impl From<Status> for BackupError {
    fn from(_: Status) -> Self {
        Self::Fault
    }
}
