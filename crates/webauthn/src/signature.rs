//! Signature checks: COSE algorithms and X.509 signature algorithms over one table.
//!
//! The curve is bound to the algorithm, unknown combinations are refused, and SHA-1 is reachable
//! only for what a TPM signs.

mod ecdsa_der;
mod ed448;
mod key;
mod message;
mod scheme;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    self as lc, ParsedPublicKey, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use hallway_ctap::cose::{Algorithm, PublicKey};

pub(crate) use self::ecdsa_der::{ecdsa_der, ecdsa_der_of};
pub(crate) use self::key::{Key, without_leading_zeros};
pub(crate) use self::message::Message;
pub(crate) use self::scheme::{Hash, Scheme};
use self::scheme::{ecdsa, ml_dsa, name, rsa};

/// Why a signature is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The signature does not verify, or the key is not a valid key.
    #[error("the {0} signature does not verify")]
    Invalid(&'static str),
    /// The algorithm is not for this use, or does not go with the key.
    #[error("a signature by {0} is not accepted here")]
    Unsupported(&'static str),
}

/// Checks an assertion or self attestation: the algorithm is the key's own, and not RS1.
pub(crate) fn verify(
    key: &PublicKey<'_>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let algorithm = key.algorithm();
    let unsupported = SignatureError::Unsupported(algorithm.name());
    if algorithm == Algorithm::Rs1 {
        return Err(unsupported);
    }
    let (Some(scheme), Some(material)) = (Scheme::of(algorithm), Key::from_cose(key)) else {
        return Err(unsupported);
    };
    verify_raw(scheme, &material, message, signature)
}

/// Checks a signature that names its COSE algorithm, by a key from a certificate. The certificate's
/// curve must be the algorithm's.
pub(crate) fn verify_named(
    algorithm: Algorithm,
    key: &Key<'_>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    if algorithm == Algorithm::Rs1 {
        return Err(SignatureError::Unsupported(algorithm.name()));
    }
    verify_tpm(algorithm, key, message, signature)
}

/// [`verify_named`], with RS1 among the algorithms: old TPMs sign by nothing else.
pub(crate) fn verify_tpm(
    algorithm: Algorithm,
    key: &Key<'_>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let unsupported = SignatureError::Unsupported(algorithm.name());
    let Some(scheme) = Scheme::of(algorithm) else {
        return Err(unsupported);
    };
    if algorithm.curve() != key.curve() {
        return Err(unsupported);
    }
    verify_raw(scheme, key, message, signature)
}

/// The hash function that an algorithm applies to its message; `None` where it has none of its own.
pub(crate) const fn hash(algorithm: Algorithm) -> Option<&'static digest::Algorithm> {
    let hash = match Scheme::of(algorithm) {
        Some(Scheme::Ecdsa(hash) | Scheme::RsaPkcs1(hash) | Scheme::RsaPss(hash)) => hash,
        _ => return None,
    };
    Some(match hash {
        Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
    })
}

/// Whether a key's point lies on its curve (SEC 1, 3.2.2.1); true for keys that are not points on
/// a Weierstrass curve. Verification checks the same; a key that never verifies should not be
/// registered in the first place.
pub(crate) fn is_on_curve(key: &PublicKey<'_>) -> bool {
    let PublicKey::Ec2 { algorithm, x, y } = *key else {
        return true;
    };
    let Some((curve, Scheme::Ecdsa(hash))) = algorithm.curve().zip(Scheme::of(algorithm)) else {
        return false;
    };
    let mut buffer = [0u8; 133];
    ecdsa(curve, hash)
        .zip(uncompressed(&mut buffer, x, y))
        .is_some_and(|(algorithm, point)| ParsedPublicKey::new(algorithm, point).is_ok())
}

/// Checks a signature by scheme and key. This is where every check in this crate ends.
pub(crate) fn verify_raw(
    scheme: Scheme,
    key: &Key<'_>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let name = name(scheme);
    let invalid = |_| SignatureError::Invalid(name);
    match (scheme, *key) {
        (Scheme::Ecdsa(hash), Key::Ec { curve, x, y }) => {
            let mut buffer = [0u8; 133];
            let point = uncompressed(&mut buffer, x, y).ok_or(SignatureError::Invalid(name))?;
            let algorithm = ecdsa(curve, hash).ok_or(SignatureError::Unsupported(name))?;
            unparsed(algorithm, point, message, signature).map_err(invalid)
        }
        (Scheme::Ecdsa(hash), Key::EcPoint { curve, point }) => {
            let algorithm = ecdsa(curve, hash).ok_or(SignatureError::Unsupported(name))?;
            unparsed(algorithm, point, message, signature).map_err(invalid)
        }
        (Scheme::Ed25519, Key::Ed25519(x)) => {
            unparsed(&lc::ED25519, x, message, signature).map_err(invalid)
        }
        (Scheme::Ed448, Key::Ed448(x)) => {
            ed448::verify(x, message, signature).ok_or(SignatureError::Invalid(name))
        }
        (Scheme::RsaPkcs1(_) | Scheme::RsaPss(_), Key::Rsa { n, e }) => {
            RsaPublicKeyComponents { n, e }
                .verify(
                    rsa(scheme).ok_or(SignatureError::Unsupported(name))?,
                    message,
                    signature,
                )
                .map_err(invalid)
        }
        (Scheme::MlDsa(expected), Key::MlDsa { algorithm, key }) if expected == algorithm => {
            let algorithm = ml_dsa(algorithm).ok_or(SignatureError::Unsupported(name))?;
            unparsed(algorithm, key, message, signature).map_err(invalid)
        }
        _ => Err(SignatureError::Unsupported(name)),
    }
}

fn unparsed(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), aws_lc_rs::error::Unspecified> {
    UnparsedPublicKey::new(algorithm, key).verify(message, signature)
}

/// 04, x, y (SEC 1, 2.3.3), in `buffer`, which holds the largest curve's point.
fn uncompressed<'b>(buffer: &'b mut [u8; 133], x: &[u8], y: &[u8]) -> Option<&'b [u8]> {
    let middle = 1 + x.len();
    let end = middle + y.len();
    buffer[0] = 4;
    buffer.get_mut(1..middle)?.copy_from_slice(x);
    buffer.get_mut(middle..end)?.copy_from_slice(y);
    buffer.get(..end)
}

#[cfg(test)]
mod wycheproof;

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair};
    use hallway_ctap::cose::Curve;

    use super::*;

    fn es256(sign: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let pair = EcdsaKeyPair::generate(&lc::ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let signature = pair.sign(&SystemRandom::new(), sign).unwrap();
        (
            pair.public_key().as_ref().to_vec(),
            signature.as_ref().to_vec(),
        )
    }

    #[test]
    fn es256_verifies_and_every_flipped_bit_of_the_message_is_seen() {
        let (point, signature) = es256(b"message");
        let key = PublicKey::Ec2 {
            algorithm: Algorithm::Es256,
            x: &point[1..33],
            y: &point[33..],
        };
        assert_eq!(verify(&key, b"message", &signature), Ok(()));
        assert_eq!(
            verify(&key, b"messagf", &signature),
            Err(SignatureError::Invalid("ECDSA with SHA-256"))
        );
        assert!(verify(&key, b"message", &signature[1..]).is_err());
    }

    #[test]
    fn only_points_on_the_curve_may_be_registered() {
        let (public, _) = es256(b"message");
        let key = PublicKey::Ec2 {
            algorithm: Algorithm::Es256,
            x: &public[1..33],
            y: &public[33..],
        };
        assert!(is_on_curve(&key));
        let off = PublicKey::Ec2 {
            algorithm: Algorithm::Es256,
            x: &public[33..],
            y: &public[1..33],
        };
        assert!(!is_on_curve(&off));
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let (point, signature) = es256(b"message");
        let mut y = point[33..].to_vec();
        y[31] ^= 1;
        let key = PublicKey::Ec2 {
            algorithm: Algorithm::Es256,
            x: &point[1..33],
            y: &y,
        };
        assert!(verify(&key, b"message", &signature).is_err());
    }

    #[test]
    fn ed25519_verifies_by_both_names() {
        let pair = Ed25519KeyPair::generate().unwrap();
        let signature = pair.sign(b"message");
        for algorithm in [Algorithm::EdDsa, Algorithm::Ed25519] {
            let key = PublicKey::Okp {
                algorithm,
                x: pair.public_key().as_ref(),
            };
            assert_eq!(verify(&key, b"message", signature.as_ref()), Ok(()));
            assert!(verify(&key, b"massage", signature.as_ref()).is_err());
        }
    }

    #[test]
    fn rs1_is_for_tpms_alone() {
        let key = PublicKey::Rsa {
            algorithm: Algorithm::Rs1,
            n: &[0xff; 256],
            e: &[1, 0, 1],
        };
        let unsupported = Err(SignatureError::Unsupported("RS1"));
        assert_eq!(verify(&key, b"m", &[0; 256]), unsupported);
        let key = Key::from_cose(&key).unwrap();
        let named = verify_named(Algorithm::Rs1, &key, b"m", &[0; 256]);
        assert_eq!(named, unsupported);
        // For a TPM the signature is checked, and does not verify.
        assert_eq!(
            verify_tpm(Algorithm::Rs1, &key, b"m", &[0; 256]),
            Err(SignatureError::Invalid("RSA PKCS #1 with SHA-1"))
        );
    }

    #[test]
    fn a_named_algorithm_must_have_the_curve_of_the_certificate() {
        let (point, signature) = es256(b"message");
        let key = Key::EcPoint {
            curve: Curve::P256,
            point: &point,
        };
        assert_eq!(
            verify_named(Algorithm::Es256, &key, b"message", &signature),
            Ok(())
        );
        // ES256K has the same hash: only the curve tells them apart.
        for other in [
            Algorithm::Es256K,
            Algorithm::Es384,
            Algorithm::Rs256,
            Algorithm::EdDsa,
        ] {
            assert_eq!(
                verify_named(other, &key, b"message", &signature),
                Err(SignatureError::Unsupported(other.name()))
            );
        }
    }

    #[test]
    fn a_key_of_another_parameter_set_is_not_even_tried() {
        let key = Key::MlDsa {
            algorithm: Algorithm::MlDsa65,
            key: &[0; 1952],
        };
        assert_eq!(
            verify_raw(Scheme::MlDsa(Algorithm::MlDsa44), &key, b"m", &[0; 2420]),
            Err(SignatureError::Unsupported("ML-DSA-44"))
        );
    }
}
