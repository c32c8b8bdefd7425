//! Attestation: the authenticator's statement about its model (WebAuthn Level 3, section 8.2).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::cbor::{Encode, Form, List, Map, MapBuilder, Value};
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
    /// By a certificate that identifies this individual key, where its owner and the relying
    /// party's organisation agreed to that (CTAP 2.3, section 7.1); otherwise by one that does not.
    Enterprise(Box<Enterprise>),
}

/// An enterprise attestation.
#[derive(Clone)]
pub struct Enterprise {
    /// The attestation for all other relying parties: never an enterprise attestation.
    pub everyday: Everyday,
    /// DER certificates, the attestation key's own first, without the root.
    pub chain: Vec<Vec<u8>>,
    /// The ES256 key that the first certificate names.
    pub key: PrivateKey,
    /// The model, which both attestations share.
    pub aaguid: Aaguid,
    /// Ids of the relying parties that the maker chose for it (vendor-facilitated, CTAP 2.3,
    /// section 7.1.1); a platform may choose others.
    pub rp_ids: Vec<String>,
}

/// The attestation for relying parties that must not learn which individual key it is.
#[derive(Clone)]
pub enum Everyday {
    /// Self attestation.
    SelfSigned,
    /// A certificate that a large batch of keys shares.
    Batch {
        /// DER certificates, the attestation key's own first, without the root.
        chain: Vec<Vec<u8>>,
        /// The ES256 key that the first certificate names.
        key: PrivateKey,
    },
}

/// Who may learn which individual key it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Audience {
    Everybody,
    Enterprise,
}

pub(crate) struct Statement {
    pub(crate) format: String,
    /// A CBOR map; `None` where the platform wants no statement at all.
    pub(crate) map: Option<Vec<u8>>,
    /// Whether it is an enterprise attestation, which identifies this individual key.
    pub(crate) enterprise: bool,
}

/// The format without a statement.
const NONE: &str = "none";

type Signer<'a> = (&'a PrivateKey, Option<&'a [Vec<u8>]>);

impl Attestation {
    /// The model, where the attestation names one.
    pub const fn aaguid(&self) -> Option<Aaguid> {
        match self {
            Self::None | Self::SelfSigned => None,
            Self::Certified { aaguid, .. } => Some(*aaguid),
            Self::Enterprise(enterprise) => Some(enterprise.aaguid),
        }
    }

    /// The key and the chain that attest to everybody, where they are not the credential's own.
    pub(crate) fn certificate(&self) -> Option<(&PrivateKey, &[Vec<u8>])> {
        match self {
            Self::Certified { chain, key, .. } => Some((key, chain)),
            Self::Enterprise(enterprise) => match &enterprise.everyday {
                Everyday::Batch { chain, key } => Some((key, chain)),
                Everyday::SelfSigned => None,
            },
            Self::None | Self::SelfSigned => None,
        }
    }

    /// Whether the maker chose this relying party for enterprise attestation.
    pub(crate) fn is_for_enterprise(&self, rp_id: &str) -> bool {
        match self {
            Self::Enterprise(enterprise) => enterprise.rp_ids.iter().any(|known| known == rp_id),
            Self::None | Self::SelfSigned | Self::Certified { .. } => false,
        }
    }

    /// Whether the format will be `packed`: the first of the relying party's preferred formats
    /// that is supported, else the authenticator's own choice (CTAP 2.3, section 6.1.2, step 17).
    pub(crate) fn wants_packed(&self, preferred: &[&str]) -> bool {
        let able = !matches!(self, Self::None);
        preferred
            .iter()
            .find_map(|format| match *format {
                NONE => Some(false),
                "packed" if able => Some(true),
                _ => None,
            })
            .unwrap_or(able)
    }

    /// Makes the statement over authenticator data and client data hash. `own_key` is the attested
    /// key, if it can sign for itself: where it cannot, and nothing else attests, the format is
    /// `none`.
    pub(crate) fn attest(
        &self,
        signatures: &mut impl Signatures,
        preferred: &[&str],
        audience: Audience,
        own_key: Option<&PrivateKey>,
        signed: &[u8],
    ) -> Result<Statement, SignatureError> {
        let signer = self.signer(audience, own_key);
        let Some((key, chain)) = signer.filter(|_| self.wants_packed(preferred)) else {
            return Ok(Statement {
                format: NONE.into(),
                map: (preferred != [NONE]).then(|| MapBuilder::new().finish()),
                enterprise: false,
            });
        };
        let signature = signatures.sign(key, signed)?;
        Ok(Statement {
            format: "packed".into(),
            map: Some(
                MapBuilder::new()
                    .put("alg", key.algorithm().id())
                    .put("sig", &signature)
                    .put_some("x5c", chain.map(List))
                    .finish(),
            ),
            enterprise: audience == Audience::Enterprise && matches!(self, Self::Enterprise(_)),
        })
    }

    /// The key that signs a packed statement, and its certificates.
    fn signer<'a>(
        &'a self,
        audience: Audience,
        own_key: Option<&'a PrivateKey>,
    ) -> Option<Signer<'a>> {
        match (self, audience) {
            (Self::Enterprise(enterprise), Audience::Enterprise) => {
                Some((&enterprise.key, Some(&enterprise.chain)))
            }
            _ => match self.certificate() {
                Some((key, chain)) => Some((key, Some(chain))),
                None => own_key.map(|key| (key, None)),
            },
        }
    }

    /// Encodes the attestation as a storage record.
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
            Self::Enterprise(enterprise) => {
                map.put(1, 3u8)
                    .put(2, List(&enterprise.chain))
                    .put(3, enterprise.key.bytes())
                    .put(4, enterprise.aaguid.0);
                if let Everyday::Batch { chain, key } = &enterprise.everyday {
                    map.put(5, List(chain)).put(6, key.bytes());
                }
                if !enterprise.rp_ids.is_empty() {
                    map.put(7, List(&enterprise.rp_ids));
                }
                &mut map
            }
        };
        let mut out = Vec::new();
        map.encode(&mut out);
        out
    }

    /// Decodes the record; `None` if it is malformed.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let map = Map::parse(bytes, Form::Canonical).ok()?;
        let chain = |key: i64| -> Option<Vec<Vec<u8>>> {
            let list = map.get(key)?.list().ok()?;
            list.iter()
                .map(|certificate| certificate.bytes().ok().map(<[u8]>::to_vec))
                .collect()
        };
        let key = |key: i64| PrivateKey::new(Algorithm::Es256, map.get(key)?.bytes().ok()?).ok();
        let aaguid = || Some(Aaguid(*map.get(4)?.array().ok()?));
        match map.get(1)?.unsigned().ok()? {
            0 => Some(Self::None),
            1 => Some(Self::SelfSigned),
            2 => Some(Self::Certified {
                chain: chain(2)?,
                key: key(3)?,
                aaguid: aaguid()?,
            }),
            3 => Some(Self::Enterprise(Box::new(Enterprise {
                everyday: match map.get(5) {
                    Some(_) => Everyday::Batch {
                        chain: chain(5)?,
                        key: key(6)?,
                    },
                    None => Everyday::SelfSigned,
                },
                chain: chain(2)?,
                key: key(3)?,
                aaguid: aaguid()?,
                rp_ids: match map.get(7) {
                    Some(list) => texts(list)?,
                    None => Vec::new(),
                },
            }))),
            _ => None,
        }
    }
}

fn texts(list: Value<'_>) -> Option<Vec<String>> {
    let list = list.list().ok()?;
    list.iter()
        .map(|text| text.text().ok().map(String::from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signatures::RustCrypto;

    fn key(byte: u8) -> PrivateKey {
        PrivateKey::new(Algorithm::Es256, &[byte; 32]).unwrap()
    }

    fn certified() -> Attestation {
        Attestation::Certified {
            chain: alloc::vec![alloc::vec![1, 2], alloc::vec![3]],
            key: key(5),
            aaguid: Aaguid([6; 16]),
        }
    }

    fn enterprise(everyday: Everyday) -> Attestation {
        Attestation::Enterprise(Box::new(Enterprise {
            everyday,
            chain: alloc::vec![alloc::vec![7]],
            key: key(8),
            aaguid: Aaguid([9; 16]),
            rp_ids: alloc::vec!["work.example".into(), "shop.example".into()],
        }))
    }

    fn batch() -> Everyday {
        Everyday::Batch {
            chain: alloc::vec![alloc::vec![4]],
            key: key(5),
        }
    }

    fn statement(attestation: &Attestation, preferred: &[&str], audience: Audience) -> Statement {
        let key = PrivateKey::derive(Algorithm::EdDsa, &[1; 32]).unwrap();
        attestation
            .attest(&mut RustCrypto, preferred, audience, Some(&key), b"signed")
            .unwrap()
    }

    #[test]
    fn records_survive() {
        for attestation in [
            Attestation::None,
            Attestation::SelfSigned,
            certified(),
            enterprise(Everyday::SelfSigned),
            enterprise(batch()),
        ] {
            let bytes = attestation.encode();
            assert_eq!(Attestation::decode(&bytes).unwrap().encode(), bytes);
        }
        assert!(Attestation::decode(&[0xa0]).is_none());
    }

    #[test]
    fn the_first_supported_format_wins() {
        let format = |attestation: Attestation, preferred: &[&str]| {
            statement(&attestation, preferred, Audience::Everybody).format
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

    #[test]
    fn a_platform_that_wants_no_statement_gets_none() {
        let silent = statement(&certified(), &["none"], Audience::Everybody);
        assert_eq!(silent.map, None);
        let none = statement(&certified(), &["none", "packed"], Audience::Everybody);
        assert_eq!(none.map, Some(alloc::vec![0xa0]));
    }

    #[test]
    fn only_the_enterprise_learns_which_key_it_is() {
        let chain = |attestation: &Attestation, audience| {
            let made = statement(attestation, &[], audience);
            let map = made.map.unwrap();
            let map = Map::parse(&map, Form::Canonical).unwrap();
            let first = map
                .get("x5c")
                .and_then(|chain| chain.list().ok()?.iter().next()?.bytes().ok());
            (made.enterprise, first.map(<[u8]>::to_vec))
        };
        let with_batch = enterprise(batch());
        let with_self = enterprise(Everyday::SelfSigned);
        assert_eq!(
            chain(&with_batch, Audience::Everybody),
            (false, Some(alloc::vec![4]))
        );
        assert_eq!(chain(&with_self, Audience::Everybody), (false, None));
        for attestation in [with_batch, with_self] {
            assert_eq!(
                chain(&attestation, Audience::Enterprise),
                (true, Some(alloc::vec![7]))
            );
        }
    }
}
