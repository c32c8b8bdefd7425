//! Issuing: the realm's authority signs X.509-SVIDs (SPIFFE X.509-SVID).

use hallway_evidence::statement::hall::P256PublicKey;
use std::net::IpAddr;

use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use x509_parser::time::ASN1Time;

use crate::identity::{IdentityError, Party, SpiffeId, TrustDomain};
use crate::svid::{self, Provenance};

/// How far a certificate is dated back, because clocks differ: a minute.
const SKEW_MS: u64 = 60_000;

/// Why no certificate is issued.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The authority's certificate or key can't be used.
    #[error("the realm's certificate authority cannot be used: {0}")]
    Authority(String),
    /// The party can't be named in a SPIFFE ID.
    #[error("no SPIFFE ID can name this: {0}")]
    Identity(#[from] IdentityError),
    /// A public name of the gateway is neither a DNS name nor an IP address.
    #[error("{0:?} is neither a DNS name nor an IP address")]
    Name(String),
    /// The end is not after the start, or beyond what a certificate can express.
    #[error("a certificate from {0} to {1} (unix milliseconds) cannot be issued")]
    Validity(u64, u64),
    /// Making or signing it failed.
    #[error("the certificate cannot be made: {0}")]
    Issue(#[from] rcgen::Error),
}

/// The use of a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Usage {
    /// Authenticating to a gateway.
    Client,
    /// Being the gateway. The certificate has its public names too, so that tools that know nothing
    /// of SPIFFE can check it by name.
    Server {
        /// DNS names and IP addresses.
        names: Vec<String>,
    },
}

/// A certificate to be issued.
#[derive(Debug, Clone)]
pub struct Leaf<'a> {
    /// The party that the certificate names.
    pub party: Party,
    /// The key that the certificate is for.
    pub public_key: &'a P256PublicKey,
    /// When it becomes valid, unix milliseconds. The certificate is dated back by another minute.
    pub not_before_ms: u64,
    /// When it expires, unix milliseconds; rounded down to whole seconds.
    pub not_after_ms: u64,
    /// The use of the certificate.
    pub usage: Usage,
    /// The credential and the evidence that the certificate comes from.
    pub provenance: Option<Provenance>,
}

/// A realm's certificate authority.
pub struct Authority {
    trust_domain: TrustDomain,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// From the authority's self-signed certificate (DER), whose URI names the trust domain, and
    /// its private key (PKCS#8 DER).
    ///
    /// # Errors
    /// [`AuthorityError::Authority`]: one of them can't be read, or the key does not belong to the
    /// certificate.
    pub fn new(certificate: &[u8], pkcs8: &[u8]) -> Result<Self, AuthorityError> {
        let reason = |reason: &dyn std::fmt::Display| AuthorityError::Authority(reason.to_string());
        let trust_domain = svid::authority_domain(certificate)
            .and_then(|domain| domain.ok_or(svid::SvidError::NotAuthority))
            .map_err(|error| reason(&error))?;
        let key =
            KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8)).map_err(|error| reason(&error))?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(certificate).map_err(|error| reason(&error))?;
        let public = rcgen::PublicKeyData::subject_public_key_info(&key);
        if parsed.public_key().raw != public {
            return Err(reason(
                &"the private key does not belong to the certificate",
            ));
        }
        let certificate = CertificateDer::from(certificate.to_vec());
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|error| reason(&error))?;
        Ok(Self {
            trust_domain,
            certificate,
            issuer,
        })
    }

    /// The trust domain of the realm.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The authority's own certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Issues `leaf`: a P-256 X.509-SVID with exactly one URI name (X.509-SVID, section 2).
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn issue(&self, leaf: &Leaf<'_>) -> Result<CertificateDer<'static>, AuthorityError> {
        let invalid = || AuthorityError::Validity(leaf.not_before_ms, leaf.not_after_ms);
        let not_before = leaf.not_before_ms.saturating_sub(SKEW_MS) / 1000;
        let not_after = leaf.not_after_ms / 1000;
        if leaf.not_after_ms <= leaf.not_before_ms {
            return Err(invalid());
        }
        let time = |seconds: u64| {
            let seconds = i64::try_from(seconds).map_err(|_| invalid())?;
            let time = ASN1Time::from_timestamp(seconds).map_err(|_| invalid())?;
            Ok::<_, AuthorityError>(time.to_datetime())
        };

        let id = SpiffeId::new(self.trust_domain.clone(), &leaf.party)?;
        let mut params = CertificateParams::default();
        params.not_before = time(not_before)?;
        params.not_after = time(not_after)?;
        params.serial_number = Some(serial()?);
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Hallway");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names = vec![SanType::URI(id.to_string().try_into()?)];
        match &leaf.usage {
            Usage::Client => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
            Usage::Server { names } => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
                for name in names {
                    params.subject_alt_names.push(server_name(name)?);
                }
            }
        }
        if let Some(provenance) = &leaf.provenance {
            params.custom_extensions = vec![CustomExtension::from_oid_content(
                &svid::SUBJECT_INFORMATION_ACCESS,
                provenance.to_der(),
            )];
        }
        let key = SubjectPublicKeyInfo::from_der(leaf.public_key.as_der())?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(certificate.der().clone())
    }
}

/// A serial number of 120 random bits, never zero and never negative (RFC 5280, 4.1.2.2).
fn serial() -> Result<SerialNumber, AuthorityError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| AuthorityError::Authority(error.to_string()))?;
    bytes[0] = 1;
    Ok(SerialNumber::from_slice(&bytes))
}

fn server_name(name: &str) -> Result<SanType, AuthorityError> {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let refused = || AuthorityError::Name(name.to_owned());
    if rustls_pki_types::DnsName::try_from(name).is_err() {
        return Err(refused());
    }
    Ok(SanType::DnsName(name.try_into().map_err(|_| refused())?))
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("trust_domain", &self.trust_domain)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
