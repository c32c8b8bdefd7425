//! The operator key locked under security keys: without a touch of one of them, the data folder
//! opens nothing.
//!
//! Each security key derives a secret from the salt (CTAP's hmac-secret, WebAuthn's PRF). HKDF makes
//! a key of that, and that key encrypts the operator key.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use hallway_client::durable_file;
use hallway_webauthn::wire::Base64Url;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KEY, OperatorKey, OperatorKeyError, random_bytes};

/// The name of the file inside the data folder.
pub const FILE: &str = "operator.key.locked";
/// The relying party id under which security keys derive the secret. It can't be a domain, so no web
/// page can ask a key for the secret.
pub const RP_ID: &str = "hallway:operator-key";

const VERSION: u32 = 1;
/// The name under which the operator key is sealed.
const SECRET: &str = "operator key";
/// The most bytes of the file, and the most security keys in it.
const MAX_FILE_BYTES: u64 = 64 * 1024;
const MAX_LOCKS: usize = 16;

/// Why the locked key could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LockedKeyError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Where it is.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file has another format.
    #[error("{path} is damaged, or of a newer version: {reason}")]
    Format {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The label or the credential is there already.
    #[error("a security key called \"{0}\" is there already; give another --label")]
    Exists(String),
    /// No key has this label.
    #[error("no security key here is called \"{0}\"")]
    Unknown(String),
    /// The last security key would go, and the operator key could not be unlocked any more.
    #[error("\"{0}\" is the only security key that unlocks the operator key; add another first")]
    Last(String),
    /// Too many keys.
    #[error("at most {MAX_LOCKS} security keys can unlock one operator key")]
    TooMany,
    /// The security key derived another secret, or the file was changed.
    #[error("the security key does not unlock the operator key; it may have been reset since")]
    Wrong,
    /// The operator key could not be encrypted or decrypted.
    #[error(transparent)]
    Seal(#[from] OperatorKeyError),
}

/// One security key that unlocks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The owner's name for the key.
    pub label: String,
    /// Its credential.
    pub credential: Base64Url,
    /// The operator key, in base64, encrypted under the secret that the security key derives.
    sealed: Base64Url,
}

/// `operator.key.locked`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedKey {
    version: u32,
    salt: Base64Url,
    keys: Vec<Lock>,
}

impl LockedKey {
    /// A locked key without security keys.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn new() -> Result<Self, LockedKeyError> {
        Ok(Self {
            version: VERSION,
            salt: Base64Url::from(random_bytes::<32>()?.as_slice()),
            keys: Vec::new(),
        })
    }

    /// Reads it from the data folder, if it is there.
    ///
    /// # Errors
    /// [`LockedKeyError::File`] and [`LockedKeyError::Format`].
    pub fn read(folder: &Path) -> Result<Option<Self>, LockedKeyError> {
        use io::Read;
        let path = folder.join(FILE);
        let failed = |source| LockedKeyError::File {
            path: path.clone(),
            source,
        };
        let file = match fs::File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed)?,
        };
        let mut text = String::new();
        file.take(MAX_FILE_BYTES)
            .read_to_string(&mut text)
            .map_err(failed)?;
        let wrong = |reason: String| LockedKeyError::Format {
            path: path.clone(),
            reason,
        };
        let read: Self = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let is_whole =
            read.version == VERSION && read.salt.0.len() == 32 && read.keys.len() <= MAX_LOCKS;
        match is_whole {
            true => Ok(Some(read)),
            false => Err(wrong("its version, salt or number of keys".to_owned())),
        }
    }

    /// Writes it into the data folder: whole, or not at all.
    ///
    /// # Errors
    /// [`LockedKeyError::File`].
    pub fn write(&self, folder: &Path) -> Result<(), LockedKeyError> {
        let path = folder.join(FILE);
        let write = || {
            let mut text = serde_json::to_vec_pretty(self)?;
            text.push(b'\n');
            durable_file::write(&path, &text)
        };
        write().map_err(|source| LockedKeyError::File {
            path: path.clone(),
            source,
        })
    }

    /// The salt from which security keys derive their secrets.
    #[must_use]
    pub fn salt(&self) -> [u8; 32] {
        let mut salt = [0; 32];
        salt.copy_from_slice(&self.salt.0);
        salt
    }

    /// The security keys that unlock it.
    #[must_use]
    pub fn keys(&self) -> &[Lock] {
        &self.keys
    }

    /// Whether one more security key of this name may be added.
    ///
    /// # Errors
    /// [`LockedKeyError::Exists`] or [`LockedKeyError::TooMany`].
    pub fn may_add(&self, label: &str) -> Result<(), LockedKeyError> {
        if self.keys.iter().any(|key| key.label == label) {
            return Err(LockedKeyError::Exists(label.to_owned()));
        }
        if self.keys.len() == MAX_LOCKS {
            return Err(LockedKeyError::TooMany);
        }
        Ok(())
    }

    /// Lets one more security key unlock `operator_key` (base64).
    ///
    /// # Errors
    /// [`LockedKeyError::Exists`], [`LockedKeyError::TooMany`].
    pub fn add(
        &mut self,
        label: &str,
        credential: &[u8],
        secret: &[u8; 32],
        operator_key: &str,
    ) -> Result<(), LockedKeyError> {
        self.may_add(label)?;
        let sealed = wrapping(secret)?.seal(SECRET, operator_key.as_bytes())?;
        self.keys.push(Lock {
            label: label.to_owned(),
            credential: Base64Url::from(credential),
            sealed: Base64Url::from(sealed.as_slice()),
        });
        Ok(())
    }

    /// Decrypts the operator key, in base64, with the secret that the security key `credential` derived.
    ///
    /// # Errors
    /// [`LockedKeyError::Wrong`].
    pub fn unlock(
        &self,
        credential: &[u8],
        secret: &[u8; 32],
    ) -> Result<Zeroizing<String>, LockedKeyError> {
        let key = self.keys.iter().find(|key| key.credential.0 == credential);
        let key = key.ok_or(LockedKeyError::Wrong)?;
        let opened = wrapping(secret)?.open(SECRET, &key.sealed.0);
        let opened = opened.map_err(|_| LockedKeyError::Wrong)?;
        let text = std::str::from_utf8(&opened).map_err(|_| LockedKeyError::Wrong)?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// Lets a security key no longer unlock it.
    ///
    /// # Errors
    /// [`LockedKeyError::Unknown`], [`LockedKeyError::Last`].
    pub fn forget(&mut self, label: &str) -> Result<(), LockedKeyError> {
        let found = self.keys.iter().position(|key| key.label == label);
        let found = found.ok_or_else(|| LockedKeyError::Unknown(label.to_owned()))?;
        if self.keys.len() == 1 {
            return Err(LockedKeyError::Last(label.to_owned()));
        }
        self.keys.remove(found);
        Ok(())
    }
}

struct Bytes;

impl KeyType for Bytes {
    fn len(&self) -> usize {
        KEY
    }
}

/// The key that encrypts the operator key, derived from `secret` for this use only.
fn wrapping(secret: &[u8; 32]) -> Result<OperatorKey, OperatorKeyError> {
    let mut key = Zeroizing::new([0; KEY]);
    Salt::new(HKDF_SHA256, &[])
        .extract(secret)
        .expand(&[b"hallway operator key 1"], Bytes)
        .and_then(|bytes| bytes.fill(key.as_mut_slice()))
        .map_err(|_| OperatorKeyError::Sealed(SECRET))?;
    Ok(OperatorKey::new(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    #[test]
    fn each_security_key_unlocks_and_no_other_secret_does() {
        let folder = tempfile::tempdir().unwrap();
        assert!(LockedKey::read(folder.path()).unwrap().is_none());
        let mut locked = LockedKey::new().unwrap();
        locked.add("desk", b"one", &[1; 32], TEXT).unwrap();
        locked.add("safe", b"two", &[2; 32], TEXT).unwrap();
        locked.write(folder.path()).unwrap();
        let read = LockedKey::read(folder.path()).unwrap().unwrap();
        assert_eq!(read.salt(), locked.salt());
        assert_eq!(*read.unlock(b"one", &[1; 32]).unwrap(), TEXT);
        assert_eq!(*read.unlock(b"two", &[2; 32]).unwrap(), TEXT);
        for (credential, secret) in [(b"one", [2; 32]), (b"two", [1; 32]), (b"new", [1; 32])] {
            let refused = read.unlock(credential, &secret);
            assert!(matches!(refused, Err(LockedKeyError::Wrong)));
        }
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(!text.contains(TEXT));
    }

    #[test]
    fn labels_tell_keys_apart_and_the_last_one_stays() {
        let mut locked = LockedKey::new().unwrap();
        locked.add("desk", b"one", &[1; 32], TEXT).unwrap();
        let again = locked.add("desk", b"two", &[2; 32], TEXT);
        assert!(matches!(again, Err(LockedKeyError::Exists(_))));
        assert!(matches!(
            locked.forget("desk"),
            Err(LockedKeyError::Last(_))
        ));
        assert!(matches!(
            locked.forget("safe"),
            Err(LockedKeyError::Unknown(_))
        ));
        locked.add("safe", b"two", &[2; 32], TEXT).unwrap();
        locked.forget("desk").unwrap();
        assert!(locked.unlock(b"one", &[1; 32]).is_err());
    }

    #[test]
    fn files_of_another_format_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let good = serde_json::to_value(LockedKey::new().unwrap()).unwrap();
        for (member, value) in [
            ("version", 2.into()),
            ("salt", "AA".into()),
            ("more", 1.into()),
        ] {
            let mut bad = good.clone();
            bad[member] = value;
            fs::write(folder.path().join(FILE), bad.to_string()).unwrap();
            let read = LockedKey::read(folder.path());
            assert!(
                matches!(read, Err(LockedKeyError::Format { .. })),
                "{member}"
            );
        }
    }
}
