//! ML-DSA (FIPS 204), with an empty context, as COSE wants it (RFC 9964).

use alloc::vec::Vec;

use hallway_ctap::cose::{Algorithm, PublicKey};
use ml_dsa::signature::{Keypair, Signer};
use ml_dsa::{MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Seed, SigningKey};
use zeroize::Zeroizing;

use crate::signatures::{PrivateKey, SignatureError};

pub(super) fn public_key(key: &PrivateKey) -> Result<Vec<u8>, SignatureError> {
    let encoded = match key.algorithm() {
        Algorithm::MlDsa44 => verifying_key::<MlDsa44>(key)?,
        Algorithm::MlDsa65 => verifying_key::<MlDsa65>(key)?,
        _ => verifying_key::<MlDsa87>(key)?,
    };
    let algorithm = key.algorithm();
    Ok(PublicKey::Akp {
        algorithm,
        key: &encoded,
    }
    .encode())
}

pub(super) fn sign(key: &PrivateKey, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
    match key.algorithm() {
        Algorithm::MlDsa44 => sign_with::<MlDsa44>(key, message),
        Algorithm::MlDsa65 => sign_with::<MlDsa65>(key, message),
        _ => sign_with::<MlDsa87>(key, message),
    }
}

fn load<P: MlDsaParams>(key: &PrivateKey) -> Result<SigningKey<P>, SignatureError> {
    let seed: Zeroizing<Seed> = Zeroizing::new(key.bytes().try_into().map_err(|_| SignatureError)?);
    Ok(SigningKey::from_seed(&seed))
}

fn verifying_key<P: MlDsaParams>(key: &PrivateKey) -> Result<Vec<u8>, SignatureError> {
    Ok(load::<P>(key)?.verifying_key().encode().to_vec())
}

fn sign_with<P: MlDsaParams>(key: &PrivateKey, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
    let signature = load::<P>(key)?
        .try_sign(message)
        .map_err(|_| SignatureError)?;
    Ok(signature.encode().to_vec())
}
