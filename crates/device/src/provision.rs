//! The maker's side: its attestation authority, and the identities of devices.
//!
//! A device's attestation certificate is what section 8.2.1 of WebAuthn Level 3 asks for: version
//! 3, subject with C, O, OU "Authenticator Attestation" and CN, not a CA, and the AAGUID in the
//! extension id-fido-gen-ce-aaguid. It is the device's own, not a batch's: the subject also has
//! its serial number (2.5.4.5).

use hallway_ctap::aaguid::Aaguid;
use hallway_evidence::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, DnValue, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, date_time_ymd,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// id-fido-gen-ce-aaguid.
const AAGUID_EXTENSION: [u64; 10] = [1, 3, 6, 1, 4, 1, 45724, 1, 1, 4];

/// The serialNumber attribute of a subject.
const SERIAL_NUMBER: [u64; 4] = [2, 5, 4, 5];

/// RFC 5280, 4.1.2.5: a certificate without a well-defined end.
const NO_END: (i32, u8, u8) = (9999, 12, 31);

/// Why a maker or a device's identity could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// A part of the subject is not allowed in a certificate.
    #[error("{what} {why}")]
    Subject {
        /// The part, such as "the country".
        what: &'static str,
        /// What is wrong with the part.
        why: &'static str,
    },
    /// The maker's files can't be used.
    #[error("the maker's {0}")]
    Files(&'static str),
    /// The certificate could not be made.
    #[error("the certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
}

/// The name of a maker in its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MakerName {
    /// ISO 3166 code, two letters, such as `NL`.
    pub country: String,
    /// The maker's legal name.
    pub organization: String,
}

/// A device that is to get an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The model's name.
    pub model: String,
    /// The model's AAGUID.
    pub aaguid: Aaguid,
    /// The device's own serial number.
    pub serial: String,
}

/// A device's identity: what goes into its key file.
pub struct Identity {
    /// The attestation certificate, DER.
    pub certificate: Vec<u8>,
    /// The private key that it names, PKCS #8 DER. Secret.
    pub private_key: zeroize::Zeroizing<Vec<u8>>,
}

/// A maker of devices: the certificate and key of its attestation authority.
pub struct Maker {
    certificate: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
    name: MakerName,
}

impl Maker {
    /// Makes an attestation authority with a new P-256 key, which certifies devices and no further
    /// authorities.
    ///
    /// # Errors
    /// [`ProvisionError::Subject`] when the maker's name is not allowed in a certificate.
    pub fn generate(named: MakerName, now: Timestamp) -> Result<Self, ProvisionError> {
        check_name(&named)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        let name = &mut params.distinguished_name;
        *name = rcgen::DistinguishedName::new();
        name.push(
            DnType::CountryName,
            printable(&named.country, "the country")?,
        );
        name.push(DnType::OrganizationName, named.organization.as_str());
        name.push(
            DnType::CommonName,
            format!("{} device attestation", named.organization),
        );
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = date_time_ymd(year(now), 1, 1);
        params.not_after = date_time_ymd(NO_END.0, NO_END.1, NO_END.2);
        let certificate = params.self_signed(&key)?.der().to_vec();
        Ok(Self {
            certificate,
            issuer: Issuer::new(params, key),
            name: named,
        })
    }

    /// The maker of an earlier [`Maker::generate`], from its certificate and key in PEM.
    ///
    /// # Errors
    /// [`ProvisionError::Files`] when the two do not belong together.
    pub fn load(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Self, ProvisionError> {
        let wrong = ProvisionError::Files;
        let der = CertificateDer::from_pem_slice(certificate_pem)
            .map_err(|_| wrong("certificate is not PEM"))?;
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| wrong("key is not PEM"))?;
        let key = KeyPair::from_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256)
            .map_err(|_| wrong("key is not a P-256 key"))?;
        let (_, certificate) =
            X509Certificate::from_der(&der).map_err(|_| wrong("certificate cannot be read"))?;
        if certificate.public_key().subject_public_key.data.as_ref() != key.der_bytes() {
            return Err(wrong("certificate and key do not belong together"));
        }
        if !certificate.is_ca() {
            return Err(wrong("certificate is not a certificate authority's"));
        }
        let subject = certificate.subject();
        let text = |attribute: Option<&x509_parser::x509::AttributeTypeAndValue<'_>>| {
            attribute
                .and_then(|attribute| attribute.as_str().ok())
                .map(ToOwned::to_owned)
        };
        let name = MakerName {
            country: text(subject.iter_country().next())
                .ok_or(wrong("certificate names no country"))?,
            organization: text(subject.iter_organization().next())
                .ok_or(wrong("certificate names no organization"))?,
        };
        check_name(&name)?;
        Ok(Self {
            certificate: der.to_vec(),
            issuer: Issuer::from_ca_cert_der(&der, key)?,
            name,
        })
    }

    /// The certificate, DER, which a gateway's operator installs.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The certificate, PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// The private key, PKCS #8 PEM. Secret: with it, anybody can make devices.
    #[must_use]
    pub fn key_pem(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(pem("PRIVATE KEY", self.issuer.key().serialized_der()))
    }

    /// Makes a device's identity: a new P-256 key and its certificate.
    ///
    /// # Errors
    /// [`ProvisionError::Subject`] when a name is not allowed in a certificate.
    pub fn certify(&self, device: &Device, now: Timestamp) -> Result<Identity, ProvisionError> {
        let line = |text: &str, what| {
            if hallway_evidence::Line::new(text).is_err() || text.len() > 64 {
                Err(ProvisionError::Subject {
                    what,
                    why: "must be 1 to 64 bytes of visible text",
                })
            } else {
                Ok(text.to_owned())
            }
        };
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        let name = &mut params.distinguished_name;
        *name = rcgen::DistinguishedName::new();
        name.push(
            DnType::CountryName,
            printable(&self.name.country, "the country")?,
        );
        name.push(DnType::OrganizationName, self.name.organization.as_str());
        name.push(DnType::OrganizationalUnitName, "Authenticator Attestation");
        name.push(DnType::CommonName, line(&device.model, "the model")?);
        name.push(
            DnType::CustomDnType(SERIAL_NUMBER.to_vec()),
            printable(
                &line(&device.serial, "the serial number")?,
                "the serial number",
            )?,
        );
        params.is_ca = IsCa::ExplicitNoCa;
        params.not_before = date_time_ymd(year(now), 1, 1);
        params.not_after = date_time_ymd(NO_END.0, NO_END.1, NO_END.2);
        // The extension's value is an OCTET STRING within the extension's own.
        let content = [&[0x04, 16][..], &device.aaguid.0].concat();
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(
                &AAGUID_EXTENSION,
                content,
            ));
        let certificate = params.signed_by(&key, &self.issuer)?.der().to_vec();
        Ok(Identity {
            certificate,
            private_key: zeroize::Zeroizing::new(key.serialize_der()),
        })
    }
}

fn check_name(name: &MakerName) -> Result<(), ProvisionError> {
    if name.country.len() != 2 || !name.country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(ProvisionError::Subject {
            what: "the country",
            why: "must be a code of two capital letters, such as NL",
        });
    }
    if hallway_evidence::Line::new(name.organization.as_str()).is_err()
        || name.organization.len() > 40
    {
        return Err(ProvisionError::Subject {
            what: "the organization",
            why: "must be 1 to 40 bytes of visible text",
        });
    }
    Ok(())
}

/// Country and serialNumber are PrintableString (X.520, 6.2.9 and 6.3.1).
fn printable(text: &str, what: &'static str) -> Result<DnValue, ProvisionError> {
    rcgen::string::PrintableString::try_from(text)
        .map(DnValue::PrintableString)
        .map_err(|_| ProvisionError::Subject {
            what,
            why: "may only have letters, digits, spaces and ' ( ) + , - . / : = ?",
        })
}

/// The year of a time. Certificates begin with the year that they are made in, so that a device
/// with a slow clock is not ahead of its own certificate.
fn year(now: Timestamp) -> i32 {
    now.year().into()
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in encoded.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text + "-----END " + label + "-----\n"
}

#[cfg(test)]
mod tests;
