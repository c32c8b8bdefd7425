//! How devices and the issuers that attest them are recognised when their certificates change.
//!
//! A maker's certificate is renewed, removed and installed again, signed by somebody else, or made
//! for a new key under the old name. What stays the same is the key or the name, so a unit is known
//! by its serial number under each key and each name on the way from its certificate to the anchor,
//! and by its own attested key under any number.

use std::collections::BTreeSet;

use hallway_spine::sha256;
use hallway_spine::store::DeviceMark;
use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::oid_registry::OID_PKCS1_RSAENCRYPTION;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name};

/// The key and the name by which an issuer is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Issuer {
    /// SHA-256 of its public key, as [`key_hash`] writes one.
    pub(crate) key: [u8; 32],
    /// SHA-256 of its name, as [`name_hash`] writes one; `None` for an empty name, which
    /// identifies no issuer.
    pub(crate) subject: Option<[u8; 32]>,
}

/// The keys and names of a device's issuers, past and present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issuers {
    /// Hashes of public keys.
    pub keys: BTreeSet<[u8; 32]>,
    /// Hashes of names.
    pub subjects: BTreeSet<[u8; 32]>,
}

impl Issuers {
    /// Adds an issuer, and returns whether its key or its name is new.
    pub(crate) fn add(&mut self, key: [u8; 32], subject: Option<[u8; 32]>) -> bool {
        let new_key = self.keys.insert(key);
        let new_subject = subject.is_some_and(|subject| self.subjects.insert(subject));
        new_key || new_subject
    }

    /// The marks of the unit with this serial number under these issuers.
    pub(crate) fn marks(&self, serial: &str) -> impl Iterator<Item = DeviceMark> {
        let serial = prepared(serial);
        let keys = self.keys.iter().map(|hash| (b'k', hash));
        let subjects = self.subjects.iter().map(|hash| (b's', hash));
        keys.chain(subjects).map(move |(kind, hash)| {
            let parts = [&[kind][..], hash, serial.as_bytes()];
            DeviceMark(sha256(&parts.concat()))
        })
    }
}

impl Issuer {
    /// Reads a certificate; `None` if the bytes are no certificate.
    pub(crate) fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Self {
            key: key_hash(certificate.public_key()),
            subject: name_hash(certificate.subject()),
        })
    }
}

/// The issuers on the way from the leaf of `chain`, which is left out, to the `anchor`, with
/// `below` certificates of the chain under it; `None` if one of them is no certificate.
pub(crate) fn on_the_way(chain: &[Vec<u8>], below: usize, anchor: &[u8]) -> Option<Issuers> {
    let mut found = Issuers::default();
    let between = chain.iter().take(below).skip(1).map(Vec::as_slice);
    for der in between.chain([anchor]) {
        let Issuer { key, subject } = Issuer::of(der)?;
        found.add(key, subject);
    }
    Some(found)
}

/// How many certificates of a chain, leaf first, that led to `anchor` are below it.
pub(crate) fn below(chain: &[Vec<u8>], anchor: &[u8]) -> Option<usize> {
    let (_, top) = X509Certificate::from_der(anchor).ok()?;
    for (depth, der) in chain.iter().enumerate() {
        if der == anchor {
            return Some(depth);
        }
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        if certificate.issuer().as_raw() == top.subject().as_raw() {
            return Some(depth + 1);
        }
    }
    None
}

/// The mark of the unit whose own key this certificate attests, under any serial number.
pub(crate) fn unit_mark(leaf: &[u8]) -> Option<DeviceMark> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    let key = key_hash(certificate.public_key());
    Some(DeviceMark(sha256(&[b"u".as_slice(), &key].concat())))
}

/// SHA-256 of a SubjectPublicKeyInfo, without the freedom that its encoding leaves: RSA's
/// parameters are NULL or missing (RFC 3279, 2.3.1; RFC 8017, A.1).
fn key_hash(key: &SubjectPublicKeyInfo<'_>) -> [u8; 32] {
    let mut canonical = Vec::new();
    push(&mut canonical, key.algorithm.algorithm.as_bytes());
    let parameters = key.algorithm.parameters.as_ref();
    let parameters = parameters.filter(|_| key.algorithm.algorithm != OID_PKCS1_RSAENCRYPTION);
    push(&mut canonical, parameters.map_or(&[][..], Any::as_bytes));
    push(&mut canonical, &key.subject_public_key.data);
    sha256(&canonical)
}

/// SHA-256 of a name as names are compared (RFC 5280, 7.1): neither case nor white space nor the
/// kind of string matters, nor the order within a relative name.
fn name_hash(name: &X509Name<'_>) -> Option<[u8; 32]> {
    let mut canonical = Vec::new();
    for relative in name.iter() {
        let mut attributes: Vec<(Vec<u8>, Vec<u8>)> = relative
            .iter()
            .map(|attribute| {
                let oid = attribute.attr_type().as_bytes().to_vec();
                (oid, comparable(attribute.attr_value()))
            })
            .collect();
        attributes.sort();
        canonical.extend_from_slice(&(attributes.len() as u64).to_be_bytes());
        for (oid, value) in attributes {
            push(&mut canonical, &oid);
            push(&mut canonical, &value);
        }
    }
    (!canonical.is_empty()).then(|| sha256(&canonical))
}

fn push(canonical: &mut Vec<u8>, part: &[u8]) {
    canonical.extend_from_slice(&(part.len() as u64).to_be_bytes());
    canonical.extend_from_slice(part);
}

/// An attribute's value: the text of any kind of string, or else the bytes as they are.
fn comparable(value: &Any<'_>) -> Vec<u8> {
    let bytes = value.data;
    let text = match value.tag() {
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::NumericString
        | Tag::Ia5String
        | Tag::VisibleString => core::str::from_utf8(bytes).ok().map(str::to_owned),
        // Latin 1, as all readers take it.
        Tag::T61String => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString => {
            let units = bytes.chunks(2).map(|pair| match pair {
                [high, low] => u16::from_be_bytes([*high, *low]),
                _ => 0,
            });
            String::from_utf16(&units.collect::<Vec<u16>>()).ok()
        }
        Tag::UniversalString => bytes
            .chunks(4)
            .map(|four| {
                let four = <[u8; 4]>::try_from(four).ok()?;
                char::from_u32(u32::from_be_bytes(four))
            })
            .collect(),
        _ => None,
    };
    match text {
        Some(text) => [b"t", prepared(&text).as_bytes()].concat(),
        None => {
            let tag = value.tag().0.to_be_bytes();
            [b"b".as_slice(), &tag, bytes].concat()
        }
    }
}

/// Text as caseIgnoreMatch compares it (RFC 4518; X.520, section 7): mapped, folded, normalized,
/// and with no more white space than one space between two words. So is a serialNumber (RFC 4519,
/// 2.31). Text that may not stand in a name is only folded.
fn prepared(text: &str) -> String {
    // The library folds case without normalizing, or normalizes without folding.
    let folded = stringprep::x520prep(text, true).and_then(|folded| {
        let normalized = stringprep::x520prep(&folded, false)?;
        Ok(normalized.into_owned())
    });
    let folded = folded.unwrap_or_else(|_| text.to_lowercase());
    let words: Vec<&str> = folded.split_whitespace().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, KeyPair,
    };

    use super::*;

    fn issuer(name: impl Into<DnValue>, key: &KeyPair) -> Issuer {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Issuer::of(params.self_signed(key).unwrap().der()).unwrap()
    }

    #[test]
    fn a_name_is_the_same_however_it_is_written() {
        let key = KeyPair::generate().unwrap();
        let first = issuer("Cameras Ltd", &key);
        let printable = DnValue::PrintableString("CAMERAS  Ltd ".try_into().unwrap());
        let wide = DnValue::BmpString("cameras ltd".try_into().unwrap());
        for other in [printable, wide, "Ｃameras\u{a0}Ltd".into()] {
            let same = issuer(other.clone(), &key);
            assert_eq!(same, first, "{other:?}");
        }
        let other = issuer("Cameras Limited", &key);
        assert_eq!(other.key, first.key);
        assert_ne!(other.subject, first.subject);
    }

    #[test]
    fn another_key_has_another_hash_and_an_empty_name_has_none() {
        let (one, two) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let (first, second) = (issuer("A", &one), issuer("A", &two));
        assert_ne!(first.key, second.key);
        assert_eq!(first.subject, second.subject);
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let nameless = params.self_signed(&one).unwrap();
        let nameless = Issuer::of(nameless.der()).unwrap();
        assert_eq!((nameless.key, nameless.subject), (first.key, None));
    }

    #[test]
    fn a_serial_number_is_compared_as_its_attribute_is() {
        let mut issuers = Issuers::default();
        assert!(issuers.add([1; 32], Some([2; 32])));
        assert!(!issuers.add([1; 32], None));
        let marks = |serial| issuers.marks(serial).collect::<Vec<_>>();
        assert_eq!(marks("SN-1").len(), 2);
        assert_eq!(marks("SN-1"), marks(" sn-1 "));
        assert_eq!(marks("SN 1"), marks("sn   1"));
        assert_ne!(marks("SN-1"), marks("SN-01"));
        assert_ne!(marks("SN-1"), marks("SN1"));
    }

    #[test]
    fn only_what_was_verified_is_on_the_way() {
        let keys = [(); 3].map(|()| KeyPair::generate().unwrap());
        let der = |key| {
            CertificateParams::new(vec!["a".to_owned()])
                .unwrap()
                .self_signed(key)
                .unwrap()
                .der()
                .to_vec()
        };
        let [leaf, between, top] = keys.each_ref().map(der);
        let hash = |der: &[u8]| Issuer::of(der).unwrap().key;
        let chain = [leaf.clone(), between.clone(), top.clone()];
        let way = on_the_way(&chain, 1, &between).unwrap();
        assert_eq!(way.keys, BTreeSet::from([hash(&between)]));
        let way = on_the_way(&chain, 2, &top).unwrap();
        assert_eq!(way.keys, BTreeSet::from([hash(&between), hash(&top)]));
        let listed = on_the_way(&chain, 0, &leaf).unwrap();
        assert_eq!(listed.keys, BTreeSet::from([hash(&leaf)]));
        assert_eq!(on_the_way(&chain, 2, b"no certificate"), None);
    }
}
