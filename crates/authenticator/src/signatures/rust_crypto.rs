//! Signatures by RustCrypto, for machines without std.

#[cfg(any(feature = "es384", feature = "es512", feature = "es256k"))]
mod curves;
#[cfg(feature = "ml-dsa")]
mod ml_dsa;

use alloc::vec::Vec;

use ed25519_dalek::Signer;
use hallway_ctap::cose::{Algorithm, Curve, PublicKey};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{DerSignature, SigningKey};

use super::{PrivateKey, SignatureError, Signatures};

/// Pure Rust: P-256 and Ed25519; other curves and ML-DSA by the features `es384`, `es512`,
/// `es256k` and `ml-dsa`.
#[derive(Clone, Copy, Default, Debug)]
pub struct RustCrypto;

/// In order of preference.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::Es256,
    Algorithm::EdDsa,
    #[cfg(feature = "es384")]
    Algorithm::Es384,
    #[cfg(feature = "es512")]
    Algorithm::Es512,
    #[cfg(feature = "es256k")]
    Algorithm::Es256K,
    Algorithm::Esp256,
    Algorithm::Ed25519,
    #[cfg(feature = "es384")]
    Algorithm::Esp384,
    #[cfg(feature = "es512")]
    Algorithm::Esp512,
    #[cfg(feature = "ml-dsa")]
    Algorithm::MlDsa44,
    #[cfg(feature = "ml-dsa")]
    Algorithm::MlDsa65,
    #[cfg(feature = "ml-dsa")]
    Algorithm::MlDsa87,
];

impl Signatures for RustCrypto {
    fn algorithms(&self) -> &'static [Algorithm] {
        ALGORITHMS
    }

    fn public_key(&mut self, key: &PrivateKey) -> Result<Vec<u8>, SignatureError> {
        let algorithm = key.algorithm();
        match algorithm {
            Algorithm::Es256 | Algorithm::Esp256 => {
                let point = p256_key(key)?.verifying_key().to_sec1_point(false);
                let (Some(x), Some(y)) = (point.x(), point.y()) else {
                    return Err(SignatureError);
                };
                Ok(PublicKey::Ec2 { algorithm, x, y }.encode())
            }
            Algorithm::EdDsa | Algorithm::Ed25519 => {
                let x = ed25519_key(key)?.verifying_key().to_bytes();
                Ok(PublicKey::Okp { algorithm, x: &x }.encode())
            }
            #[cfg(feature = "es384")]
            Algorithm::Es384 | Algorithm::Esp384 => curves::es384::public_key(key),
            #[cfg(feature = "es512")]
            Algorithm::Es512 | Algorithm::Esp512 => curves::es512::public_key(key),
            #[cfg(feature = "es256k")]
            Algorithm::Es256K => curves::es256k::public_key(key),
            #[cfg(feature = "ml-dsa")]
            Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => ml_dsa::public_key(key),
            _ => Err(SignatureError),
        }
    }

    fn sign(&mut self, key: &PrivateKey, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        match key.algorithm() {
            Algorithm::Es256 | Algorithm::Esp256 => {
                let signature: DerSignature = p256_key(key)?
                    .try_sign(message)
                    .map_err(|_| SignatureError)?;
                Ok(signature.as_bytes().to_vec())
            }
            Algorithm::EdDsa | Algorithm::Ed25519 => {
                Ok(ed25519_key(key)?.sign(message).to_bytes().to_vec())
            }
            #[cfg(feature = "es384")]
            Algorithm::Es384 | Algorithm::Esp384 => curves::es384::sign(key, message),
            #[cfg(feature = "es512")]
            Algorithm::Es512 | Algorithm::Esp512 => curves::es512::sign(key, message),
            #[cfg(feature = "es256k")]
            Algorithm::Es256K => curves::es256k::sign(key, message),
            #[cfg(feature = "ml-dsa")]
            Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => {
                ml_dsa::sign(key, message)
            }
            _ => Err(SignatureError),
        }
    }

    fn sign_digest(
        &mut self,
        key: &PrivateKey,
        digest: &[u8; 32],
    ) -> Result<Vec<u8>, SignatureError> {
        if key.algorithm().curve() != Some(Curve::P256) {
            return Err(SignatureError);
        }
        let signature: DerSignature = p256_key(key)?
            .sign_prehash(digest)
            .map_err(|_| SignatureError)?;
        Ok(signature.as_bytes().to_vec())
    }
}

fn p256_key(key: &PrivateKey) -> Result<SigningKey, SignatureError> {
    SigningKey::from_slice(key.bytes()).map_err(|_| SignatureError)
}

fn ed25519_key(key: &PrivateKey) -> Result<ed25519_dalek::SigningKey, SignatureError> {
    let seed = key.bytes().try_into().map_err(|_| SignatureError)?;
    Ok(ed25519_dalek::SigningKey::from_bytes(seed))
}
