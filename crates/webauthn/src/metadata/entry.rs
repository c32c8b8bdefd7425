//! One model: an entry of the BLOB, or a local statement.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallway_ctap::aaguid::Aaguid;
use serde::Deserialize;
use serde_json::Value;

use super::StatementError;
use super::date;
use crate::model_id::ModelId;
use crate::model_id::{KeyIdentifier, key_identifier_from_hex};
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
    /// What happened to the model, in the order of the entry.
    pub status_reports: Vec<StatusReport>,
}

/// What happened to a model, and since when.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct StatusReport {
    /// The status as the service names it, such as `FIDO_CERTIFIED_L1` or `REVOKED`.
    pub status: String,
    /// When the status took effect; `None` means always.
    pub effective: Option<UnixSeconds>,
    /// The certificate, DER, that the report is about, where it is about one batch only.
    pub batch: Option<Vec<u8>>,
}

/// An entry that cannot be read: what it says about its models is not known.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct UnreadableEntry {
    /// The models that the entry names, as far as they can be read.
    pub models: Vec<ModelId>,
    /// Why it cannot be read, at most 200 characters.
    pub reason: String,
}

/// The longest picture that is kept.
const MAX_ICON_BYTES: usize = 64 * 1024;

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
    /// Reads an entry of the BLOB. A report that cannot be read makes the whole entry unreadable:
    /// it might be a revocation.
    pub(super) fn from_entry(json: &Value) -> Result<Self, UnreadableEntry> {
        Self::read_entry(json).map_err(|reason| UnreadableEntry {
            models: names(json),
            reason: reason.chars().take(200).collect(),
        })
    }

    fn read_entry(json: &Value) -> Result<Self, String> {
        let entry = EntryJson::deserialize(json).map_err(|error| error.to_string())?;
        let statement = entry.metadata_statement.unwrap_or_default();
        let mut model = Self::new(statement).map_err(|error| error.to_string())?;
        if let Some(aaguid) = entry.aaguid {
            model.aaguid = Some(aaguid.parse().map_err(|_| "its aaguid is not an AAGUID")?);
        }
        for key in &entry.attestation_certificate_key_identifiers {
            let key = key_identifier_from_hex(key);
            model
                .keys
                .push(key.ok_or("one of its keys is not a key identifier")?);
        }
        for report in entry.status_reports {
            let name: String = report.status.chars().take(40).collect();
            let report = StatusReport::new(report);
            let report = report
                .ok_or_else(|| format!("report {name} has an invalid date or certificate"))?;
            model.status_reports.push(report);
        }
        Ok(model)
    }

    /// Reads a metadata statement that is not in an entry.
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
            .map(|key| key_identifier_from_hex(key))
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
                .filter(|icon| icon.len() <= MAX_ICON_BYTES && icon.starts_with("data:image/")),
            key_protection: statement.key_protection,
            matcher_protection: statement.matcher_protection,
            anchors,
            status_reports: Vec::new(),
        })
    }
}

/// The models that an entry names, itself or in its statement. All zeros name none.
fn names(entry: &Value) -> Vec<ModelId> {
    let mut found = Vec::new();
    for part in [entry, &entry["metadataStatement"]] {
        let aaguid = part["aaguid"].as_str();
        let aaguid = aaguid.and_then(|text| text.parse().ok());
        found.extend(
            aaguid
                .filter(|aaguid| *aaguid != Aaguid::ZERO)
                .map(ModelId::Aaguid),
        );
        let keys = part["attestationCertificateKeyIdentifiers"].as_array();
        let keys = keys.into_iter().flatten().filter_map(Value::as_str);
        found.extend(keys.filter_map(key_identifier_from_hex).map(ModelId::Key));
    }
    found
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
