//! The keys that certificates of a hall are made for: P-256, and in memory.

use std::sync::Arc;

use hallway_evidence::statement::hall::{P256PublicKey, PublicKeyError};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use tokio_rustls::rustls::sign::SigningKey;
use zeroize::Zeroizing;

/// The DER before the 32 bytes of a P-256 key in PKCS#8 (RFC 5958, section 2, around RFC 5915,
/// section 3, without the public key, which follows from the private one).
const PKCS8_P256: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01,
    0x01, 0x04, 0x20,
];

/// Why a key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The public part is invalid.
    #[error(transparent)]
    Public(#[from] PublicKeyError),
    /// Not a P-256 key as PKCS#8.
    #[error("the private key is not a P-256 key as PKCS#8: {0}")]
    Private(String),
}

/// A key pair. The private part is wiped from memory when it is dropped.
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

    /// The key whose private part is this number, big-endian.
    ///
    /// # Errors
    /// The number is zero or beyond the order of the curve, as one number in four thousand million
    /// is.
    pub fn from_scalar(scalar: &[u8; 32]) -> Result<Self, KeyError> {
        let mut der = Zeroizing::new(Vec::with_capacity(PKCS8_P256.len() + scalar.len()));
        der.extend_from_slice(&PKCS8_P256);
        der.extend_from_slice(scalar);
        Self::from_pkcs8(&der)
    }

    /// Reads one that was stored, as an agent stores its own.
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

    /// The private part as PKCS#8 DER, to be stored.
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
    fn a_number_gives_the_key_that_the_curve_says() {
        // RFC 6979, appendix A.2.5: the key of its examples for P-256.
        let scalar = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
        let x = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6";
        let scalar: [u8; 32] = hex::decode(scalar).unwrap().try_into().unwrap();
        let key = HallKey::from_scalar(&scalar).unwrap();
        // SubjectPublicKeyInfo of 91 bytes: the point's x begins after 27 of them.
        assert_eq!(hex::encode(&key.public().as_der()[27..59]), x);
        assert!(HallKey::from_scalar(&[0; 32]).is_err());
        assert!(HallKey::from_scalar(&[0xff; 32]).is_err());
    }

    #[test]
    fn debugging_shows_nothing_of_a_key() {
        let key = HallKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), "HallKey { .. }");
    }
}
