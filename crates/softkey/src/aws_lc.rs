//! Signatures by aws-lc-rs.

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING,
    ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING,
    ML_DSA_87_SIGNING, PqdsaKeyPair, RSA_PKCS1_SHA256,
};
use hallway_authenticator::{PrivateKey, SignatureError, Signatures};
use hallway_ctap::cose::{Algorithm, Curve, PublicKey};
use zeroize::Zeroizing;

/// Keys that stay loaded: loading one costs as much as a signature.
const MAX_LOADED_KEYS: usize = 8;

/// aws-lc-rs, with the keys that were used last.
#[derive(Default)]
pub(crate) struct AwsLc {
    /// The most recently used key is last.
    loaded: Vec<Loaded>,
}

struct Loaded {
    algorithm: Algorithm,
    bytes: Zeroizing<Vec<u8>>,
    pair: Pair,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
    Rsa(rsa::KeyPair),
}

impl AwsLc {
    fn pair(&mut self, key: &PrivateKey) -> Result<&Pair, SignatureError> {
        let known = self.loaded.iter().position(|loaded| {
            loaded.algorithm == key.algorithm() && loaded.bytes[..] == *key.bytes()
        });
        let loaded = match known {
            Some(at) => self.loaded.remove(at),
            None => Loaded {
                algorithm: key.algorithm(),
                bytes: Zeroizing::new(key.bytes().to_vec()),
                pair: load(key)?,
            },
        };
        if self.loaded.len() == MAX_LOADED_KEYS {
            self.loaded.remove(0);
        }
        self.loaded.push(loaded);
        self.loaded
            .last()
            .map(|loaded| &loaded.pair)
            .ok_or(SignatureError)
    }
}

impl Signatures for AwsLc {
    fn algorithms(&self) -> &'static [Algorithm] {
        &[
            Algorithm::Es256,
            Algorithm::EdDsa,
            Algorithm::Es384,
            Algorithm::Es512,
            Algorithm::Es256K,
            Algorithm::Esp256,
            Algorithm::Ed25519,
            Algorithm::Esp384,
            Algorithm::Esp512,
            Algorithm::MlDsa44,
            Algorithm::MlDsa65,
            Algorithm::MlDsa87,
            Algorithm::Rs256,
        ]
    }

    fn public_key(&mut self, key: &PrivateKey) -> Result<Vec<u8>, SignatureError> {
        let algorithm = key.algorithm();
        match self.pair(key)? {
            Pair::Ecdsa(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = match point.split_first() {
                    Some((4, rest)) => rest.split_at(rest.len() / 2),
                    _ => return Err(SignatureError),
                };
                Ok(PublicKey::Ec2 { algorithm, x, y }.encode())
            }
            Pair::Ed25519(pair) => Ok(PublicKey::Okp {
                algorithm,
                x: pair.public_key().as_ref(),
            }
            .encode()),
            Pair::MlDsa(pair) => Ok(PublicKey::Akp {
                algorithm,
                key: pair.public_key().as_ref(),
            }
            .encode()),
            Pair::Rsa(pair) => Ok(PublicKey::Rsa {
                algorithm,
                n: pair
                    .public_key()
                    .modulus()
                    .big_endian_without_leading_zero(),
                e: pair
                    .public_key()
                    .exponent()
                    .big_endian_without_leading_zero(),
            }
            .encode()),
        }
    }

    fn sign(&mut self, key: &PrivateKey, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        match self.pair(key)? {
            Pair::Ecdsa(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignatureError),
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                let length = pair
                    .sign(message, &mut signature)
                    .map_err(|_| SignatureError)?;
                signature.truncate(length);
                Ok(signature)
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    message,
                    &mut signature,
                )
                .map_err(|_| SignatureError)?;
                Ok(signature)
            }
        }
    }

    fn sign_digest(
        &mut self,
        key: &PrivateKey,
        digest: &[u8; 32],
    ) -> Result<Vec<u8>, SignatureError> {
        let digest = Digest::import_less_safe(digest, &SHA256).map_err(|_| SignatureError)?;
        match (key.algorithm().curve(), self.pair(key)?) {
            (Some(Curve::P256), Pair::Ecdsa(pair)) => pair
                .sign_digest(&digest)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignatureError),
            _ => Err(SignatureError),
        }
    }
}

fn load(key: &PrivateKey) -> Result<Pair, SignatureError> {
    if key.algorithm() == Algorithm::Rs256 {
        return crate::rsa::from_seed(key.bytes()).map(Pair::Rsa);
    }
    let ml_dsa = match key.algorithm() {
        Algorithm::MlDsa44 => Some(&ML_DSA_44_SIGNING),
        Algorithm::MlDsa65 => Some(&ML_DSA_65_SIGNING),
        Algorithm::MlDsa87 => Some(&ML_DSA_87_SIGNING),
        _ => None,
    };
    if let Some(ml_dsa) = ml_dsa {
        return PqdsaKeyPair::from_seed(ml_dsa, key.bytes())
            .map(Pair::MlDsa)
            .map_err(|_| SignatureError);
    }
    let curve = key.algorithm().curve().ok_or(SignatureError)?;
    let ecdsa: &'static EcdsaSigningAlgorithm = match curve {
        Curve::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
        Curve::P521 => &ECDSA_P521_SHA512_ASN1_SIGNING,
        Curve::Secp256k1 => &ECDSA_P256K1_SHA256_ASN1_SIGNING,
        Curve::Ed25519 => {
            return Ed25519KeyPair::from_seed_unchecked(key.bytes())
                .map(Pair::Ed25519)
                .map_err(|_| SignatureError);
        }
        Curve::Ed448 => return Err(SignatureError),
    };
    EcdsaKeyPair::from_private_key_der(ecdsa, &ec_private_key(key.bytes()))
        .map(Pair::Ecdsa)
        .map_err(|_| SignatureError)
}

/// An ECPrivateKey without parameters or public key (RFC 5915, section 3): the library computes
/// the public key.
fn ec_private_key(scalar: &[u8]) -> Zeroizing<Vec<u8>> {
    // Scalars have at most 66 bytes: every length fits one byte.
    let length = scalar.len() as u8;
    let head = [0x30, length + 5, 0x02, 0x01, 0x01, 0x04, length];
    Zeroizing::new([&head, scalar].concat())
}

/// The scalar of a P-256 key in PKCS #8 or RFC 5915, and its public point as `04 || x || y`.
pub(crate) fn p256_from_der(der: &[u8]) -> Option<(PrivateKey, Vec<u8>)> {
    use aws_lc_rs::encoding::AsBigEndian;

    let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, der).ok()?;
    let scalar = pair.private_key().as_be_bytes().ok()?;
    let key = PrivateKey::new(Algorithm::Es256, scalar.as_ref()).ok()?;
    Some((key, pair.public_key().as_ref().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256K1_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
        ECDSA_P521_SHA512_ASN1, ED25519, ML_DSA_44, ML_DSA_65, ML_DSA_87,
        RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
        VerificationAlgorithm,
    };
    use hallway_authenticator::RustCrypto;

    fn verifies(algorithm: Algorithm, cose: &[u8], message: &[u8], signature: &[u8]) {
        if let Ok(PublicKey::Akp { key, .. }) = PublicKey::decode(cose) {
            let verifier: &'static dyn VerificationAlgorithm = match algorithm {
                Algorithm::MlDsa44 => &ML_DSA_44,
                Algorithm::MlDsa65 => &ML_DSA_65,
                _ => &ML_DSA_87,
            };
            return UnparsedPublicKey::new(verifier, key)
                .verify(message, signature)
                .unwrap();
        }
        if let Ok(PublicKey::Rsa { n, e, .. }) = PublicKey::decode(cose) {
            return RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .unwrap();
        }
        let (verifier, point): (&'static dyn VerificationAlgorithm, Vec<u8>) =
            match (PublicKey::decode(cose).unwrap(), algorithm.curve().unwrap()) {
                (PublicKey::Okp { x, .. }, _) => (&ED25519, x.to_vec()),
                (PublicKey::Ec2 { x, y, .. }, curve) => (
                    match curve {
                        Curve::P256 => &ECDSA_P256_SHA256_ASN1,
                        Curve::P384 => &ECDSA_P384_SHA384_ASN1,
                        Curve::P521 => &ECDSA_P521_SHA512_ASN1,
                        Curve::Secp256k1 => &ECDSA_P256K1_SHA256_ASN1,
                        other => panic!("{other:?}"),
                    },
                    [&[4], x, y].concat(),
                ),
                other => panic!("{other:?}"),
            };
        UnparsedPublicKey::new(verifier, point)
            .verify(message, signature)
            .unwrap();
    }

    #[test]
    fn every_algorithm_signs_what_its_public_key_verifies() {
        let mut provider = AwsLc::default();
        for &algorithm in AwsLc::default().algorithms() {
            // Finding an RSA key takes long.
            let secrets = if algorithm == Algorithm::Rs256 { 2 } else { 12 };
            for secret in 0..secrets {
                let key = PrivateKey::derive(algorithm, &[secret; 32]).unwrap();
                let cose = provider.public_key(&key).unwrap();
                let signature = provider.sign(&key, b"message").unwrap();
                verifies(algorithm, &cose, b"message", &signature);
            }
        }
    }

    #[test]
    fn a_signature_over_a_digest_is_one_over_the_message() {
        let digest = aws_lc_rs::digest::digest(&SHA256, b"message");
        let digest: &[u8; 32] = digest.as_ref().try_into().unwrap();
        let mut providers: [Box<dyn Signatures>; 2] =
            [Box::new(AwsLc::default()), Box::new(RustCrypto)];
        for provider in &mut providers {
            let key = PrivateKey::derive(Algorithm::Esp256, &[9; 32]).unwrap();
            let cose = provider.public_key(&key).unwrap();
            let signature = provider.sign_digest(&key, digest).unwrap();
            verifies(Algorithm::Esp256, &cose, b"message", &signature);
            for other in [Algorithm::Es384, Algorithm::Es256K, Algorithm::EdDsa] {
                let key = PrivateKey::derive(other, &[9; 32]).unwrap();
                assert_eq!(provider.sign_digest(&key, digest), Err(SignatureError));
            }
        }
    }

    #[test]
    fn both_providers_have_the_same_keys() {
        let mut host = AwsLc::default();
        for &algorithm in RustCrypto.algorithms() {
            let key = PrivateKey::derive(algorithm, &[9; 32]).unwrap();
            let cose = host.public_key(&key).unwrap();
            assert_eq!(RustCrypto.public_key(&key).unwrap(), cose);
            let signature = RustCrypto.sign(&key, b"message").unwrap();
            verifies(algorithm, &cose, b"message", &signature);
        }
    }
}
