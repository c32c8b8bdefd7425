//! The public key to which a grant is bound.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use serde::{Serialize, Serializer};

use crate::fields::{FromValue, Unfit, Value};
use crate::hash::{Hash, sha256};

/// A P-256 public key as SubjectPublicKeyInfo (RFC 5480, 2), the DER that a certificate carries:
/// 91 bytes, the point uncompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct P256PublicKey([u8; Self::BYTES]);

/// The bytes are not such a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the public key is not a P-256 key as SubjectPublicKeyInfo (91 bytes of DER)")]
pub struct PublicKeyError;

/// SEQUENCE { SEQUENCE { id-ecPublicKey, secp256r1 }, BIT STRING of an uncompressed point }, up to
/// and including the point's 0x04.
const PREFIX: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

impl P256PublicKey {
    /// The length of the DER, in bytes.
    pub const BYTES: usize = 91;

    /// Takes DER of the right form whose point is on the curve.
    ///
    /// # Errors
    /// [`PublicKeyError`].
    pub fn from_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        let key = <[u8; Self::BYTES]>::try_from(der).map_err(|_| PublicKeyError)?;
        if !key.starts_with(&PREFIX) {
            return Err(PublicKeyError);
        }
        let point = &key[PREFIX.len() - 1..];
        ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).map_err(|_| PublicKeyError)?;
        Ok(Self(key))
    }

    /// The SubjectPublicKeyInfo.
    #[must_use]
    pub const fn as_der(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// SHA-256 of the SubjectPublicKeyInfo: how a grant's key is named.
    #[must_use]
    pub fn sha256(&self) -> Hash {
        sha256(&self.0)
    }
}

impl<'a> From<&'a P256PublicKey> for Value<'a> {
    fn from(key: &'a P256PublicKey) -> Self {
        Self::Bytes(&key.0)
    }
}

impl<'a> FromValue<'a> for P256PublicKey {
    fn from_value(value: Value<'a>) -> Result<Self, Unfit> {
        Self::from_der(<&[u8]>::from_value(value)?)
            .map_err(|_| Unfit::Value("is not a P-256 SubjectPublicKeyInfo"))
    }
}

impl Serialize for P256PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_one_that_certificates_carry() {
        use rcgen::{KeyPair, PublicKeyData as _};
        let der = KeyPair::generate().unwrap().subject_public_key_info();
        assert_eq!(P256PublicKey::from_der(&der).unwrap().as_der()[..], der);
        assert_eq!(P256PublicKey::from_der(&der[1..]), Err(PublicKeyError));
        for (what, at) in [("another curve", 22), ("off the curve", 90)] {
            let mut other = der.clone();
            other[at] ^= 1;
            assert_eq!(
                P256PublicKey::from_der(&other),
                Err(PublicKeyError),
                "{what}"
            );
        }
    }
}
