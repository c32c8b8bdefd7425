//! Passkeys in a file of their own, under a passphrase of its own. The file has the header (with
//! another magic) and the sealing of a key file, and a single batch.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hallway_authenticator::{Change, RecordKey, RestoredCredentials};
use hallway_client::durable_file;
use zeroize::Zeroizing;

use super::BackupError;
use crate::batch::{self, Replayed};
use crate::error::{KeyFileError, at};
use crate::journal::{open_batch, seal, split_batch};
use crate::protection::{FileKind, HEADER_BYTES, Protection, WrappingKey};
use crate::soft_key::SoftKey;

/// A backup is read whole: this bounds the memory. 10,000 passkeys take a few megabytes.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

impl SoftKey {
    /// Writes all passkeys to a new file, once the owner has confirmed, and returns their number.
    ///
    /// # Errors
    /// [`BackupError`]; then there is no file.
    pub fn backup_passkeys(
        &mut self,
        path: &Path,
        protection: &Protection,
    ) -> Result<usize, BackupError> {
        if path.exists() {
            return Err(KeyFileError::Exists(path.into()).into());
        }
        let credentials = self.authenticator.backup_credentials()?;
        let changes: Vec<Change<'_>> = (0..)
            .zip(&credentials)
            .map(|(number, record)| Change::Put(RecordKey::from_number(number), record))
            .collect();
        let (header, data_key) = WrappingKey::new(FileKind::Passkeys, protection)?.wrap()?;
        let sealed = seal(&data_key, 0, &batch::encode(&changes)).map_err(at(path))?;
        // Half a backup must not be taken for a whole one.
        durable_file::create(path, &[&header[..], &sealed].concat()).map_err(at(path))?;
        Ok(credentials.len())
    }

    /// Adds the passkeys of a backup, once the owner has confirmed. An account that already has a
    /// passkey here keeps it.
    ///
    /// # Errors
    /// [`BackupError`]; then nothing was added.
    pub fn restore_passkeys(
        &mut self,
        path: &Path,
        protection: &Protection,
    ) -> Result<RestoredCredentials, BackupError> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
            .map_err(at(path))?;
        let credentials = unseal(&bytes, protection)?;
        Ok(self.authenticator.restore_credentials(&credentials)?)
    }
}

fn unseal(bytes: &[u8], protection: &Protection) -> Result<Vec<Zeroizing<Vec<u8>>>, BackupError> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(BackupError::NotABackup);
    }
    let (header, body) = bytes
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or(BackupError::NotABackup)?;
    let (_, data_key) =
        WrappingKey::open(FileKind::Passkeys, header, protection).map_err(|error| match error {
            KeyFileError::NotAKeyFile => BackupError::NotABackup,
            other => other.into(),
        })?;
    let Some((sealed, [])) = split_batch(body) else {
        return Err(BackupError::NotABackup);
    };
    let plain = open_batch(&data_key, 0, sealed).ok_or(BackupError::NotABackup)?;
    let mut replayed = Replayed::default();
    batch::replay(&mut replayed, &plain).ok_or(BackupError::NotABackup)?;
    Ok(replayed.records.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_backup_is_refused() {
        let protection = Protection::OperatorKey([7; 32].into());
        let (header, key) = WrappingKey::new(FileKind::Passkeys, &protection)
            .unwrap()
            .wrap()
            .unwrap();
        let change = Change::Put(RecordKey::from_number(0), b"record");
        let sealed = seal(&key, 0, &batch::encode(&[change])).unwrap();
        let whole = [&header[..], &sealed].concat();
        assert_eq!(*unseal(&whole, &protection).unwrap()[0], b"record");
        for end in 0..whole.len() {
            assert!(unseal(&whole[..end], &protection).is_err(), "cut at {end}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(unseal(&changed, &protection).is_err(), "changed at {at}");
        }
        let more = [&whole[..], &[0]].concat();
        assert!(unseal(&more, &protection).is_err());
        let other = Protection::OperatorKey([8; 32].into());
        assert!(matches!(
            unseal(&whole, &other),
            Err(BackupError::File(KeyFileError::WrongProtection))
        ));
    }
}
