//! The keys that signatures are checked by.

use hallway_ctap::cose::{Algorithm, Curve, PublicKey};

/// Key material, from a COSE_Key or from a certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key<'a> {
    /// An uncompressed point in two coordinates.
    Ec {
        curve: Curve,
        x: &'a [u8],
        y: &'a [u8],
    },
    /// A point as X.509 holds it (SEC 1, 2.3.3).
    EcPoint {
        curve: Curve,
        point: &'a [u8],
    },
    Ed25519(&'a [u8]),
    Ed448(&'a [u8]),
    Rsa {
        n: &'a [u8],
        e: &'a [u8],
    },
    MlDsa {
        algorithm: Algorithm,
        key: &'a [u8],
    },
}

impl<'a> Key<'a> {
    /// `None` where a curve is not an ECDSA curve, which [`PublicKey::decode`] never returns.
    pub(crate) fn from_cose(key: &PublicKey<'a>) -> Option<Self> {
        Some(match *key {
            PublicKey::Ec2 { algorithm, x, y } => Self::Ec {
                curve: algorithm.curve()?,
                x,
                y,
            },
            PublicKey::Okp {
                algorithm: Algorithm::Ed448,
                x,
            } => Self::Ed448(x),
            PublicKey::Okp { x, .. } => Self::Ed25519(x),
            PublicKey::Rsa { n, e, .. } => Self::Rsa { n, e },
            PublicKey::Akp { algorithm, key } => Self::MlDsa { algorithm, key },
        })
    }

    /// Whether this is the same key as a credential's.
    pub(crate) fn is(&self, other: &PublicKey<'_>) -> bool {
        match (*self, *other) {
            (Self::EcPoint { curve, point }, PublicKey::Ec2 { algorithm, x, y }) => {
                algorithm.curve() == Some(curve)
                    && point.split_first().is_some_and(|(form, coordinates)| {
                        *form == 4 && coordinates.split_at_checked(x.len()) == Some((x, y))
                    })
            }
            (Self::Rsa { n, e }, PublicKey::Rsa { n: n2, e: e2, .. }) => {
                without_leading_zeros(n) == without_leading_zeros(n2)
                    && without_leading_zeros(e) == without_leading_zeros(e2)
            }
            (Self::Ed25519(key) | Self::Ed448(key), PublicKey::Okp { algorithm, x }) => {
                self.curve() == algorithm.curve() && key == x
            }
            (
                Self::MlDsa { algorithm, key },
                PublicKey::Akp {
                    algorithm: a2,
                    key: k2,
                },
            ) => algorithm == a2 && key == k2,
            _ => false,
        }
    }

    /// The curve of an elliptic curve key.
    pub(crate) const fn curve(&self) -> Option<Curve> {
        match *self {
            Self::Ec { curve, .. } | Self::EcPoint { curve, .. } => Some(curve),
            Self::Ed25519(_) => Some(Curve::Ed25519),
            Self::Ed448(_) => Some(Curve::Ed448),
            _ => None,
        }
    }
}

/// A big-endian number without the zeros that only fill it up.
pub(crate) fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
