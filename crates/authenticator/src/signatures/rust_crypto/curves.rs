//! ECDSA on the curves that are not P-256.

/// The same few lines for each curve, whose types have the same names.
macro_rules! curve {
    ($name:ident, $curve:ident) => {
        pub(super) mod $name {
            use alloc::vec::Vec;

            use hallway_ctap::cose::PublicKey;
            use $curve::ecdsa::signature::Signer;
            use $curve::ecdsa::{DerSignature, SigningKey};

            use crate::signatures::{PrivateKey, SignatureError};

            fn load(key: &PrivateKey) -> Result<SigningKey, SignatureError> {
                SigningKey::from_slice(key.bytes()).map_err(|_| SignatureError)
            }

            pub(crate) fn public_key(key: &PrivateKey) -> Result<Vec<u8>, SignatureError> {
                let point = load(key)?.verifying_key().to_sec1_point(false);
                let (Some(x), Some(y)) = (point.x(), point.y()) else {
                    return Err(SignatureError);
                };
                let algorithm = key.algorithm();
                Ok(PublicKey::Ec2 { algorithm, x, y }.encode())
            }

            pub(crate) fn sign(
                key: &PrivateKey,
                message: &[u8],
            ) -> Result<Vec<u8>, SignatureError> {
                let signature: DerSignature =
                    load(key)?.try_sign(message).map_err(|_| SignatureError)?;
                Ok(signature.as_bytes().to_vec())
            }
        }
    };
}

#[cfg(feature = "es384")]
curve!(es384, p384);
#[cfg(feature = "es512")]
curve!(es512, p521);
#[cfg(feature = "es256k")]
curve!(es256k, k256);
