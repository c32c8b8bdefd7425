//! One model: an entry of the BLOB, or a local statement.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallway_ctap::aaguid::Aaguid;
use serde::Deserialize;

use super::date;
use super::{KeyIdentifier, StatementError};
use crate::relying_party::UnixSeconds;
use crate::trust_anchor::{TrustAnchor, TrustAnchors};

/// What is known about a model.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Model {
    /// The AAGUID of FIDO2 models.
    pub aaguid: Option<Aaguid>,
    /// The attestation keys of U2F models.
    pub keys: Vec<KeyIdentifier>,
    /// The model's name for people, in English.
    pub description: String,
    /// A picture, as a `data:` URL; at most 64 KiB, `None` where there is none or a longer one.
    pub icon: Option<String>,
    /// How keys are protected: `hardware`, `software`, `tee`, `secure_element`, `remote_handle`.
    pub key_protection: Vec<String>,
    /// How the matcher is protected: `software`, `tee`, `on_chip`.
    pub matcher_protection: Vec<String>,
    /// Who may vouch for the model; named by its description.
    pub anchors: TrustAnchors,
    /// What happened to the model, as listed.
    pub status_reports: Vec<StatusReport>,
}

/// What happened to a model, and since when.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct StatusReport {
    /// The status as the service names it, such as `FIDO_CERTIFIED_L1` or `REVOKED`.
    pub status: String,
    /// Since when; `None` stands for always.
    pub effective: Option<UnixSeconds>,
    /// The certificate, DER, that the report is about, where it is about one batch only.
    pub batch: Option<Vec<u8>>,
}

/// The longest picture that is kept.
const MAX_ICON: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryJson {
    aaguid: Option<String>,
    #[serde(default)]
    attestation_certificate_key_identifiers: Vec<String>,
    metadata_statement: Option<StatementJson>,
    #[serde(default)]
    status_reports: Vec<ReportJson>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct StatementJson {
    aaguid: Option<String>,
    #[serde(default)]
    attestation_certificate_key_identifiers: Vec<String>,
    #[serde(default)]
    description: String,
    icon: Option<String>,
    #[serde(default)]
    key_protection: Vec<String>,
    #[serde(default)]
    matcher_protection: Vec<String>,
    #[serde(default)]
    attestation_root_certificates: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReportJson {
    status: String,
    effective_date: Option<String>,
    /// The name in version 3.1.
    batch_certificate: Option<String>,
    /// The name in version 3.0.
    certificate: Option<String>,
}

impl Model {
    /// An entry of the BLOB; `None` where it cannot be read. A report that cannot be read makes the
    /// whole entry unreadable: it might be a revocation.
    pub(super) fn from_entry(entry: serde_json::Value) -> Option<Self> {
        let entry: EntryJson = serde_json::from_value(entry).ok()?;
        let mut model = Self::new(entry.metadata_statement.unwrap_or_default()).ok()?;
        if let Some(aaguid) = entry.aaguid {
            model.aaguid = Some(aaguid.parse().ok()?);
        }
        for key in &entry.attestation_certificate_key_identifiers {
            model.keys.push(key_identifier(key)?);
        }
        model.status_reports = entry
            .status_reports
            .into_iter()
            .map(StatusReport::new)
            .collect::<Option<_>>()?;
        Some(model)
    }

    /// A metadata statement by itself.
    pub(super) fn from_statement(json: &[u8]) -> Result<Self, StatementError> {
        let statement: StatementJson = serde_json::from_slice(json)
            .map_err(|error| StatementError::Malformed(error.to_string()))?;
        Self::new(statement)
    }

    fn new(statement: StatementJson) -> Result<Self, StatementError> {
        let malformed = |what: &str| StatementError::Malformed(what.to_owned());
        let aaguid = statement
            .aaguid
            .map(|aaguid| aaguid.parse())
            .transpose()
            .map_err(|_| malformed("aaguid"))?;
        let keys = statement
            .attestation_certificate_key_identifiers
            .iter()
            .map(|key| key_identifier(key))
            .collect::<Option<_>>()
            .ok_or_else(|| malformed("attestationCertificateKeyIdentifiers"))?;
        // A root that cannot be read vouches for nothing; the others still do.
        let anchors = statement
            .attestation_root_certificates
            .iter()
            .filter_map(|text| TrustAnchor::new(statement.description.clone(), base64(text)?).ok())
            .collect();
        Ok(Self {
            aaguid,
            keys,
            description: statement.description,
            icon: statement
                .icon
                .filter(|icon| icon.len() <= MAX_ICON && icon.starts_with("data:image/")),
            key_protection: statement.key_protection,
            matcher_protection: statement.matcher_protection,
            anchors,
            status_reports: Vec::new(),
        })
    }
}

impl StatusReport {
    fn new(report: ReportJson) -> Option<Self> {
        let effective = match report.effective_date {
            None => None,
            Some(text) => Some(date::parse(&text)?),
        };
        let batch = match report.batch_certificate.or(report.certificate) {
            None => None,
            Some(text) if text.is_empty() => None,
            Some(text) => Some(base64(&text)?),
        };
        Some(Self {
            status: report.status,
            effective,
            batch,
        })
    }
}

/// Base64 with padding; line breaks and blanks in it are passed over.
fn base64(text: &str) -> Option<Vec<u8>> {
    let plain: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(plain).ok()
}

pub(crate) fn key_identifier(text: &str) -> Option<KeyIdentifier> {
    let mut key = [0; 20];
    if text.len() != 2 * key.len() || !text.is_ascii() {
        return None;
    }
    for (i, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(key)
}
