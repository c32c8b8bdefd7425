//! Credential public keys as COSE_Key maps (WebAuthn Level 3, 6.5.1.1).

use alloc::vec::Vec;

use minicbor::Encoder;

use super::{Algorithm, Curve};
use crate::cbor::{Form, Malformed, Map, ReadError, Value};

/// The largest RSA modulus accepted: 16,384 bits.
const MAX_RSA_MODULUS_BYTES: usize = 2048;

/// A public key whose type, curve and lengths agree with its algorithm.
///
/// The signature check verifies that a point is on its curve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PublicKey<'a> {
    /// A point on the algorithm's curve, coordinates of the curve's length, big-endian.
    Ec2 {
        /// ES256, ES384, ES512, ES256K or a fully specified name of one.
        algorithm: Algorithm,
        /// The x coordinate.
        x: &'a [u8],
        /// The y coordinate.
        y: &'a [u8],
    },
    /// An Ed25519 public key of 32 bytes, or an Ed448 one of 57.
    Okp {
        /// EdDSA, Ed25519 or Ed448.
        algorithm: Algorithm,
        /// The encoded point.
        x: &'a [u8],
    },
    /// An RSA public key, numbers big-endian.
    Rsa {
        /// RS1, RS256 to RS512 or PS256 to PS512.
        algorithm: Algorithm,
        /// The modulus, at most 2048 bytes.
        n: &'a [u8],
        /// The public exponent, at most 8 bytes.
        e: &'a [u8],
    },
    /// An ML-DSA public key of 1312, 1952 or 2592 bytes.
    Akp {
        /// ML-DSA-44, -65 or -87.
        algorithm: Algorithm,
        /// The encoded public key.
        key: &'a [u8],
    },
}

/// Why a COSE_Key is not an acceptable public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// Not a well-formed map.
    #[error("the public key is not acceptable CBOR: {0}")]
    Malformed(#[from] Malformed),
    /// A member is missing.
    #[error("the public key has no member {0}")]
    Missing(i64),
    /// A member has the wrong CBOR type.
    #[error("member {0} of the public key has the wrong type")]
    WrongType(i64),
    /// No algorithm, or one that FIDO does not use.
    #[error("the public key's algorithm {0} is not known")]
    UnknownAlgorithm(i64),
    /// The key type (label 1) does not belong to the algorithm.
    #[error("key type {key_type} does not belong to {algorithm}")]
    KeyType {
        /// Label 1.
        key_type: i64,
        /// Label 3.
        algorithm: Algorithm,
    },
    /// The curve (label -1) does not belong to the algorithm.
    #[error("curve {curve} does not belong to {algorithm}")]
    Curve {
        /// Label -1.
        curve: i64,
        /// Label 3.
        algorithm: Algorithm,
    },
    /// A coordinate, modulus or key of the wrong length.
    #[error("member {0} of the public key has the wrong length")]
    Length(i64),
}

const KTY: i64 = 1;
const ALG: i64 = 3;
const OKP: i64 = 1;
const EC2: i64 = 2;
const RSA: i64 = 3;
const AKP: i64 = 7;

impl<'a> PublicKey<'a> {
    /// Decodes exactly one COSE_Key. Members that the key type does not have are passed over,
    /// whatever their labels and values are (RFC 9052, section 7).
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PublicKeyError> {
        let members = Members::read(bytes)?;
        let key_type = members.integer(KTY)?;
        let id = members.integer(ALG)?;
        let algorithm = Algorithm::from_id(id).ok_or(PublicKeyError::UnknownAlgorithm(id))?;
        match (key_type, algorithm.curve()) {
            (EC2, Some(curve)) if !matches!(curve, Curve::Ed25519 | Curve::Ed448) => {
                members.on_curve(curve, algorithm)?;
                let length = curve.coordinate_length();
                Ok(Self::Ec2 {
                    algorithm,
                    x: members.exactly(-2, length)?,
                    y: members.exactly(-3, length)?,
                })
            }
            (OKP, Some(curve @ (Curve::Ed25519 | Curve::Ed448))) => {
                members.on_curve(curve, algorithm)?;
                Ok(Self::Okp {
                    algorithm,
                    x: members.exactly(-2, curve.coordinate_length())?,
                })
            }
            (RSA, None) if algorithm.ml_dsa_public_key_length().is_none() => {
                let n = members.up_to(-1, MAX_RSA_MODULUS_BYTES)?;
                Ok(Self::Rsa {
                    algorithm,
                    n,
                    e: members.up_to(-2, 8)?,
                })
            }
            (AKP, None) => match algorithm.ml_dsa_public_key_length() {
                Some(length) => Ok(Self::Akp {
                    algorithm,
                    key: members.exactly(-1, length)?,
                }),
                None => Err(PublicKeyError::KeyType {
                    key_type,
                    algorithm,
                }),
            },
            _ => Err(PublicKeyError::KeyType {
                key_type,
                algorithm,
            }),
        }
    }

    /// The algorithm that the key is for.
    pub const fn algorithm(&self) -> Algorithm {
        match *self {
            Self::Ec2 { algorithm, .. }
            | Self::Okp { algorithm, .. }
            | Self::Rsa { algorithm, .. }
            | Self::Akp { algorithm, .. } => algorithm,
        }
    }

    /// The canonical COSE_Key.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Writing to a Vec cannot fail.
        let _ = self.write(&mut Encoder::new(&mut out));
        out
    }

    fn write(
        &self,
        e: &mut Encoder<&mut Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<core::convert::Infallible>> {
        let algorithm = self.algorithm();
        let curve = algorithm.curve().map_or(0, Curve::id);
        match *self {
            Self::Ec2 { x, y, .. } => {
                e.map(5)?
                    .i64(KTY)?
                    .i64(EC2)?
                    .i64(ALG)?
                    .i64(algorithm.id())?;
                e.i64(-1)?
                    .i64(curve)?
                    .i64(-2)?
                    .bytes(x)?
                    .i64(-3)?
                    .bytes(y)?;
            }
            Self::Okp { x, .. } => {
                e.map(4)?
                    .i64(KTY)?
                    .i64(OKP)?
                    .i64(ALG)?
                    .i64(algorithm.id())?;
                e.i64(-1)?.i64(curve)?.i64(-2)?.bytes(x)?;
            }
            Self::Rsa { n, e: exponent, .. } => {
                e.map(4)?
                    .i64(KTY)?
                    .i64(RSA)?
                    .i64(ALG)?
                    .i64(algorithm.id())?;
                e.i64(-1)?.bytes(n)?.i64(-2)?.bytes(exponent)?;
            }
            Self::Akp { key, .. } => {
                e.map(3)?
                    .i64(KTY)?
                    .i64(AKP)?
                    .i64(ALG)?
                    .i64(algorithm.id())?
                    .i64(-1)?
                    .bytes(key)?;
            }
        }
        Ok(())
    }
}

/// The members of a COSE_Key, by label.
struct Members<'a>(Map<'a>);

impl<'a> Members<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, PublicKeyError> {
        match Value::parse(bytes, Form::Tolerant)? {
            Value::Map(map) => Ok(Self(map)),
            _ => Err(Malformed::NotMap.into()),
        }
    }

    fn member<T>(
        &self,
        label: i64,
        read: impl FnOnce(Value<'a>) -> Result<T, ReadError>,
    ) -> Result<T, PublicKeyError> {
        let value = self.0.get(label).ok_or(PublicKeyError::Missing(label))?;
        read(value).map_err(|_| PublicKeyError::WrongType(label))
    }

    fn integer(&self, label: i64) -> Result<i64, PublicKeyError> {
        self.member(label, Value::integer)
    }

    fn on_curve(&self, curve: Curve, algorithm: Algorithm) -> Result<(), PublicKeyError> {
        match self.integer(-1)? {
            id if id == curve.id() => Ok(()),
            id => Err(PublicKeyError::Curve {
                curve: id,
                algorithm,
            }),
        }
    }

    fn byte_string(&self, label: i64) -> Result<&'a [u8], PublicKeyError> {
        self.member(label, Value::bytes)
    }

    fn exactly(&self, label: i64, length: usize) -> Result<&'a [u8], PublicKeyError> {
        let bytes = self.byte_string(label)?;
        if bytes.len() == length {
            Ok(bytes)
        } else {
            Err(PublicKeyError::Length(label))
        }
    }

    fn up_to(&self, label: i64, length: usize) -> Result<&'a [u8], PublicKeyError> {
        let bytes = self.byte_string(label)?;
        if (1..=length).contains(&bytes.len()) {
            Ok(bytes)
        } else {
            Err(PublicKeyError::Length(label))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;

    const ES256: PublicKey<'_> = PublicKey::Ec2 {
        algorithm: Algorithm::Es256,
        x: &[1; 32],
        y: &[2; 32],
    };

    #[test]
    fn keys_of_every_type_survive_a_round_trip() {
        for key in [
            ES256,
            PublicKey::Ec2 {
                algorithm: Algorithm::Esp512,
                x: &[1; 66],
                y: &[2; 66],
            },
            PublicKey::Okp {
                algorithm: Algorithm::EdDsa,
                x: &[3; 32],
            },
            PublicKey::Okp {
                algorithm: Algorithm::Ed448,
                x: &[3; 57],
            },
            PublicKey::Rsa {
                algorithm: Algorithm::Rs256,
                n: &[4; 256],
                e: &[1, 0, 1],
            },
            PublicKey::Akp {
                algorithm: Algorithm::MlDsa44,
                key: &[5; 1312],
            },
        ] {
            let bytes = key.encode();
            cbor::check(&bytes, Form::Canonical).unwrap();
            assert_eq!(PublicKey::decode(&bytes), Ok(key));
        }
    }

    #[test]
    fn a_curve_of_another_algorithm_is_refused() {
        let mut bytes = ES256.encode();
        bytes[6] = 2;
        assert_eq!(
            PublicKey::decode(&bytes),
            Err(PublicKeyError::Curve {
                curve: 2,
                algorithm: Algorithm::Es256
            })
        );
    }

    #[test]
    fn a_key_type_of_another_algorithm_is_refused() {
        let mut bytes = ES256.encode();
        bytes[2] = 1;
        assert_eq!(
            PublicKey::decode(&bytes),
            Err(PublicKeyError::KeyType {
                key_type: 1,
                algorithm: Algorithm::Es256
            })
        );
    }

    #[test]
    fn short_coordinates_and_missing_members_are_refused() {
        let short = PublicKey::Ec2 {
            algorithm: Algorithm::Es256,
            x: &[1; 31],
            y: &[2; 32],
        };
        assert_eq!(
            PublicKey::decode(&short.encode()),
            Err(PublicKeyError::Length(-2))
        );
        assert_eq!(
            PublicKey::decode(&[0xa1, 1, 2]),
            Err(PublicKeyError::Missing(3))
        );
        assert_eq!(
            PublicKey::decode(&[0xa2, 1, 2, 3, 0x38, 0x63]),
            Err(PublicKeyError::UnknownAlgorithm(-100))
        );
    }

    #[test]
    fn a_compressed_point_is_refused() {
        // {1: 2, 3: -7, -1: 1, -2: 32 bytes, -3: true}
        let mut bytes = ES256.encode();
        bytes.truncate(bytes.len() - 34);
        bytes.push(0xf5);
        assert_eq!(
            PublicKey::decode(&bytes),
            Err(PublicKeyError::WrongType(-3))
        );
    }

    /// RFC 9052, section 7: labels are integers or text, and others may use what FIDO does not.
    #[test]
    fn further_members_are_passed_over_whatever_they_are() {
        let key = ES256.encode();
        for (label, value) in [
            // Text, and text that reads like a known label.
            ("6178", "6179"),
            ("6131", "a16178f5"),
            ("6b6372656450726f74656374", "83010203"),
            // Known labels of COSE that FIDO does not use: kid, key_ops, Base IV.
            ("02", "4b6964206f662061206b6579"),
            ("04", "8102"),
            ("05", "4101"),
            // Integers beyond 64 bits with a sign, and beyond what a label may be.
            ("1bffffffffffffffff", "00"),
            ("3bffffffffffffffff", "00"),
            ("24", "01"),
            ("1903e8", "f6"),
            // Keys that are not labels at all.
            ("41ff", "00"),
            ("f5", "f97c00"),
            ("8101", "fb3ff8000000000000"),
            ("a0", "c074323032362d31312d33305430303a30303a30305a"),
            ("fa3f800000", "1bffffffffffffffff"),
            ("f7", "f8ff"),
        ] {
            let member = hex::decode([label, value].concat()).unwrap();
            for at_the_end in [true, false] {
                let members = match at_the_end {
                    true => [&key[1..], &member].concat(),
                    false => [&member, &key[1..]].concat(),
                };
                let bytes = [&[key[0] + 1], &members[..]].concat();
                assert_eq!(PublicKey::decode(&bytes), Ok(ES256), "{label}: {value}");
            }
        }
    }

    #[test]
    fn members_of_the_wrong_type_are_named() {
        // {1: 2, 3: -7, -1: 1, -2: h'', -3: h''}, with one value in the place of each.
        let key = ES256.encode();
        let text = |at: usize, length: usize| {
            let mut bytes = key[..at].to_vec();
            bytes.extend([0x62, b'E', b'C']);
            bytes.extend(&key[at + length..]);
            bytes
        };
        for (at, length, label) in [(2, 1, 1), (4, 1, 3), (6, 1, -1), (8, 34, -2), (43, 34, -3)] {
            assert_eq!(
                PublicKey::decode(&text(at, length)),
                Err(PublicKeyError::WrongType(label))
            );
        }
        // An integer that no algorithm can have.
        let mut bytes = key[..4].to_vec();
        bytes.extend([0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        bytes.extend(&key[5..]);
        assert_eq!(PublicKey::decode(&bytes), Err(PublicKeyError::WrongType(3)));
        assert_eq!(PublicKey::decode(&[0x80]), Err(Malformed::NotMap.into()));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = PublicKey::decode(&bytes);
        }
    }
}
