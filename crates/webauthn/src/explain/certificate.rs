//! Certificates in words.

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;

use crate::attestation::Statement;
use crate::cbor_map;
use crate::certificate::Certificate;
use crate::certificate::MAX_CHAIN;
use crate::jws::Jws;
use crate::observer::Hex;
use crate::relying_party::UnixSeconds;

/// A certificate, explained.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CertificateSummary {
    /// The subject's name; empty in a TPM's certificate.
    pub subject: String,
    /// The issuer's name.
    pub issuer: String,
    /// The certificate's own serial number, hexadecimal.
    pub serial: String,
    /// Start of validity, seconds since 1970.
    pub not_before: i64,
    /// End of validity, seconds since 1970.
    pub not_after: i64,
    /// Whether it is valid at the time that was asked about.
    pub in_date: bool,
    /// Whether it is a certificate authority's.
    pub authority: bool,
    /// Its extensions.
    pub extensions: Vec<ExtensionSummary>,
    /// SHA-256 of the DER form, hexadecimal.
    pub sha256: String,
}

/// An extension of a certificate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ExtensionSummary {
    /// The object identifier.
    pub oid: String,
    /// The extension's name, where it is known.
    pub name: Option<&'static str>,
    /// Whether a verifier that does not know it must refuse the certificate.
    pub critical: bool,
}

/// The certificates of a statement, as far as they can be read.
pub(super) fn summaries(statement: &[u8], now: UnixSeconds) -> Vec<CertificateSummary> {
    if let Some(parts) = cbor_map::array(statement) {
        return parts
            .take(MAX_CHAIN)
            .filter_map(|part| cbor_map::CborMap::new(part)?.get("attStmt"))
            .flat_map(|part| of_one(part, now))
            .collect();
    }
    of_one(statement, now)
}

fn of_one(statement: &[u8], now: UnixSeconds) -> Vec<CertificateSummary> {
    let summarise = |chain: &[Certificate<'_>]| chain.iter().map(|c| summary(c, now)).collect();
    if let Ok(chain) = Statement(statement).certificates() {
        return summarise(&chain);
    }
    // SafetyNet's certificates are in a JWS.
    let response = Statement(statement).bytes("response").unwrap_or_default();
    match Jws::parse(response) {
        Ok(jws) => jws
            .certificates()
            .map_or_else(|_| Vec::new(), |chain| summarise(&chain)),
        Err(_) => Vec::new(),
    }
}

fn summary(certificate: &Certificate<'_>, now: UnixSeconds) -> CertificateSummary {
    let x509 = certificate.x509();
    CertificateSummary {
        subject: certificate.subject(),
        issuer: certificate.issuer(),
        serial: Hex(x509.raw_serial()).to_string(),
        not_before: x509.validity().not_before.timestamp(),
        not_after: x509.validity().not_after.timestamp(),
        in_date: certificate.verify_time(now).is_ok(),
        authority: matches!(certificate.basic_constraints(), Ok(Some((true, _)))),
        extensions: x509
            .extensions()
            .iter()
            .take(32)
            .map(|extension| {
                let oid = extension.oid.to_id_string();
                ExtensionSummary {
                    name: known(&oid),
                    critical: extension.critical,
                    oid,
                }
            })
            .collect(),
        sha256: Hex(digest(&SHA256, certificate.der()).as_ref()).to_string(),
    }
}

fn known(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.29.14" => "subject key identifier",
        "2.5.29.15" => "key usage",
        "2.5.29.17" => "subject alternative name",
        "2.5.29.19" => "basic constraints",
        "2.5.29.31" => "CRL distribution points",
        "2.5.29.32" => "certificate policies",
        "2.5.29.35" => "authority key identifier",
        "2.5.29.37" => "extended key usage",
        "1.3.6.1.5.5.7.1.1" => "authority information access",
        "1.3.6.1.4.1.45724.1.1.4" => "FIDO: AAGUID of the model",
        "1.3.6.1.4.1.45724.1.1.2" => "FIDO: serial number of the device",
        "1.3.6.1.4.1.45724.2.1.1" => "FIDO: U2F transports",
        "1.3.6.1.4.1.11129.2.1.17" => "Android: description of the key",
        "1.2.840.113635.100.8.2" => "Apple: nonce",
        _ => return None,
    })
}
