//! Reading X.509-SVIDs: what a leaf must and must not say (SPIFFE X.509-SVID).

use hallway_evidence::statement::hall::P256PublicKey;
use rustls_pki_types::CertificateDer;
use x509_parser::asn1_rs::{Oid, oid};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};

use crate::identity::{IdentityError, SpiffeId, TrustDomain};

/// id-pe-subjectInfoAccess (RFC 5280, 4.2.2.2).
pub(crate) const SUBJECT_INFORMATION_ACCESS: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 1, 11];
const OID_SUBJECT_INFORMATION_ACCESS: Oid<'static> = oid!(1.3.6.1.5.5.7.1.11);
/// The access method under which provenance stands: "where this grant comes from". Made from a
/// UUID (X.667), 2.25.147695777387507778527347625859546511938, as DER with its tag and length.
const ACCESS_METHOD: [u8; 22] = [
    0x06, 0x14, 0x69, 0x81, 0xde, 0x9d, 0x96, 0x82, 0xcb, 0xb0, 0xf2, 0xb0, 0xf3, 0x9a, 0xab, 0xe3,
    0x81, 0xf9, 0xe8, 0xf9, 0xf4, 0x42,
];
const CREDENTIAL: &str = "urn:hallway:credential:";
const EVIDENCE: &str = "urn:hallway:evidence:";
/// The longest credential id in base64url: WebAuthn Level 3, 4, has at most 1023 bytes.
const LONGEST_CREDENTIAL_BYTES: usize = 1364;

/// A certificate that is no X.509-SVID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SvidError {
    /// Not a certificate.
    #[error("it is not an X.509 certificate")]
    Encoding,
    /// Not exactly one URI name (X.509-SVID, section 2).
    #[error("it has {0} URI names, and an X.509-SVID has exactly one")]
    UriNames(usize),
    /// Its URI is no SPIFFE ID.
    #[error("its URI name is no SPIFFE ID: {0}")]
    Identity(#[from] IdentityError),
    /// A SPIFFE ID of a leaf has a path (X.509-SVID, section 3.1).
    #[error("its SPIFFE ID has no path, so it names nobody")]
    NoPath,
    /// A leaf that may sign certificates (X.509-SVID, sections 4.1 and 4.3).
    #[error("it may sign certificates, and a leaf must not")]
    Signs,
    /// Without digitalSignature (X.509-SVID, section 4.3).
    #[error("its key usage has no digital signature")]
    NoDigitalSignature,
    /// A certificate that is not that of an authority (X.509-SVID, section 3.2).
    #[error("it is not the certificate of an authority of a trust domain")]
    NotAuthority,
    /// The provenance can't be read.
    #[error("what it says about its credential and evidence cannot be read")]
    Provenance,
}

/// Where a grant comes from. X.509-SVID allows one URI among the names, so this stands in the
/// Subject Information Access extension, as URIs `urn:hallway:credential:BASE64URL` and
/// `urn:hallway:evidence:HEX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The credential id, base64url without padding.
    pub credential: String,
    /// The SHA-256 of the evidence, 64 hexadecimal digits.
    pub evidence: String,
}

impl Provenance {
    /// SubjectInfoAccessSyntax with two access descriptions.
    pub(crate) fn to_der(&self) -> Vec<u8> {
        let mut descriptions = Vec::new();
        for uri in [
            format!("{CREDENTIAL}{}", self.credential),
            format!("{EVIDENCE}{}", self.evidence),
        ] {
            let mut description = ACCESS_METHOD.to_vec();
            // uniformResourceIdentifier is [6] IMPLICIT IA5String.
            description.extend(element(0x86, uri.as_bytes()));
            descriptions.extend(element(0x30, &description));
        }
        element(0x30, &descriptions)
    }

    fn read(certificate: &X509Certificate<'_>) -> Result<Option<Self>, SvidError> {
        let extension = certificate
            .get_extension_unique(&OID_SUBJECT_INFORMATION_ACCESS)
            .map_err(|_| SvidError::Provenance)?;
        let Some(extension) = extension else {
            return Ok(None);
        };
        let ParsedExtension::SubjectInfoAccess(access) = extension.parsed_extension() else {
            return Err(SvidError::Provenance);
        };
        let (mut credential, mut evidence) = (None, None);
        for description in access.iter() {
            if description.access_method.as_bytes() != &ACCESS_METHOD[2..] {
                continue;
            }
            let GeneralName::URI(uri) = description.access_location else {
                return Err(SvidError::Provenance);
            };
            let (place, value) = if let Some(value) = uri.strip_prefix(CREDENTIAL) {
                (&mut credential, value)
            } else if let Some(value) = uri.strip_prefix(EVIDENCE) {
                (&mut evidence, value)
            } else {
                return Err(SvidError::Provenance);
            };
            if place.replace(value.to_owned()).is_some() {
                return Err(SvidError::Provenance);
            }
        }
        let base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        match (credential, evidence) {
            (None, None) => Ok(None),
            (Some(credential), Some(evidence))
                if (1..=LONGEST_CREDENTIAL_BYTES).contains(&credential.len())
                    && credential.bytes().all(base64url)
                    && evidence.len() == 64
                    && evidence.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
            {
                Ok(Some(Self {
                    credential,
                    evidence,
                }))
            }
            _ => Err(SvidError::Provenance),
        }
    }
}

/// A DER element of less than 64 KiB.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    let mut out = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    out.extend_from_slice(content);
    out
}

/// The content of a leaf. Reading it checks the leaf's own shape, not who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Svid {
    /// The ID that the certificate names.
    pub id: SpiffeId,
    /// The key that the certificate is for.
    pub public_key: P256PublicKey,
    /// When it becomes valid, unix milliseconds.
    pub not_before_ms: u64,
    /// When it expires, unix milliseconds.
    pub not_after_ms: u64,
    /// The credential and evidence that the certificate comes from.
    pub provenance: Option<Provenance>,
}

impl Svid {
    /// Reads a leaf (X.509-SVID, sections 2 to 4).
    ///
    /// # Errors
    /// [`SvidError`].
    pub fn read(leaf: &CertificateDer<'_>) -> Result<Self, SvidError> {
        let certificate = parse(leaf)?;
        let id = uri_name(&certificate)?;
        if id.path().is_empty() {
            return Err(SvidError::NoPath);
        }
        if certificate.is_ca() {
            return Err(SvidError::Signs);
        }
        let usage = certificate.key_usage().map_err(|_| SvidError::Encoding)?;
        match usage.map(|usage| usage.value) {
            Some(usage) if usage.key_cert_sign() || usage.crl_sign() => {
                return Err(SvidError::Signs);
            }
            Some(usage) if usage.digital_signature() => {}
            _ => return Err(SvidError::NoDigitalSignature),
        }
        let milliseconds = |time: x509_parser::time::ASN1Time| {
            u64::try_from(time.timestamp())
                .unwrap_or(0)
                .saturating_mul(1000)
        };
        Ok(Self {
            id,
            public_key: P256PublicKey::from_der(certificate.public_key().raw)
                .map_err(|_| SvidError::Encoding)?,
            not_before_ms: milliseconds(certificate.validity().not_before),
            not_after_ms: milliseconds(certificate.validity().not_after),
            provenance: Provenance::read(&certificate)?,
        })
    }
}

/// The trust domain that an authority names: `None` if it has no URI name, which it should have,
/// but need not. A URI name has no path (X.509-SVID, section 3.2).
pub(crate) fn authority_domain(der: &[u8]) -> Result<Option<TrustDomain>, SvidError> {
    let certificate = parse(der)?;
    let id = match uri_name(&certificate) {
        Ok(id) => Some(id),
        Err(SvidError::UriNames(0)) => None,
        Err(error) => return Err(error),
    };
    if id.as_ref().is_some_and(|id| !id.path().is_empty()) || !certificate.is_ca() {
        return Err(SvidError::NotAuthority);
    }
    Ok(id.map(|id| id.trust_domain().clone()))
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, SvidError> {
    match x509_parser::parse_x509_certificate(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(SvidError::Encoding),
    }
}

fn uri_name(certificate: &X509Certificate<'_>) -> Result<SpiffeId, SvidError> {
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| SvidError::Encoding)?;
    let uris: Vec<&str> = names
        .iter()
        .flat_map(|names| &names.value.general_names)
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        })
        .collect();
    match uris[..] {
        [uri] => Ok(uri.parse()?),
        _ => Err(SvidError::UriNames(uris.len())),
    }
}

#[cfg(test)]
mod tests;
