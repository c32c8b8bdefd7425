//! Private keys as bytes, the same for every implementation of [`Signatures`](super::Signatures).

use alloc::vec;
use alloc::vec::Vec;

use hallway_ctap::cose::{Algorithm, Curve};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// A private key: a scalar of the curve's length, big-endian, or a seed of 32 bytes for Ed25519
/// and ML-DSA.
#[derive(Clone)]
pub struct PrivateKey {
    algorithm: Algorithm,
    bytes: Zeroizing<Vec<u8>>,
}

/// Bytes are not a private key of the algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a private key for {0}")]
pub struct PrivateKeyError(pub Algorithm);

/// The orders of the curves, big-endian.
const P256: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
const SECP256K1: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];
const P384: [u8; 48] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
    0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
];
const P521: [u8; 66] = [
    0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xfa, 0x51, 0x86, 0x87, 0x83, 0xbf, 0x2f, 0x96, 0x6b, 0x7f, 0xcc, 0x01, 0x48, 0xf7, 0x09,
    0xa5, 0xd0, 0x3b, 0xb5, 0xc9, 0xb8, 0x89, 0x9c, 0x47, 0xae, 0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38,
    0x64, 0x09,
];

/// The order of a curve whose private keys are scalars.
const fn order(curve: Curve) -> Option<&'static [u8]> {
    match curve {
        Curve::P256 => Some(&P256),
        Curve::P384 => Some(&P384),
        Curve::P521 => Some(&P521),
        Curve::Secp256k1 => Some(&SECP256K1),
        Curve::Ed25519 | Curve::Ed448 => None,
    }
}

impl PrivateKey {
    /// Takes the bytes of a private key.
    ///
    /// # Errors
    /// [`PrivateKeyError`] for a wrong length, zero, or a scalar that is not below the order.
    pub fn new(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, PrivateKeyError> {
        let valid = match algorithm.curve().and_then(order) {
            Some(order) => {
                bytes.len() == order.len() && bytes < order && bytes.iter().any(|byte| *byte != 0)
            }
            None => bytes.len() == 32,
        };
        if !valid {
            return Err(PrivateKeyError(algorithm));
        }
        Ok(Self {
            algorithm,
            bytes: Zeroizing::new(bytes.to_vec()),
        })
    }

    /// Expands a credential's secret into the private key of its algorithm: HKDF-SHA-256, and for
    /// curves the first of its outputs that is a scalar (FIPS 186-5, A.2.2: by rejection).
    ///
    /// # Errors
    /// [`PrivateKeyError`] for an algorithm that this authenticator never uses.
    pub fn derive(algorithm: Algorithm, secret: &[u8; 32]) -> Result<Self, PrivateKeyError> {
        let hkdf = Hkdf::<Sha256>::new(None, secret);
        let length = algorithm.curve().and_then(order).map_or(32, <[u8]>::len);
        let mut bytes = Zeroizing::new(vec![0; length]);
        for attempt in 0..=u8::MAX {
            // Both names of an algorithm, such as ES256 and ESP256, give the same key.
            let name = match algorithm.curve() {
                Some(curve) => curve.id(),
                None => algorithm.id(),
            };
            hkdf.expand_multi_info(
                &[b"hallway credential key", &name.to_be_bytes(), &[attempt]],
                &mut bytes,
            )
            .map_err(|_| PrivateKeyError(algorithm))?;
            if algorithm.curve() == Some(Curve::P521) {
                bytes[0] &= 1;
            }
            if let Ok(key) = Self::new(algorithm, &bytes) {
                return Ok(key);
            }
        }
        Err(PrivateKeyError(algorithm))
    }

    /// The algorithm that the key signs with.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The scalar or the seed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_at_and_above_the_order_are_refused() {
        let mut bytes = P256;
        assert!(PrivateKey::new(Algorithm::Es256, &bytes).is_err());
        bytes[31] -= 1;
        assert!(PrivateKey::new(Algorithm::Es256, &bytes).is_ok());
        assert!(PrivateKey::new(Algorithm::Es256, &[0; 32]).is_err());
        assert!(PrivateKey::new(Algorithm::Es256, &[1; 31]).is_err());
        assert!(PrivateKey::new(Algorithm::EdDsa, &[0; 32]).is_ok());
    }

    #[test]
    fn every_algorithm_has_a_key_for_every_secret() {
        for algorithm in [
            Algorithm::Es256,
            Algorithm::Es384,
            Algorithm::Es512,
            Algorithm::Es256K,
            Algorithm::EdDsa,
            Algorithm::MlDsa44,
        ] {
            for byte in 0..50 {
                PrivateKey::derive(algorithm, &[byte; 32]).unwrap();
            }
        }
    }

    #[test]
    fn both_names_of_an_algorithm_give_the_same_key() {
        let key = |algorithm| PrivateKey::derive(algorithm, &[9; 32]).unwrap();
        assert_eq!(
            key(Algorithm::Es256).bytes(),
            key(Algorithm::Esp256).bytes()
        );
        assert_ne!(
            key(Algorithm::Es256).bytes(),
            key(Algorithm::Es256K).bytes()
        );
    }
}
