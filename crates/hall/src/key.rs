//! The keys that certificates of a hall are made for: P-256, and in memory.

use std::sync::Arc;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use tokio_rustls::rustls::sign::SigningKey;
use zeroize::Zeroizing;

/// The fixed head of a P-256 SubjectPublicKeyInfo (RFC 5480): algorithm, curve, and the point's
/// header up to its 0x04.
const P256_SPKI_HEAD: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
const P256_SPKI: usize = P256_SPKI_HEAD.len() + 64;

/// Why a key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not an uncompressed P-256 SubjectPublicKeyInfo of 91 bytes, or its point is off the curve.
    #[error("the public key is not a P-256 key as SubjectPublicKeyInfo (91 bytes of DER)")]
    Public,
    /// Not a P-256 key as PKCS#8.
    #[error("the private key is not a P-256 key as PKCS#8: {0}")]
    Private(String),
}

/// The public part: a P-256 SubjectPublicKeyInfo, 91 bytes of DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey([u8; P256_SPKI]);

impl PublicKey {
    /// Reads and checks it.
    ///
    /// # Errors
    /// [`KeyError::Public`].
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let spki: [u8; P256_SPKI] = der.try_into().map_err(|_| KeyError::Public)?;
        let point = spki
            .strip_prefix(&P256_SPKI_HEAD[..26])
            .ok_or(KeyError::Public)?;
        aws_lc_rs::signature::ParsedPublicKey::new(
            &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1,
            point,
        )
        .map_err(|_| KeyError::Public)?;
        Ok(Self(spki))
    }

    /// The DER.
    #[must_use]
    pub fn as_spki(&self) -> &[u8] {
        &self.0
    }
}

/// A key pair. The private part is wiped when it goes.
pub struct HallKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
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
        let public = PublicKey::from_spki(&rcgen::PublicKeyData::subject_public_key_info(&pair))?;
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
    pub fn public(&self) -> &PublicKey {
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
    fn only_points_of_the_curve_are_public_keys() {
        let good = HallKey::generate().unwrap().public().as_spki().to_vec();
        assert!(PublicKey::from_spki(&good).is_ok());
        let mut off_curve = good.clone();
        off_curve[90] ^= 1;
        let mut other_curve = good.clone();
        other_curve[22] ^= 1;
        for bad in [&good[..90], &off_curve, &other_curve, &[]] {
            assert!(PublicKey::from_spki(bad).is_err());
        }
    }

    #[test]
    fn debugging_shows_nothing_of_a_key() {
        let key = HallKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), "HallKey { .. }");
    }
}
