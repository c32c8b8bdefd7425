//! Signature schemes: the scheme of each COSE algorithm, and the check of each scheme. Anything
//! else is refused.

use aws_lc_rs::signature::{self as lc, EcdsaVerificationAlgorithm, RsaParameters};
use hallway_ctap::cose::{Algorithm, Curve};

/// A hash function inside a signature scheme.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// How a signature is made, apart from the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scheme {
    /// ECDSA, the signature a DER sequence of two integers.
    Ecdsa(Hash),
    RsaPkcs1(Hash),
    /// MGF1 with the same hash, salt as long as the hash.
    RsaPss(Hash),
    Ed25519,
    Ed448,
    MlDsa(Algorithm),
}

impl Scheme {
    /// The scheme of a COSE algorithm. RS1 is among them: callers other than TPM attestation go
    /// through [`super::verify`], which refuses it.
    pub(crate) const fn of(algorithm: Algorithm) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Es256 | Algorithm::Esp256 | Algorithm::Es256K => Self::Ecdsa(Hash::Sha256),
            Algorithm::Es384 | Algorithm::Esp384 => Self::Ecdsa(Hash::Sha384),
            Algorithm::Es512 | Algorithm::Esp512 => Self::Ecdsa(Hash::Sha512),
            Algorithm::EdDsa | Algorithm::Ed25519 => Self::Ed25519,
            Algorithm::Ed448 => Self::Ed448,
            Algorithm::Rs1 => Self::RsaPkcs1(Hash::Sha1),
            Algorithm::Rs256 => Self::RsaPkcs1(Hash::Sha256),
            Algorithm::Rs384 => Self::RsaPkcs1(Hash::Sha384),
            Algorithm::Rs512 => Self::RsaPkcs1(Hash::Sha512),
            Algorithm::Ps256 => Self::RsaPss(Hash::Sha256),
            Algorithm::Ps384 => Self::RsaPss(Hash::Sha384),
            Algorithm::Ps512 => Self::RsaPss(Hash::Sha512),
            Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => Self::MlDsa(algorithm),
            // `Algorithm` may grow: algorithms that are unknown here are refused.
            _ => return None,
        })
    }
}

/// The check of an ECDSA signature; `None` for a pair that no algorithm has.
pub(super) const fn ecdsa(curve: Curve, hash: Hash) -> Option<&'static EcdsaVerificationAlgorithm> {
    Some(match (curve, hash) {
        (Curve::P256, Hash::Sha256) => &lc::ECDSA_P256_SHA256_ASN1,
        (Curve::P256, Hash::Sha384) => &lc::ECDSA_P256_SHA384_ASN1,
        (Curve::P256, Hash::Sha512) => &lc::ECDSA_P256_SHA512_ASN1,
        (Curve::P384, Hash::Sha256) => &lc::ECDSA_P384_SHA256_ASN1,
        (Curve::P384, Hash::Sha384) => &lc::ECDSA_P384_SHA384_ASN1,
        (Curve::P384, Hash::Sha512) => &lc::ECDSA_P384_SHA512_ASN1,
        (Curve::P521, Hash::Sha256) => &lc::ECDSA_P521_SHA256_ASN1,
        (Curve::P521, Hash::Sha384) => &lc::ECDSA_P521_SHA384_ASN1,
        (Curve::P521, Hash::Sha512) => &lc::ECDSA_P521_SHA512_ASN1,
        (Curve::Secp256k1, Hash::Sha256) => &lc::ECDSA_P256K1_SHA256_ASN1,
        _ => return None,
    })
}

/// The check of an RSA signature, by keys of 2048 to 8192 bits.
pub(super) const fn rsa(scheme: Scheme) -> Option<&'static RsaParameters> {
    Some(match scheme {
        Scheme::RsaPkcs1(Hash::Sha1) => &lc::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Scheme::RsaPkcs1(Hash::Sha256) => &lc::RSA_PKCS1_2048_8192_SHA256,
        Scheme::RsaPkcs1(Hash::Sha384) => &lc::RSA_PKCS1_2048_8192_SHA384,
        Scheme::RsaPkcs1(Hash::Sha512) => &lc::RSA_PKCS1_2048_8192_SHA512,
        Scheme::RsaPss(Hash::Sha256) => &lc::RSA_PSS_2048_8192_SHA256,
        Scheme::RsaPss(Hash::Sha384) => &lc::RSA_PSS_2048_8192_SHA384,
        Scheme::RsaPss(Hash::Sha512) => &lc::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

/// The check of an ML-DSA signature.
pub(super) const fn ml_dsa(
    algorithm: Algorithm,
) -> Option<&'static lc::PqdsaVerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::MlDsa44 => &lc::ML_DSA_44,
        Algorithm::MlDsa65 => &lc::ML_DSA_65,
        Algorithm::MlDsa87 => &lc::ML_DSA_87,
        _ => return None,
    })
}

/// The scheme's name in errors.
pub(super) const fn name(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Ecdsa(Hash::Sha1) => "ECDSA with SHA-1",
        Scheme::Ecdsa(Hash::Sha256) => "ECDSA with SHA-256",
        Scheme::Ecdsa(Hash::Sha384) => "ECDSA with SHA-384",
        Scheme::Ecdsa(Hash::Sha512) => "ECDSA with SHA-512",
        Scheme::RsaPkcs1(Hash::Sha1) => "RSA PKCS #1 with SHA-1",
        Scheme::RsaPkcs1(Hash::Sha256) => "RSA PKCS #1 with SHA-256",
        Scheme::RsaPkcs1(Hash::Sha384) => "RSA PKCS #1 with SHA-384",
        Scheme::RsaPkcs1(Hash::Sha512) => "RSA PKCS #1 with SHA-512",
        Scheme::RsaPss(Hash::Sha1) => "RSA-PSS with SHA-1",
        Scheme::RsaPss(Hash::Sha256) => "RSA-PSS with SHA-256",
        Scheme::RsaPss(Hash::Sha384) => "RSA-PSS with SHA-384",
        Scheme::RsaPss(Hash::Sha512) => "RSA-PSS with SHA-512",
        Scheme::Ed25519 => "Ed25519",
        Scheme::Ed448 => "Ed448",
        Scheme::MlDsa(algorithm) => algorithm.name(),
    }
}
