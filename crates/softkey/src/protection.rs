//! The protection of a key file: a passphrase, or the operator's key.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::digest::{SHA256, digest};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::error::KeyFileError;
use crate::witness::Identity;

/// The secret that opens a key file.
#[derive(Clone)]
pub enum Protection {
    /// A passphrase, stretched with Argon2id.
    Passphrase(Zeroizing<String>),
    /// A key of 32 random bytes that the operator keeps elsewhere.
    OperatorKey(Zeroizing<[u8; 32]>),
}

/// A header: magic, version, kind, Argon2 costs, salt, wrapped data key.
pub(crate) const HEADER_BYTES: usize =
    MAGIC_BYTES + 2 + 12 + SALT_BYTES + NONCE_BYTES + 32 + TAG_BYTES;

const MAGIC_BYTES: usize = 12;
const VERSION: u8 = 1;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Argon2id costs (RFC 9106, section 4, second recommended option).
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;
/// Opening a hostile file costs no more than this.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 64;

/// The kind of a file: the first bytes of its header, to which everything in the file is bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FileKind {
    /// A key file.
    Key,
    /// A backup of passkeys.
    Passkeys,
}

impl FileKind {
    const fn magic(self) -> &'static [u8; MAGIC_BYTES] {
        match self {
            Self::Key => b"hallway key\n",
            Self::Passkeys => b"hallway pks\n",
        }
    }
}

/// The key that wraps data keys, with the part of the header from which it is derived.
pub(crate) struct WrappingKey {
    /// The header from its magic to its salt.
    prefix: Vec<u8>,
    key: Zeroizing<[u8; 32]>,
}

/// The key that records are encrypted under; a new one each time that the file is rewritten.
pub(crate) type DataKey = Zeroizing<[u8; 32]>;

impl WrappingKey {
    /// Makes a wrapping key for a new file.
    pub(crate) fn new(kind: FileKind, protection: &Protection) -> Result<Self, KeyFileError> {
        let mut prefix = kind.magic().to_vec();
        prefix.push(VERSION);
        match protection {
            Protection::Passphrase(_) => {
                prefix.push(1);
                for cost in [MEMORY_KIB, PASSES, LANES] {
                    prefix.extend(cost.to_be_bytes());
                }
            }
            Protection::OperatorKey(_) => {
                prefix.push(2);
                prefix.extend([0; 12]);
            }
        }
        prefix.extend(random::<SALT_BYTES>()?.iter());
        Self::derive(kind, prefix, protection)
    }

    /// Derives the wrapping key as a header says, and opens the header's data key.
    pub(crate) fn open(
        kind: FileKind,
        header: &[u8; HEADER_BYTES],
        protection: &Protection,
    ) -> Result<(Self, DataKey), KeyFileError> {
        let (prefix, wrapped) = header.split_at(HEADER_BYTES - NONCE_BYTES - 32 - TAG_BYTES);
        let wrapping = Self::derive(kind, prefix.to_vec(), protection)?;
        let (nonce, sealed) = wrapped
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(KeyFileError::NotAKeyFile)?;
        let opened = wrapping
            .cipher()
            .decrypt(
                &XNonce::from(*nonce),
                Payload {
                    msg: sealed,
                    aad: prefix,
                },
            )
            .map_err(|_| KeyFileError::WrongProtection)?;
        let opened = Zeroizing::new(opened);
        let key = opened[..]
            .try_into()
            .map_err(|_| KeyFileError::NotAKeyFile)?;
        Ok((wrapping, Zeroizing::new(key)))
    }

    /// Names the file, through all its rewrites: the salt is made once.
    pub(crate) fn identity(&self) -> Identity {
        let mut identity = [0; 32];
        identity.copy_from_slice(digest(&SHA256, &self.prefix).as_ref());
        identity
    }

    /// A new data key, and the header that holds it.
    pub(crate) fn wrap(&self) -> Result<([u8; HEADER_BYTES], DataKey), KeyFileError> {
        let data_key = random::<32>()?;
        let nonce = random::<NONCE_BYTES>()?;
        let sealed = self
            .cipher()
            .encrypt(
                &XNonce::from(*nonce),
                Payload {
                    msg: &data_key[..],
                    aad: &self.prefix,
                },
            )
            .map_err(|_| KeyFileError::Crypto)?;
        let header = [&self.prefix[..], &nonce[..], &sealed].concat();
        let header = header.try_into().map_err(|_| KeyFileError::Crypto)?;
        Ok((header, data_key))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.key).into())
    }

    fn derive(
        file: FileKind,
        prefix: Vec<u8>,
        protection: &Protection,
    ) -> Result<Self, KeyFileError> {
        let rest = prefix
            .strip_prefix(file.magic())
            .ok_or(KeyFileError::NotAKeyFile)?;
        let Some(([version, kind], rest)) = rest.split_first_chunk::<2>() else {
            return Err(KeyFileError::NotAKeyFile);
        };
        if *version != VERSION {
            return Err(KeyFileError::UnknownVersion(*version));
        }
        let (costs, salt) = rest
            .split_first_chunk::<12>()
            .ok_or(KeyFileError::NotAKeyFile)?;
        let key = match (kind, protection) {
            (1, Protection::Passphrase(passphrase)) => stretch(passphrase, costs, salt)?,
            (2, Protection::OperatorKey(key)) => key.clone(),
            (1, _) => return Err(KeyFileError::WantsPassphrase),
            (2, _) => return Err(KeyFileError::WantsOperatorKey),
            _ => return Err(KeyFileError::NotAKeyFile),
        };
        Ok(Self { prefix, key })
    }
}

fn stretch(
    passphrase: &str,
    costs: &[u8; 12],
    salt: &[u8],
) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let mut all = costs
        .chunks_exact(4)
        .map(|c| c.iter().fold(0u32, |v, byte| v << 8 | u32::from(*byte)));
    let (Some(memory), Some(passes), Some(lanes)) = (all.next(), all.next(), all.next()) else {
        return Err(KeyFileError::NotAKeyFile);
    };
    if memory > MAX_MEMORY_KIB || passes > MAX_PASSES {
        return Err(KeyFileError::NotAKeyFile);
    }
    let params =
        Params::new(memory, passes, lanes, Some(32)).map_err(|_| KeyFileError::NotAKeyFile)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut key[..])
        .map_err(|_| KeyFileError::Crypto)?;
    Ok(key)
}

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, KeyFileError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut bytes[..]).map_err(|_| KeyFileError::Crypto)?;
    Ok(bytes)
}
