//! Reading X.509 certificates: what attestation needs of RFC 5280, and no more.

mod parts;
mod rsa_pss;

use hallway_ctap::cose::{Algorithm, Curve};
use x509_parser::certificate::TbsCertificate;
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo, X509Name, X509Version};

use self::parts::Parts;
use crate::relying_party::UnixSeconds;
use crate::signature::{self, Hash, Key, Scheme, SignatureError};

/// The most certificates in one chain.
pub const MAX_CHAIN: usize = 8;

/// The most bytes of one certificate.
pub const MAX_CERTIFICATE: usize = 32 * 1024;

/// Why a certificate, or a chain of them, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not one DER certificate.
    #[error("not an X.509 certificate, or one with bytes after it")]
    Malformed,
    /// Longer than [`MAX_CERTIFICATE`].
    #[error("the certificate is longer than {MAX_CERTIFICATE} bytes")]
    TooLong,
    /// An extension occurs twice.
    #[error("the certificate has the extension {0} twice")]
    DuplicateExtension(String),
    /// An extension's value cannot be read.
    #[error("the certificate's extension {0} is malformed")]
    MalformedExtension(&'static str),
    /// A critical extension that nothing here understands.
    #[error("the certificate of \"{subject}\" has the unknown critical extension {oid}")]
    CriticalExtension {
        /// The subject's name.
        subject: String,
        /// The extension's object identifier.
        oid: String,
    },
    /// The public key is of an unknown kind.
    #[error("the certificate of \"{0}\" has a public key of an unknown kind")]
    PublicKey(String),
    /// Signed by an unknown or forbidden algorithm, or the two places that name it differ.
    #[error("the certificate of \"{0}\" is signed by an algorithm that is not accepted")]
    SignatureAlgorithm(String),
    /// The issuer did not sign it.
    #[error("the signature on the certificate of \"{0}\" does not verify")]
    Signature(String),
    /// Not valid yet.
    #[error("the certificate of \"{subject}\" is not valid before {from} (seconds since 1970)")]
    NotYetValid {
        /// The subject's name.
        subject: String,
        /// The start of its validity.
        from: i64,
    },
    /// Not valid any more.
    #[error("the certificate of \"{subject}\" expired at {until} (seconds since 1970)")]
    Expired {
        /// The subject's name.
        subject: String,
        /// The end of its validity.
        until: i64,
    },
    /// The next certificate of the chain is not the issuer.
    #[error(
        "the certificate of \"{subject}\" was issued by \"{issuer}\", not by the next one in the \
         chain"
    )]
    WrongIssuer {
        /// The subject's name.
        subject: String,
        /// The issuer that it names.
        issuer: String,
    },
    /// A certificate that issued another is not a certificate authority's.
    #[error("\"{0}\" issued a certificate, but is not a certificate authority")]
    NotAuthority(String),
    /// More intermediate certificates than a path length constraint allows.
    #[error("the chain is longer than the path length constraint of \"{0}\" allows")]
    PathLength(String),
    /// The chain ends without reaching a trust anchor.
    #[error("no trust anchor issued \"{0}\"")]
    NotAnchored(String),
    /// No certificate, or more than [`MAX_CHAIN`](crate::MAX_CHAIN).
    #[error("a chain has 1 to {max} certificates, not {0}", max = MAX_CHAIN)]
    ChainLength(usize),
}

/// A certificate, borrowed from its DER form.
#[derive(Clone, Debug)]
pub(crate) struct Certificate<'a> {
    der: &'a [u8],
    /// What the issuer signed: `parsed`, as it came.
    signed: &'a [u8],
    parsed: TbsCertificate<'a>,
    signature: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Parses exactly one certificate, each of whose extensions occurs once.
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE {
            return Err(CertificateError::TooLong);
        }
        let parts = Parts::split(der).ok_or(CertificateError::Malformed)?;
        let (rest, parsed) =
            TbsCertificate::from_der(parts.signed).map_err(|_| CertificateError::Malformed)?;
        if !rest.is_empty() || !parts.signature_is_whole(parsed.subject()) {
            return Err(CertificateError::Malformed);
        }
        let extensions = parsed.extensions();
        for (i, extension) in extensions.iter().enumerate() {
            if extensions
                .iter()
                .take(i)
                .any(|earlier| earlier.oid == extension.oid)
            {
                let oid = extension.oid.to_id_string();
                return Err(CertificateError::DuplicateExtension(oid));
            }
        }
        Ok(Self {
            der,
            signed: parts.signed,
            parsed,
            signature: parts.signature,
        })
    }

    pub(crate) const fn der(&self) -> &'a [u8] {
        self.der
    }

    /// The fields that the issuer signed.
    pub(crate) const fn x509(&self) -> &TbsCertificate<'a> {
        &self.parsed
    }

    pub(crate) fn is_v3(&self) -> bool {
        self.parsed.version() == X509Version::V3
    }

    pub(crate) fn subject(&self) -> String {
        shown(self.parsed.subject())
    }

    pub(crate) fn issuer(&self) -> String {
        shown(self.parsed.issuer())
    }

    /// The only value of a subject attribute, such as 2.5.4.5, serialNumber; `None` where there is
    /// none, or more than one.
    pub(crate) fn subject_attribute(&self, oid: &Oid<'_>) -> Option<&str> {
        let mut values = self
            .parsed
            .subject()
            .iter_attributes()
            .filter(|attribute| attribute.attr_type() == oid);
        let first = values.next()?;
        match values.next() {
            None => first.as_str().ok(),
            Some(_) => None,
        }
    }

    /// Whether the subject has an attribute whose bytes, of any string type, satisfy `is`.
    pub(crate) fn subject_has(&self, oid: &Oid<'_>, is: impl Fn(&[u8]) -> bool) -> bool {
        self.parsed
            .subject()
            .iter_attributes()
            .any(|attribute| attribute.attr_type() == oid && is(attribute.as_slice()))
    }

    /// The content of an extension and whether it is critical.
    pub(crate) fn extension(&self, oid: &Oid<'_>) -> Option<(&'a [u8], bool)> {
        self.parsed
            .extensions()
            .iter()
            .find(|extension| extension.oid == *oid)
            .map(|extension| (extension.value, extension.critical))
    }

    /// Basic constraints: whether it is an authority, and its path length. `None` without the
    /// extension.
    pub(crate) fn basic_constraints(
        &self,
    ) -> Result<Option<(bool, Option<u32>)>, CertificateError> {
        self.parsed
            .basic_constraints()
            .map(|found| found.map(|b| (b.value.ca, b.value.path_len_constraint)))
            .map_err(|_| CertificateError::MalformedExtension("basicConstraints"))
    }

    /// Whether the key may sign certificates; true where key usage is not restricted.
    pub(crate) fn may_sign_certificates(&self) -> Result<bool, CertificateError> {
        self.parsed
            .key_usage()
            .map(|found| found.is_none_or(|usage| usage.value.key_cert_sign()))
            .map_err(|_| CertificateError::MalformedExtension("keyUsage"))
    }

    pub(crate) fn verify_time(&self, now: UnixSeconds) -> Result<(), CertificateError> {
        let validity = self.parsed.validity();
        let (from, until) = (
            validity.not_before.timestamp(),
            validity.not_after.timestamp(),
        );
        if now.0 < from {
            let subject = self.subject();
            Err(CertificateError::NotYetValid { subject, from })
        } else if now.0 > until {
            let subject = self.subject();
            Err(CertificateError::Expired { subject, until })
        } else {
            Ok(())
        }
    }

    pub(crate) fn key(&self) -> Result<Key<'_>, CertificateError> {
        spki_key(self.parsed.public_key())
            .ok_or_else(|| CertificateError::PublicKey(self.subject()))
    }

    /// Checks this certificate's signature by the issuer's key.
    pub(crate) fn verify_signed_by(
        &self,
        issuer: &Certificate<'_>,
    ) -> Result<(), CertificateError> {
        let algorithm = &self.parsed.signature;
        if certificate_scheme(algorithm).is_none() {
            return Err(CertificateError::SignatureAlgorithm(self.subject()));
        }
        issuer
            .verify_signature(algorithm, self.signed, self.signature)
            .map_err(|_| CertificateError::Signature(self.subject()))
    }

    /// Checks a signature by this certificate's key.
    pub(crate) fn verify_signature(
        &self,
        algorithm: &AlgorithmIdentifier<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let unsupported = SignatureError::Unsupported("an X.509 algorithm");
        let (Some(scheme), Ok(key)) = (certificate_scheme(algorithm), self.key()) else {
            return Err(unsupported);
        };
        signature::verify_raw(scheme, &key, message, signature)
    }
}

/// A name as text, at most 200 characters.
fn shown(name: &X509Name<'_>) -> String {
    name.to_string().chars().take(200).collect()
}

const EC: &str = "1.2.840.10045.2.1";
const RSA: &str = "1.2.840.113549.1.1.1";
const RSA_PSS: &str = "1.2.840.113549.1.1.10";
const ED25519: &str = "1.3.101.112";
const ED448: &str = "1.3.101.113";

/// The key in a SubjectPublicKeyInfo; `None` for kinds that this crate has no check for.
pub(crate) fn spki_key<'k>(spki: &'k SubjectPublicKeyInfo<'_>) -> Option<Key<'k>> {
    let bits = spki.subject_public_key.as_ref();
    match spki.algorithm.algorithm.to_id_string().as_str() {
        EC => {
            let curve = spki.algorithm.parameters.as_ref()?.as_oid().ok()?;
            let curve = match curve.to_id_string().as_str() {
                "1.2.840.10045.3.1.7" => Curve::P256,
                "1.3.132.0.34" => Curve::P384,
                "1.3.132.0.35" => Curve::P521,
                "1.3.132.0.10" => Curve::Secp256k1,
                _ => return None,
            };
            Some(Key::EcPoint { curve, point: bits })
        }
        RSA => match spki.parsed().ok()? {
            x509_parser::public_key::PublicKey::RSA(key) => Some(Key::Rsa {
                n: without_sign_byte(key.modulus),
                e: without_sign_byte(key.exponent),
            }),
            _ => None,
        },
        ED25519 => Some(Key::Ed25519(bits)),
        ED448 => Some(Key::Ed448(bits)),
        "2.16.840.1.101.3.4.3.17" => ml_dsa(Algorithm::MlDsa44, bits),
        "2.16.840.1.101.3.4.3.18" => ml_dsa(Algorithm::MlDsa65, bits),
        "2.16.840.1.101.3.4.3.19" => ml_dsa(Algorithm::MlDsa87, bits),
        _ => None,
    }
}

const fn ml_dsa(algorithm: Algorithm, key: &[u8]) -> Option<Key<'_>> {
    Some(Key::MlDsa { algorithm, key })
}

/// A DER integer is signed: a positive number whose first bit is set has a zero byte before it.
fn without_sign_byte(number: &[u8]) -> &[u8] {
    match number {
        [0, rest @ ..] if !rest.is_empty() => rest,
        _ => number,
    }
}

/// The scheme of an X.509 signature algorithm. SHA-1 is refused.
fn certificate_scheme(algorithm: &AlgorithmIdentifier<'_>) -> Option<Scheme> {
    Some(match algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.10045.4.3.2" => Scheme::Ecdsa(Hash::Sha256),
        "1.2.840.10045.4.3.3" => Scheme::Ecdsa(Hash::Sha384),
        "1.2.840.10045.4.3.4" => Scheme::Ecdsa(Hash::Sha512),
        "1.2.840.113549.1.1.11" => Scheme::RsaPkcs1(Hash::Sha256),
        "1.2.840.113549.1.1.12" => Scheme::RsaPkcs1(Hash::Sha384),
        "1.2.840.113549.1.1.13" => Scheme::RsaPkcs1(Hash::Sha512),
        RSA_PSS => Scheme::RsaPss(rsa_pss::hash(algorithm.parameters.as_ref()?)?),
        ED25519 => Scheme::Ed25519,
        ED448 => Scheme::Ed448,
        "2.16.840.1.101.3.4.3.17" => Scheme::MlDsa(Algorithm::MlDsa44),
        "2.16.840.1.101.3.4.3.18" => Scheme::MlDsa(Algorithm::MlDsa65),
        "2.16.840.1.101.3.4.3.19" => Scheme::MlDsa(Algorithm::MlDsa87),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsa_pss_certificates_verify_with_the_usual_salt_only() {
        for der in [
            &include_bytes!("../tests/vectors/rsa-pss-sha256.der")[..],
            include_bytes!("../tests/vectors/rsa-pss-sha384.der"),
        ] {
            let certificate = Certificate::parse(der).unwrap();
            assert_eq!(certificate.verify_signed_by(&certificate), Ok(()));
        }
        let der = include_bytes!("../tests/vectors/rsa-pss-short-salt.der");
        let certificate = Certificate::parse(der).unwrap();
        assert!(matches!(
            certificate.verify_signed_by(&certificate),
            Err(CertificateError::SignatureAlgorithm(_))
        ));
    }

    #[test]
    fn trailing_bytes_and_cuts_are_refused() {
        let der = include_bytes!("../tests/vectors/rsa-pss-sha256.der");
        let longer = [&der[..], &[0]].concat();
        assert!(Certificate::parse(&longer).is_err());
        for end in (0..der.len()).step_by(7) {
            assert!(Certificate::parse(&der[..end]).is_err(), "{end}");
        }
        assert!(matches!(
            Certificate::parse(&vec![0x30; MAX_CERTIFICATE + 1]),
            Err(CertificateError::TooLong)
        ));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(at in 0usize..700, value: u8) {
            let mut der = include_bytes!("../tests/vectors/rsa-pss-sha256.der").to_vec();
            der[at] = value;
            if let Ok(certificate) = Certificate::parse(&der) {
                let _ = certificate.verify_signed_by(&certificate);
                let _ = certificate.basic_constraints();
                let _ = certificate.may_sign_certificates();
            }
        }
    }
}
