//! The realm's own certificate authority, which signs the X.509-SVIDs of doors that give
//! certificates (SPIFFE X.509-SVID, section 2).

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use zeroize::Zeroizing;

/// Why the authority could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the realm's certificate authority cannot be made: {0}")]
pub struct RealmAuthorityError(#[from] rcgen::Error);

/// A fresh authority: its certificate and its private key.
pub struct RealmAuthority {
    /// The self-signed certificate, DER; its URI name is the trust domain.
    pub certificate: Vec<u8>,
    /// The P-256 private key, PKCS#8 DER.
    pub key: Zeroizing<Vec<u8>>,
}

impl RealmAuthority {
    /// Makes an authority for `realm`, which is the SPIFFE trust domain.
    ///
    /// # Errors
    /// The realm is not a name that a certificate can carry.
    pub fn generate(realm: &str) -> Result<Self, RealmAuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
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
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::*;

    #[test]
    fn the_certificate_names_the_trust_domain_and_may_sign_only_leaves() {
        let authority = RealmAuthority::generate("example.com").unwrap();
        let (_, certificate) = X509Certificate::from_der(&authority.certificate).unwrap();
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        assert_eq!(
            names.value.general_names,
            [GeneralName::URI("spiffe://example.com")]
        );
        let constraints = certificate.basic_constraints().unwrap().unwrap().value;
        assert!(constraints.ca);
        assert_eq!(constraints.path_len_constraint, Some(0));
    }
}
