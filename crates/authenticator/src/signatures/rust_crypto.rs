//! Signatures by RustCrypto, for machines without std.

use alloc::vec::Vec;

use ed25519_dalek::Signer;
use hallway_ctap::cose::{Algorithm, PublicKey};
use p256::ecdsa::{DerSignature, SigningKey};

use super::{PrivateKey, SignatureError, Signatures};

/// Pure Rust: P-256 and Ed25519.
#[derive(Clone, Copy, Default, Debug)]
pub struct RustCrypto;

impl Signatures for RustCrypto {
    fn algorithms(&self) -> &'static [Algorithm] {
        &[
            Algorithm::Es256,
            Algorithm::EdDsa,
            Algorithm::Esp256,
            Algorithm::Ed25519,
        ]
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
            _ => Err(SignatureError),
        }
    }
}

fn p256_key(key: &PrivateKey) -> Result<SigningKey, SignatureError> {
    SigningKey::from_slice(key.bytes()).map_err(|_| SignatureError)
}

fn ed25519_key(key: &PrivateKey) -> Result<ed25519_dalek::SigningKey, SignatureError> {
    let seed = key.bytes().try_into().map_err(|_| SignatureError)?;
    Ok(ed25519_dalek::SigningKey::from_bytes(seed))
}
