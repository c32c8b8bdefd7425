//! The key that a device attested.

use hallway_ctap::cose::Curve;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::attestation::tpm::AreaKey;
use crate::certificate::{Certificate, spki_key};
use crate::signature::{Key, without_leading_zeros};

/// A public key, to compare with the one in a certificate request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttestedKey(Material);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Material {
    /// A SubjectPublicKeyInfo, DER.
    Spki(Vec<u8>),
    Ec {
        curve: Curve,
        x: Vec<u8>,
        y: Vec<u8>,
    },
    Rsa {
        n: Vec<u8>,
        e: u32,
    },
}

impl AttestedKey {
    pub(super) fn from_certificate(leaf: &Certificate<'_>) -> Self {
        Self(Material::Spki(leaf.x509().public_key().raw.to_vec()))
    }

    pub(super) fn from_area(key: &AreaKey<'_>) -> Self {
        Self(match *key {
            AreaKey::Rsa { n, e } => Material::Rsa { n: n.to_vec(), e },
            AreaKey::Ec { curve, x, y } => Material::Ec {
                curve,
                x: x.to_vec(),
                y: y.to_vec(),
            },
        })
    }

    /// Whether a SubjectPublicKeyInfo, DER, is for this key.
    pub fn is(&self, spki: &[u8]) -> bool {
        let number = |a: &[u8], b: &[u8]| without_leading_zeros(a) == without_leading_zeros(b);
        let Ok(([], parsed)) = SubjectPublicKeyInfo::from_der(spki) else {
            return false;
        };
        match (&self.0, spki_key(&parsed)) {
            (Material::Spki(own), _) => own == spki,
            (
                Material::Ec { curve, x, y },
                Some(Key::EcPoint {
                    curve: found,
                    point,
                }),
            ) => {
                let (form, coordinates) = point.split_first().unwrap_or((&0, &[]));
                let (a, b) = coordinates.split_at(coordinates.len() / 2);
                *curve == found && *form == 4 && number(x, a) && number(y, b)
            }
            (Material::Rsa { n, e }, Some(Key::Rsa { n: n2, e: e2 })) => {
                number(n, n2) && number(&e.to_be_bytes(), e2)
            }
            _ => false,
        }
    }
}
