//! TPMT_PUBLIC, the public area of a TPM's key (TPM 2.0, part 2, 12.2.4).

use hallway_ctap::cose::{Curve, PublicKey};

use super::wire::Fields;
use crate::signature::without_leading_zeros;

const ALG_RSA: u16 = 0x0001;
const ALG_ECC: u16 = 0x0023;
const ALG_NULL: u16 = 0x0010;

/// The RSA exponent that zero stands for.
const DEFAULT_EXPONENT: u32 = 65537;

#[derive(Debug)]
pub(crate) struct PublicArea<'a> {
    pub(crate) name_algorithm: u16,
    pub(crate) key: AreaKey<'a>,
}

/// The key in a public area.
#[derive(Debug)]
pub(crate) enum AreaKey<'a> {
    Rsa {
        n: &'a [u8],
        e: u32,
    },
    Ec {
        curve: Curve,
        x: &'a [u8],
        y: &'a [u8],
    },
}

impl<'a> PublicArea<'a> {
    /// Parses exactly `bytes`; `None` for keys other than RSA and elliptic curve ones.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let kind = fields.u16()?;
        let name_algorithm = fields.u16()?;
        fields.u32()?; // objectAttributes
        fields.sized()?; // authPolicy
        symmetric(&mut fields)?;
        let key = match kind {
            ALG_RSA => {
                scheme(&mut fields)?;
                let bits = fields.u16()?;
                let e = match fields.u32()? {
                    0 => DEFAULT_EXPONENT,
                    e => e,
                };
                let n = fields.sized()?;
                if n.len() != usize::from(bits).div_ceil(8) {
                    return None;
                }
                AreaKey::Rsa { n, e }
            }
            ALG_ECC => {
                scheme(&mut fields)?;
                let curve = match fields.u16()? {
                    0x0003 => Curve::P256,
                    0x0004 => Curve::P384,
                    0x0005 => Curve::P521,
                    _ => return None,
                };
                scheme(&mut fields)?; // kdf
                let (x, y) = (fields.sized()?, fields.sized()?);
                AreaKey::Ec { curve, x, y }
            }
            _ => return None,
        };
        fields.is_empty().then_some(Self {
            name_algorithm,
            key,
        })
    }
}

/// TPMT_SYM_DEF_OBJECT: present in full only for keys that protect other keys.
fn symmetric(fields: &mut Fields<'_>) -> Option<()> {
    match fields.u16()? {
        ALG_NULL => Some(()),
        _ => fields.skip::<4>(),
    }
}

/// TPMT_RSA_SCHEME, TPMT_ECC_SCHEME and TPMT_KDF_SCHEME: an algorithm, and for most a hash.
fn scheme(fields: &mut Fields<'_>) -> Option<()> {
    const RSAES: u16 = 0x0015;
    const ECDAA: u16 = 0x001a;
    match fields.u16()? {
        ALG_NULL | RSAES => Some(()),
        ECDAA => fields.skip::<4>(),
        _ => fields.skip::<2>(),
    }
}

impl AreaKey<'_> {
    /// Whether this is the same key.
    pub(super) fn is(&self, other: &PublicKey<'_>) -> bool {
        let same = |a, b| without_leading_zeros(a) == without_leading_zeros(b);
        match (self, other) {
            (Self::Rsa { n, e }, PublicKey::Rsa { n: n2, e: e2, .. }) => {
                same(n, n2) && same(&e.to_be_bytes(), e2)
            }
            (
                Self::Ec { curve, x, y },
                PublicKey::Ec2 {
                    algorithm,
                    x: x2,
                    y: y2,
                },
            ) => algorithm.curve() == Some(*curve) && same(x, x2) && same(y, y2),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use hallway_ctap::cose::Algorithm;

    use super::*;

    /// An RSA signing key of 2048 bits with the default exponent, as Windows makes them.
    fn rsa() -> Vec<u8> {
        let mut bytes =
            hex::decode("0001000b00060472000000100010080000000000 0100".replace(' ', "")).unwrap();
        bytes.extend([0xc3; 256]);
        bytes
    }

    #[test]
    fn an_rsa_key_is_read_and_compared() {
        let bytes = rsa();
        let area = PublicArea::parse(&bytes).unwrap();
        assert_eq!(area.name_algorithm, 0x000b);
        let key = |e| PublicKey::Rsa {
            algorithm: Algorithm::Rs256,
            n: &[0xc3; 256],
            e,
        };
        assert!(area.key.is(&key(&[1, 0, 1])));
        assert!(!area.key.is(&key(&[3])));
    }

    #[test]
    fn cuts_and_additions_are_refused() {
        let mut bytes = rsa();
        for end in 0..bytes.len() {
            assert!(PublicArea::parse(&bytes[..end]).is_none(), "{end}");
        }
        bytes.push(0);
        assert!(PublicArea::parse(&bytes).is_none());
    }
}
