//! The persistent PIN/UV auth token, with which a platform may list credentials for as long as the
//! PIN stays the same, and the two members of getInfo that only its holders can read
//! (CTAP 2.3, sections 6.4 and 6.5.2.1).

use alloc::vec::Vec;

use aes::Aes128;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::platform::{
    Change, Environment, Platform, RandomnessError, RecordKey, Storage, StorageError,
};

/// The token, and the state that changes whenever a discoverable credential does.
pub(crate) struct PersistentToken {
    pub(crate) bytes: Zeroizing<[u8; 32]>,
    pub(crate) store_state: [u8; 16],
}

impl PersistentToken {
    /// Reads the records at power-up; `None` on first start.
    pub(crate) fn read(storage: &impl Storage) -> Result<Option<Self>, StorageError> {
        let (Some(token), Some(state)) = (
            storage.read(RecordKey::PERSISTENT_TOKEN)?,
            storage.read(RecordKey::STORE_STATE)?,
        ) else {
            return Ok(None);
        };
        let bytes: &[u8; 32] = token[..].try_into().map_err(|_| StorageError::Fault)?;
        Ok(Some(Self {
            bytes: Zeroizing::new(*bytes),
            store_state: state[..].try_into().map_err(|_| StorageError::Fault)?,
        }))
    }

    pub(crate) fn generate<E: Environment>(
        platform: &mut Platform<E>,
    ) -> Result<Self, RandomnessError> {
        Ok(Self {
            bytes: platform.random::<32>()?,
            store_state: *platform.random::<16>()?,
        })
    }

    /// The changes that store the token and the state.
    pub(crate) fn changes(&self) -> [Change<'_>; 2] {
        [
            Change::Put(RecordKey::PERSISTENT_TOKEN, &self.bytes[..]),
            Change::Put(RecordKey::STORE_STATE, &self.store_state),
        ]
    }

    /// `iv || AES-128-CBC(HKDF-SHA-256(token, info), value)`.
    pub(crate) fn encrypt(&self, info: &[u8], value: &[u8; 16], iv: &[u8; 16]) -> Option<Vec<u8>> {
        let mut key = Zeroizing::new([0; 16]);
        Hkdf::<Sha256>::new(Some(&[0; 32]), &self.bytes[..])
            .expand(info, &mut key[..])
            .ok()?;
        let mut out = [&iv[..], value].concat();
        cbc::Encryptor::<Aes128>::new_from_slices(&key[..], iv)
            .ok()?
            .encrypt_padded::<NoPadding>(&mut out[16..], 16)
            .ok()?;
        Some(out)
    }
}
