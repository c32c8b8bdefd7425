//! The one key that the operator holds: everything secret at rest is encrypted under it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hallway_client::durable_file;
use zeroize::Zeroizing;

pub mod locked;

use locked::{LockedKey, LockedKeyError};

/// The name of the key's file inside the data folder.
pub const FILE: &str = "operator.key";

/// Bytes of an operator key.
const KEY: usize = 32;
const NONCE_BYTES: usize = 24;

/// Why a secret could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum OperatorKeyError {
    /// The key file cannot be read or written.
    #[error("the operator key {path}: {source}")]
    File {
        /// The expected path of the file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file holds no operator key.
    #[error("the operator key {0} is not 32 bytes in base64; restore it from your backup")]
    Format(PathBuf),
    /// Others on this machine can read the key.
    #[error("the operator key {0} can be read by others; run: chmod 600 {0}")]
    Exposed(PathBuf),
    /// The system has no randomness to give.
    #[error("the system gives no random numbers: {0}")]
    Randomness(getrandom::Error),
    /// Encrypted under another key, for another use, or damaged.
    #[error("the stored secret \"{0}\" does not open with this operator key")]
    Sealed(&'static str),
}

/// Encrypts secrets at rest with XChaCha20-Poly1305; the name of a secret is authenticated with it.
#[derive(Clone)]
pub struct OperatorKey(XChaCha20Poly1305);

/// Why there is no operator key.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The key file could not be read or made.
    #[error(transparent)]
    Key(#[from] OperatorKeyError),
    /// The locked key could not be used.
    #[error(transparent)]
    Locked(#[from] LockedKeyError),
    /// `HALLWAY_OPERATOR_KEY` holds no key.
    #[error("HALLWAY_OPERATOR_KEY is not 32 bytes in base64")]
    Variable,
    /// A security key must be touched first.
    #[error(
        "the operator key in {0} is locked; `hallway` unlocks it with a touch of a security key"
    )]
    Touch(PathBuf),
    /// The file is missing, and a new key could not decrypt the realm's secrets.
    #[error(
        "there is no operator key: put operator.key into {0}, or set HALLWAY_OPERATOR_KEY to it"
    )]
    Missing(PathBuf),
}

/// What to do if the data folder holds no operator key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhereNone {
    /// Make one: this is a first start.
    Make,
    /// Give up: there is a realm already, and a new key could not decrypt its secrets.
    Refuse,
}

impl OperatorKey {
    /// The key that was `given` in base64, or the one in `folder`.
    ///
    /// # Errors
    /// [`FindError`].
    pub fn find(given: Option<&str>, folder: &Path, none: WhereNone) -> Result<Self, FindError> {
        if let Some(text) = given {
            return Self::from_base64(text).ok_or(FindError::Variable);
        }
        let path = folder.join(FILE);
        if !path.exists() {
            // A new key could not decrypt the realm's secrets.
            if LockedKey::read(folder)?.is_some() {
                return Err(FindError::Touch(folder.to_owned()));
            }
            if none == WhereNone::Refuse {
                return Err(FindError::Missing(folder.to_owned()));
            }
        }
        Ok(Self::load_or_create(&path)?)
    }

    fn new(key: &[u8; KEY]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// Reads the key in `path`, or makes one there (mode 600) when the file does not exist.
    ///
    /// # Errors
    /// The file cannot be read or written, is open to others, or holds no key.
    pub fn load_or_create(path: &Path) -> Result<Self, OperatorKeyError> {
        let failed = |source| OperatorKeyError::File {
            path: path.to_owned(),
            source,
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => {
                let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
                if mode & 0o077 != 0 {
                    return Err(OperatorKeyError::Exposed(path.to_owned()));
                }
                Zeroizing::new(text)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = Zeroizing::new(STANDARD.encode(random_bytes::<KEY>()?.as_slice()));
                durable_file::create(path, text.as_bytes()).map_err(failed)?;
                text
            }
            Err(error) => return Err(failed(error)),
        };
        Self::from_base64(&text).ok_or_else(|| OperatorKeyError::Format(path.to_owned()))
    }

    /// The key in base64, as in the file or in `HALLWAY_OPERATOR_KEY`.
    pub fn from_base64(text: &str) -> Option<Self> {
        let key = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        Some(Self(XChaCha20Poly1305::new_from_slice(&key).ok()?))
    }

    /// Encrypts `secret` under its `name`: a nonce of 24 bytes, then the ciphertext.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn seal(&self, name: &'static str, secret: &[u8]) -> Result<Vec<u8>, OperatorKeyError> {
        let nonce = random_bytes::<NONCE_BYTES>()?;
        let payload = Payload {
            msg: secret,
            aad: name.as_bytes(),
        };
        let sealed = self
            .0
            .encrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| OperatorKeyError::Sealed(name))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts what [`Self::seal`] made under the same `name`.
    ///
    /// # Errors
    /// Another key, another name, or damage.
    pub fn open(
        &self,
        name: &'static str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OperatorKeyError> {
        let (nonce, ciphertext) = sealed
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(OperatorKeyError::Sealed(name))?;
        let payload = Payload {
            msg: ciphertext,
            aad: name.as_bytes(),
        };
        self.0
            .decrypt(&XNonce::from(*nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| OperatorKeyError::Sealed(name))
    }
}

/// `N` bytes from the system's generator.
pub fn random_bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>, OperatorKeyError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(OperatorKeyError::Randomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_opens_what_it_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operator.key");
        let sealed = OperatorKey::load_or_create(&path)
            .unwrap()
            .seal("log", b"secret")
            .unwrap();
        let again = OperatorKey::load_or_create(&path).unwrap();
        assert_eq!(*again.open("log", &sealed).unwrap(), b"secret");
    }

    #[test]
    fn another_name_another_key_and_a_changed_byte_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let key = OperatorKey::load_or_create(&folder.path().join("a")).unwrap();
        let other = OperatorKey::load_or_create(&folder.path().join("b")).unwrap();
        let mut sealed = key.seal("log", b"secret").unwrap();
        assert!(key.open("seal", &sealed).is_err());
        assert!(other.open("log", &sealed).is_err());
        sealed[30] ^= 1;
        assert!(key.open("log", &sealed).is_err());
        assert!(key.open("log", &sealed[..10]).is_err());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operator.key");
        OperatorKey::load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            OperatorKey::load_or_create(&path),
            Err(OperatorKeyError::Exposed(_))
        ));
    }
}
