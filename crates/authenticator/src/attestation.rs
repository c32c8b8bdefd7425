//! Attestation: what the authenticator says of its own make (WebAuthn Level 3, section 8.2).

use alloc::string::String;
use alloc::vec::Vec;

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::cbor::{Encode, Form, List, Map, MapBuilder};
use hallway_ctap::cose::Algorithm;

use crate::signatures::{PrivateKey, SignatureError, Signatures};

/// How new credentials are attested.
#[derive(Clone)]
pub enum Attestation {
    /// Not at all: format `none`.
    None,
    /// By the new credential's own key: format `packed`, self attestation.
    SelfSigned,
    /// By a key that the maker certified: format `packed` with a chain.
    Certified {
        /// DER certificates, the attestation key's own first, without the root.
        chain: Vec<Vec<u8>>,
        /// The ES256 key that the first certificate names.
        key: PrivateKey,
        /// The model, as the first certificate's id-fido-gen-ce-aaguid extension says.
        aaguid: Aaguid,
    },
}

/// An attestation statement.
pub(crate) struct Statement {
    pub(crate) format: String,
    /// A CBOR map.
    pub(crate) map: Vec<u8>,
}

impl Attestation {
    /// Which of the formats that the relying party prefers will be made: the first one that is
    /// supported, else the authenticator's own choice (CTAP 2.3, section 6.1.2).
    pub(crate) fn wants_packed(&self, preferred: &[&str]) -> bool {
        let able = !matches!(self, Self::None);
        preferred
            .iter()
            .find_map(|format| match *format {
                "none" => Some(false),
                "packed" if able => Some(true),
                _ => None,
            })
            .unwrap_or(able)
    }

    /// Makes the statement over authenticator data and client data hash.
    pub(crate) fn attest(
        &self,
        signatures: &mut impl Signatures,
        preferred: &[&str],
        credential_key: &PrivateKey,
        signed: &[u8],
    ) -> Result<Statement, SignatureError> {
        let (key, chain) = match self {
            Self::SelfSigned if self.wants_packed(preferred) => (credential_key, None),
            Self::Certified { chain, key, .. } if self.wants_packed(preferred) => {
                (key, Some(List(chain)))
            }
            _ => {
                return Ok(Statement {
                    format: "none".into(),
                    map: MapBuilder::new().finish(),
                });
            }
        };
        let signature = signatures.sign(key, signed)?;
        Ok(Statement {
            format: "packed".into(),
            map: MapBuilder::new()
                .put("alg", key.algorithm().id())
                .put("sig", &signature)
                .put_some("x5c", chain)
                .finish(),
        })
    }

    /// The record that keeps it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut map = MapBuilder::new();
        match self {
            Self::None => map.put(1, 0u8),
            Self::SelfSigned => map.put(1, 1u8),
            Self::Certified { chain, key, aaguid } => map
                .put(1, 2u8)
                .put(2, List(chain))
                .put(3, key.bytes())
                .put(4, aaguid.0),
        };
        let mut out = Vec::new();
        map.encode(&mut out);
        out
    }

    /// Reads the record; `None` if it is not one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let map = Map::parse(bytes, Form::Canonical).ok()?;
        match map.get(1)?.unsigned().ok()? {
            0 => Some(Self::None),
            1 => Some(Self::SelfSigned),
            2 => Some(Self::Certified {
                chain: map
                    .get(2)?
                    .list()
                    .ok()?
                    .iter()
                    .map(|certificate| certificate.bytes().ok().map(<[u8]>::to_vec))
                    .collect::<Option<_>>()?,
                key: PrivateKey::new(Algorithm::Es256, map.get(3)?.bytes().ok()?).ok()?,
                aaguid: Aaguid(*map.get(4)?.array().ok()?),
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signatures::RustCrypto;

    fn certified() -> Attestation {
        Attestation::Certified {
            chain: alloc::vec![alloc::vec![1, 2], alloc::vec![3]],
            key: PrivateKey::new(Algorithm::Es256, &[5; 32]).unwrap(),
            aaguid: Aaguid([6; 16]),
        }
    }

    #[test]
    fn records_survive() {
        for attestation in [Attestation::None, Attestation::SelfSigned, certified()] {
            let bytes = attestation.encode();
            assert_eq!(Attestation::decode(&bytes).unwrap().encode(), bytes);
        }
        assert!(Attestation::decode(&[0xa0]).is_none());
    }

    #[test]
    fn the_first_supported_format_wins() {
        let format = |attestation: Attestation, preferred: &[&str]| {
            let key = PrivateKey::derive(Algorithm::EdDsa, &[1; 32]).unwrap();
            attestation
                .attest(&mut RustCrypto, preferred, &key, b"signed")
                .unwrap()
                .format
        };
        assert_eq!(format(certified(), &[]), "packed");
        assert_eq!(format(certified(), &["tpm", "none", "packed"]), "none");
        assert_eq!(format(certified(), &["tpm"]), "packed");
        assert_eq!(format(Attestation::None, &["packed"]), "none");
        assert_eq!(
            format(Attestation::SelfSigned, &["packed", "none"]),
            "packed"
        );
    }
}
