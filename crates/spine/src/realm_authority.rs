//! The realm's own certificate authorities, which sign the X.509-SVIDs of doors that give certificates
//! (SPIFFE X.509-SVID, section 2).
//!
//! One authority signs, and other realms know the next one long before it signs. [`rotation`] decides,
//! without I/O, when the next one takes over; [`in_use`] applies the decision to the database, which all
//! gateways of the realm share. This file makes an authority.

pub mod in_use;
pub mod rotation;

use std::time::Duration;

use hallway_evidence::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use x509_parser::time::ASN1Time;
use zeroize::Zeroizing;

pub use in_use::{AuthoritiesError, InUse, OwnAuthorities};

/// The time by which a certificate's beginning is dated back, because clocks differ.
const SKEW: Duration = Duration::from_secs(3600);

/// Why the authority could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RealmAuthorityError {
    /// The realm is not a name that a certificate can carry, or there is no randomness.
    #[error("the realm's certificate authority cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    /// The beginning or end can't be written into a certificate.
    #[error("the realm's certificate authority cannot be made: {0} is no time for it")]
    Time(Timestamp),
}

/// A fresh authority: its certificate and its private key.
pub struct RealmAuthority {
    /// The self-signed certificate, DER; its URI name is the trust domain.
    pub certificate: Vec<u8>,
    /// The P-256 private key, PKCS#8 DER.
    pub key: Zeroizing<Vec<u8>>,
    /// When the certificate ends.
    pub expires: Timestamp,
}

impl RealmAuthority {
    /// Makes an authority for `realm`, which is the SPIFFE trust domain, good from `now` on for
    /// [`rotation::LIFETIME`].
    ///
    /// # Errors
    /// [`RealmAuthorityError`].
    pub fn generate(realm: &str, now: Timestamp) -> Result<Self, RealmAuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let expires = now.plus(rotation::LIFETIME);
        let mut params = CertificateParams::default();
        let dated_back = now.as_seconds().saturating_sub(SKEW.as_secs());
        params.not_before = date(dated_back, now)?.to_datetime();
        params.not_after = date(expires.as_seconds(), expires)?.to_datetime();
        params
            .distinguished_name
            .push(DnType::CommonName, format!("Hallway realm {realm}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.subject_alt_names = vec![SanType::URI(format!("spiffe://{realm}").try_into()?)];
        let certificate = params.self_signed(&key)?.der().to_vec();
        Ok(Self {
            certificate,
            key: Zeroizing::new(key.serialize_der()),
            expires,
        })
    }
}

fn date(seconds: u64, at: Timestamp) -> Result<ASN1Time, RealmAuthorityError> {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| ASN1Time::from_timestamp(seconds).ok())
        .ok_or(RealmAuthorityError::Time(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::*;

    #[test]
    fn the_certificate_names_the_trust_domain_and_may_sign_only_leaves() {
        let now = Timestamp::from_ms(1_800_000_000_000);
        let authority = RealmAuthority::generate("example.com", now).unwrap();
        let (_, certificate) = X509Certificate::from_der(&authority.certificate).unwrap();
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        assert_eq!(
            names.value.general_names,
            [GeneralName::URI("spiffe://example.com")]
        );
        let constraints = certificate.basic_constraints().unwrap().unwrap().value;
        assert!(constraints.ca);
        assert_eq!(constraints.path_len_constraint, Some(0));
        let validity = certificate.validity();
        assert_eq!(validity.not_before.timestamp(), 1_800_000_000 - 3600);
        let end = i64::try_from(authority.expires.as_seconds()).unwrap();
        assert_eq!(validity.not_after.timestamp(), end);
        assert_eq!(end - 1_800_000_000, 365 * 24 * 3600);
    }
}
