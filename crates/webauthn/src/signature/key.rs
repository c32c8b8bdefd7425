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

/// A big-endian number without the zero bytes before its first digit.
pub(crate) fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [u8; 32] = [1; 32];
    const Y: [u8; 32] = [2; 32];

    #[test]
    fn a_point_is_the_same_key_only_whole_uncompressed_and_on_the_same_curve() {
        let credential = PublicKey::Ec2 {
            algorithm: Algorithm::Es256,
            x: &X,
            y: &Y,
        };
        let is = |curve, point: &[u8]| Key::EcPoint { curve, point }.is(&credential);
        let point = |form: u8| [&[form][..], &X, &Y].concat();
        assert!(is(Curve::P256, &point(4)));
        assert!(!is(Curve::Secp256k1, &point(4)));
        for form in [0, 2, 3, 6, 7] {
            assert!(!is(Curve::P256, &point(form)), "{form}");
        }
        let swapped = [&[4][..], &Y, &X].concat();
        let longer = [&point(4)[..], &[0]].concat();
        for other in [&swapped, &longer, &point(4)[..33].to_vec(), &Vec::new()] {
            assert!(!is(Curve::P256, other), "{other:?}");
        }
    }

    #[test]
    fn rsa_keys_are_compared_as_numbers_both_of_them() {
        let credential = PublicKey::Rsa {
            algorithm: Algorithm::Rs256,
            n: &[9, 8],
            e: &[1, 0, 1],
        };
        let is = |n: &[u8], e: &[u8]| Key::Rsa { n, e }.is(&credential);
        assert!(is(&[9, 8], &[1, 0, 1]));
        assert!(is(&[0, 9, 8], &[0, 0, 1, 0, 1]));
        assert!(!is(&[9, 7], &[1, 0, 1]));
        assert!(!is(&[9, 8], &[3]));
        assert!(!is(&[9, 8, 0], &[1, 0, 1]));
    }

    #[test]
    fn other_keys_are_compared_with_what_they_are_for() {
        let okp = |algorithm| PublicKey::Okp { algorithm, x: &X };
        assert!(Key::Ed25519(&X).is(&okp(Algorithm::EdDsa)));
        assert!(Key::Ed25519(&X).is(&okp(Algorithm::Ed25519)));
        assert!(!Key::Ed25519(&X).is(&okp(Algorithm::Ed448)));
        assert!(!Key::Ed448(&X).is(&okp(Algorithm::Ed25519)));
        assert!(!Key::Ed25519(&Y).is(&okp(Algorithm::EdDsa)));
        let credential = PublicKey::Akp {
            algorithm: Algorithm::MlDsa44,
            key: &X,
        };
        let is = |algorithm, key| Key::MlDsa { algorithm, key }.is(&credential);
        assert!(is(Algorithm::MlDsa44, &X));
        assert!(!is(Algorithm::MlDsa65, &X));
        assert!(!is(Algorithm::MlDsa44, &Y));
        assert!(!Key::Ed25519(&X).is(&credential));
    }
}
