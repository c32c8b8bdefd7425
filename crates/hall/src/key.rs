//! The keys that certificates of a hall are made for: P-256, and in memory.

use std::sync::Arc;

use hallway_evidence::statement::hall::{P256PublicKey, PublicKeyError};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use tokio_rustls::rustls::sign::SigningKey;
use zeroize::Zeroizing;

/// Why a key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Its public part.
    #[error(transparent)]
    Public(#[from] PublicKeyError),
    /// Not a P-256 key as PKCS#8.
    #[error("the private key is not a P-256 key as PKCS#8: {0}")]
    Private(String),
}

/// A key pair. The private part is wiped when it goes.
pub struct HallKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public: P256PublicKey,
    signing: Arc<dyn SigningKey>,
}

impl HallKey {
    /// Makes a fresh one.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map_err(|error| KeyError::Private(error.to_string()))?;
        Self::from_pkcs8(&Zeroizing::new(pair.serialize_der()))
    }

    /// Reads one that was kept, as an agent keeps its own.
    ///
    /// # Errors
    /// It is no P-256 key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let private = PrivatePkcs8KeyDer::from(der);
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&private, &PKCS_ECDSA_P256_SHA256)
            .map_err(|error| KeyError::Private(error.to_string()))?;
        let public =
            P256PublicKey::from_der(&rcgen::PublicKeyData::subject_public_key_info(&pair))?;
        let signing = any_ecdsa_type(&PrivateKeyDer::Pkcs8(private.clone_key()))
            .map_err(|error| KeyError::Private(error.to_string()))?;
        Ok(Self {
            pkcs8: Zeroizing::new(der.to_vec()),
            public,
            signing,
        })
    }

    /// The private part as PKCS#8 DER, for keeping.
    #[must_use]
    pub fn as_pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The public part.
    #[must_use]
    pub fn public(&self) -> &P256PublicKey {
        &self.public
    }

    pub(crate) fn signing(&self) -> Arc<dyn SigningKey> {
        Arc::clone(&self.signing)
    }
}

impl std::fmt::Debug for HallKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HallKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_kept_is_the_same_key() {
        let key = HallKey::generate().unwrap();
        let again = HallKey::from_pkcs8(key.as_pkcs8()).unwrap();
        assert_eq!(again.public(), key.public());
    }

    #[test]
    fn debugging_shows_nothing_of_a_key() {
        let key = HallKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), "HallKey { .. }");
    }
}
