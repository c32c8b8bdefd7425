//! Signatures, behind one trait: aws-lc-rs on a host, RustCrypto without std.

mod private_key;
mod rust_crypto;

pub use private_key::{PrivateKey, PrivateKeyError};
pub use rust_crypto::RustCrypto;

use alloc::vec::Vec;

use hallway_ctap::cose::Algorithm;

/// Why a signature or a public key could not be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature algorithm is not supported, or the private key is not one of its own")]
pub struct SignatureError;

/// Computes public keys and signatures.
pub trait Signatures {
    /// The supported algorithms, in order of preference.
    fn algorithms(&self) -> &'static [Algorithm];

    /// The COSE_Key of a private key.
    ///
    /// # Errors
    /// [`SignatureError`].
    fn public_key(&mut self, key: &PrivateKey) -> Result<Vec<u8>, SignatureError>;

    /// Signs `message` in the form that WebAuthn wants (Level 3, section 6.5.5): ECDSA as ASN.1.
    ///
    /// # Errors
    /// [`SignatureError`].
    fn sign(&mut self, key: &PrivateKey, message: &[u8]) -> Result<Vec<u8>, SignatureError>;

    /// Signs a message of which only the SHA-256 digest is known: ECDSA on P-256, as ASN.1.
    ///
    /// # Errors
    /// [`SignatureError`], for a key of another curve too.
    fn sign_digest(
        &mut self,
        key: &PrivateKey,
        digest: &[u8; 32],
    ) -> Result<Vec<u8>, SignatureError>;
}
