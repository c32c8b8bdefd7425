//! The outermost layer of a certificate.

use x509_parser::x509::X509Name;

use super::shown;
use crate::der::{self, Reader, Tag};

/// The U2F keys whose certificates Yubico issued with a wrong number of unused bits in the
/// signature, which changes nothing about its bytes. Yubico's own libraries know the same six.
const EARLY_YUBICO: [&str; 6] = [
    "CN=Yubico U2F EE Serial 776137165",
    "CN=Yubico U2F EE Serial 1086591525",
    "CN=Yubico U2F EE Serial 1973679733",
    "CN=Yubico U2F EE Serial 13503277888",
    "CN=Yubico U2F EE Serial 13831167861",
    "CN=Yubico U2F EE Serial 14803321578",
];

/// A certificate's three fields (RFC 5280, 4.1).
pub(super) struct Parts<'a> {
    /// What the issuer signed, whole.
    pub(super) signed: &'a [u8],
    pub(super) signature: &'a [u8],
    /// How many bits of the signature do not count; should be 0.
    unused_bits: u8,
}

impl<'a> Parts<'a> {
    /// `None` unless both fields that name the signature algorithm are the same, byte for byte
    /// (4.1.1.2).
    pub(super) fn split(der: &'a [u8]) -> Option<Self> {
        let mut certificate = Reader::new(der::only(der, Tag::SEQUENCE)?);
        let signed = certificate.next()?;
        if signed.tag != Tag::SEQUENCE {
            return None;
        }
        let outer = certificate.next()?;
        let (unused_bits, signature) = certificate.expect(Tag::BIT_STRING)?.split_first()?;
        let mut fields = Reader::new(signed.content);
        fields.optional(Tag::context(0));
        fields.expect(Tag::INTEGER)?;
        let same = fields.next()?.raw == outer.raw;
        (same && certificate.is_empty()).then_some(Self {
            signed: signed.raw,
            signature,
            unused_bits: *unused_bits,
        })
    }

    /// Whether all bits of the signature count, or the subject is one of [`EARLY_YUBICO`].
    pub(super) fn signature_is_whole(&self, subject: &X509Name<'_>) -> bool {
        self.unused_bits == 0 || EARLY_YUBICO.contains(&shown(subject).as_str())
    }
}

#[cfg(test)]
mod tests {
    use crate::certificate::{Certificate, CertificateError};

    /// A certificate with this name that says `bits` bits of its signature were unused.
    fn miscounting(name: &str, bits: u8) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let mut der = params.self_signed(&key).unwrap().der().to_vec();
        let at = der.len() - 65;
        der[at] = bits;
        der
    }

    #[test]
    fn unused_bits_are_miscounted_by_early_yubico_keys_only() {
        let der = miscounting("Yubico U2F EE Serial 776137165", 3);
        let certificate = Certificate::parse(&der).unwrap();
        assert_eq!(certificate.verify_signed_by(&certificate), Ok(()));
        assert!(Certificate::parse(&miscounting("Anybody", 0)).is_ok());
        assert_eq!(
            Certificate::parse(&miscounting("Anybody", 3)).unwrap_err(),
            CertificateError::Malformed
        );
    }
}
