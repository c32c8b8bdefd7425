//! The signature algorithms of the IANA COSE registry that a FIDO credential may have.

use core::fmt;

/// A signature algorithm. The curve is part of the algorithm: WebAuthn Level 3, 5.8.5 binds one
/// to the other, and RFC 9864 gives fully specified names to the same pairs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-256 with SHA-256, fully specified.
    Esp256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-384 with SHA-384, fully specified.
    Esp384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// ECDSA on P-521 with SHA-512, fully specified.
    Esp512,
    /// ECDSA on secp256k1 with SHA-256.
    Es256K,
    /// Ed25519 by the older, curve-free name.
    EdDsa,
    /// Ed25519, fully specified.
    Ed25519,
    /// Ed448, fully specified.
    Ed448,
    /// RSASSA-PKCS1-v1_5 with SHA-1: only inside TPM attestation.
    Rs1,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ML-DSA-44 (FIPS 204).
    MlDsa44,
    /// ML-DSA-65 (FIPS 204).
    MlDsa65,
    /// ML-DSA-87 (FIPS 204).
    MlDsa87,
}

/// An elliptic curve of the IANA COSE registry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Curve {
    /// NIST P-256, coordinates of 32 bytes.
    P256,
    /// NIST P-384, coordinates of 48 bytes.
    P384,
    /// NIST P-521, coordinates of 66 bytes.
    P521,
    /// Ed25519, a public key of 32 bytes.
    Ed25519,
    /// Ed448, a public key of 57 bytes.
    Ed448,
    /// secp256k1, coordinates of 32 bytes.
    Secp256k1,
}

impl Curve {
    /// The identifier in COSE_Key label -1.
    pub const fn id(self) -> i64 {
        match self {
            Self::P256 => 1,
            Self::P384 => 2,
            Self::P521 => 3,
            Self::Ed25519 => 6,
            Self::Ed448 => 7,
            Self::Secp256k1 => 8,
        }
    }

    /// Bytes of one coordinate.
    pub const fn coordinate_length(self) -> usize {
        match self {
            Self::P256 | Self::Ed25519 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::Ed448 => 57,
            Self::P521 => 66,
        }
    }
}

impl Algorithm {
    /// The COSEAlgorithmIdentifier.
    pub const fn id(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
            Self::Esp256 => -9,
            Self::Ed25519 => -19,
            Self::Es384 => -35,
            Self::Es512 => -36,
            Self::Ps256 => -37,
            Self::Ps384 => -38,
            Self::Ps512 => -39,
            Self::Es256K => -47,
            Self::MlDsa44 => -48,
            Self::MlDsa65 => -49,
            Self::MlDsa87 => -50,
            Self::Esp384 => -51,
            Self::Esp512 => -52,
            Self::Ed448 => -53,
            Self::Rs256 => -257,
            Self::Rs384 => -258,
            Self::Rs512 => -259,
            Self::Rs1 => -65535,
        }
    }

    /// The algorithm with this COSEAlgorithmIdentifier, if FIDO uses it.
    pub const fn from_id(id: i64) -> Option<Self> {
        Some(match id {
            -7 => Self::Es256,
            -8 => Self::EdDsa,
            -9 => Self::Esp256,
            -19 => Self::Ed25519,
            -35 => Self::Es384,
            -36 => Self::Es512,
            -37 => Self::Ps256,
            -38 => Self::Ps384,
            -39 => Self::Ps512,
            -47 => Self::Es256K,
            -48 => Self::MlDsa44,
            -49 => Self::MlDsa65,
            -50 => Self::MlDsa87,
            -51 => Self::Esp384,
            -52 => Self::Esp512,
            -53 => Self::Ed448,
            -257 => Self::Rs256,
            -258 => Self::Rs384,
            -259 => Self::Rs512,
            -65535 => Self::Rs1,
            _ => return None,
        })
    }

    /// The registry's name, such as `ES256`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Esp256 => "ESP256",
            Self::Ed25519 => "Ed25519",
            Self::Ed448 => "Ed448",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256K => "ES256K",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
            Self::Esp384 => "ESP384",
            Self::Esp512 => "ESP512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Rs1 => "RS1",
        }
    }

    /// The curve that the algorithm's keys are on; `None` for RSA and ML-DSA.
    pub const fn curve(self) -> Option<Curve> {
        match self {
            Self::Es256 | Self::Esp256 => Some(Curve::P256),
            Self::Es384 | Self::Esp384 => Some(Curve::P384),
            Self::Es512 | Self::Esp512 => Some(Curve::P521),
            Self::Es256K => Some(Curve::Secp256k1),
            Self::EdDsa | Self::Ed25519 => Some(Curve::Ed25519),
            Self::Ed448 => Some(Curve::Ed448),
            _ => None,
        }
    }

    /// Bytes of an ML-DSA public key (FIPS 204, table 2); `None` for the others.
    pub const fn ml_dsa_public_key_length(self) -> Option<usize> {
        match self {
            Self::MlDsa44 => Some(1312),
            Self::MlDsa65 => Some(1952),
            Self::MlDsa87 => Some(2592),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_lead_back_to_their_algorithms() {
        let known: std::vec::Vec<Algorithm> =
            (-70000..100).filter_map(Algorithm::from_id).collect();
        assert_eq!(known.len(), 20);
        for algorithm in known {
            assert_eq!(Algorithm::from_id(algorithm.id()), Some(algorithm));
        }
    }
}
