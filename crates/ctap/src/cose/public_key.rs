//! Credential public keys as COSE_Key maps (WebAuthn Level 3, 6.5.1.1).

use alloc::vec::Vec;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::{Algorithm, Curve};
use crate::cbor::{self, Form, Malformed};

/// The largest RSA modulus taken, in bytes (16,384 bits).
const MAX_RSA_MODULUS: usize = 2048;

/// A public key whose type, curve and lengths agree with its algorithm.
///
/// Whether the point is on the curve is for the signature check to say.
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
    /// Decodes exactly one COSE_Key. Members that the key type does not have are passed over.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PublicKeyError> {
        cbor::check(bytes, Form::Tolerant)?;
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
                let n = members.up_to(-1, MAX_RSA_MODULUS)?;
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

/// The members of a COSE_Key that signature keys use, by label.
#[derive(Default)]
struct Members<'a> {
    integers: [Option<i64>; 3],
    bytes: [Option<&'a [u8]>; 3],
}

impl<'a> Members<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, PublicKeyError> {
        let mut members = Self::default();
        let mut d = Decoder::new(bytes);
        let entries = d.map().ok().flatten().ok_or(Malformed::NotMap)?;
        for _ in 0..entries {
            let Ok(label) = d.i64() else {
                d.skip()
                    .and_then(|()| d.skip())
                    .map_err(|_| Malformed::Truncated)?;
                continue;
            };
            let value = d.datatype().map_err(|_| Malformed::Truncated)?;
            match (label, value) {
                (-3..=-1, Type::Bytes) => {
                    members.bytes[(-label - 1) as usize] = d.bytes().ok();
                }
                (KTY | ALG | -1, _) => {
                    members.integers[integer_slot(label)] =
                        Some(d.i64().map_err(|_| PublicKeyError::WrongType(label))?);
                }
                _ => d.skip().map_err(|_| Malformed::Truncated)?,
            }
        }
        Ok(members)
    }

    fn integer(&self, label: i64) -> Result<i64, PublicKeyError> {
        self.integers[integer_slot(label)].ok_or(PublicKeyError::Missing(label))
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

    /// The byte string at `label`, -1 to -3.
    fn byte_string(&self, label: i64) -> Result<&'a [u8], PublicKeyError> {
        self.bytes[(-label - 1) as usize].ok_or(PublicKeyError::Missing(label))
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

const fn integer_slot(label: i64) -> usize {
    match label {
        KTY => 0,
        ALG => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(PublicKey::decode(&bytes), Err(PublicKeyError::Missing(-3)));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = PublicKey::decode(&bytes);
        }
    }
}
