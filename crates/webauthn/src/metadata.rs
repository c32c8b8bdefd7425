//! FIDO metadata: what is known about models of authenticators (FIDO Metadata Service 3.1 and
//! Metadata Statement 3.1).
//!
//! A BLOB comes from the service, or from a file; local statements stand beside it. Nothing here
//! fetches anything.

mod blob;
mod crl;
mod date;
mod entry;
mod status;

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use hallway_ctap::aaguid::Aaguid;

pub use self::blob::{BlobError, BlobTrust, MAX_BLOB, SignerName, Staleness};
pub use self::entry::{Model, StatusReport, UnreadableEntry};
pub use self::status::CertificationLevel;
use crate::certificate::Certificate;
use crate::model_id::{KeyIdentifier, ModelId};
use crate::relying_party::UnixSeconds;

/// The known models.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Metadata {
    number: Option<u64>,
    next_update: Option<UnixSeconds>,
    models: Vec<Model>,
    by_aaguid: HashMap<Aaguid, usize>,
    by_key: HashMap<KeyIdentifier, usize>,
    unreadable: Vec<UnreadableEntry>,
}

/// Why a local metadata statement cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not a metadata statement in JSON.
    #[error("not a metadata statement: {0}")]
    Malformed(String),
    /// The statement names no model.
    #[error(
        "the metadata statement has neither an aaguid nor attestationCertificateKeyIdentifiers"
    )]
    Nameless,
}

impl Metadata {
    /// No models.
    pub fn new() -> Self {
        Self::default()
    }

    /// The BLOB's number; `None` without a BLOB.
    pub const fn number(&self) -> Option<u64> {
        self.number
    }

    /// When a newer BLOB is due; `None` without a BLOB.
    pub const fn next_update(&self) -> Option<UnixSeconds> {
        self.next_update
    }

    /// The entries of the BLOB that cannot be read. Whatever the policy, their models are refused.
    pub fn unreadable(&self) -> &[UnreadableEntry] {
        &self.unreadable
    }

    /// All models.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// The model with this AAGUID. [`Aaguid::ZERO`] names none.
    pub fn by_aaguid(&self, aaguid: Aaguid) -> Option<&Model> {
        if aaguid == Aaguid::ZERO {
            return None;
        }
        self.models.get(*self.by_aaguid.get(&aaguid)?)
    }

    /// The U2F model whose attestation certificates have this key.
    pub fn by_key(&self, key: &KeyIdentifier) -> Option<&Model> {
        self.models.get(*self.by_key.get(key)?)
    }

    /// The model of a stored credential, found as at its registration: by AAGUID or, without one,
    /// by the certificates of its attestation (DER).
    pub fn find(&self, aaguid: Aaguid, chain: &[Vec<u8>]) -> Option<&Model> {
        if aaguid != Aaguid::ZERO {
            return self.by_aaguid(aaguid);
        }
        chain
            .iter()
            .filter_map(|der| Certificate::parse(der).ok())
            .find_map(|link| self.by_key(&key_identifier(&link)))
    }

    /// Whether the BLOB's successor was due before `now`. Never without a BLOB: local statements
    /// do not age.
    pub fn is_overdue(&self, now: UnixSeconds) -> bool {
        self.next_update
            .is_some_and(|due| now > date::end_of_day(due))
    }

    /// The model of a registration, by AAGUID or, without one, by certificate.
    pub(crate) fn model(&self, aaguid: Aaguid, chain: &[Certificate<'_>]) -> Option<&Model> {
        if aaguid != Aaguid::ZERO {
            return self.by_aaguid(aaguid);
        }
        chain
            .iter()
            .find_map(|link| self.by_key(&key_identifier(link)))
    }

    /// The unreadable entry for the model of a registration, with the entry's name for the model.
    pub(crate) fn unreadable_entry(
        &self,
        aaguid: Aaguid,
        chain: &[Certificate<'_>],
    ) -> Option<(ModelId, &UnreadableEntry)> {
        if self.unreadable.is_empty() {
            return None;
        }
        let names: Vec<ModelId> = match aaguid {
            Aaguid::ZERO => chain
                .iter()
                .map(|link| ModelId::Key(key_identifier(link)))
                .collect(),
            aaguid => vec![ModelId::Aaguid(aaguid)],
        };
        names.into_iter().find_map(|name| {
            let mut entries = self.unreadable.iter();
            let entry = entries.find(|entry| entry.models.contains(&name))?;
            Some((name, entry))
        })
    }

    /// Adds a local metadata statement, JSON. It replaces the BLOB's entry for the same model, but
    /// the BLOB's status reports stay, and so does an entry that cannot be read: a local file does
    /// not undo a revocation.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn add_statement(&mut self, json: &[u8]) -> Result<(), StatementError> {
        let mut model = Model::from_statement(json)?;
        if model.aaguid.is_none() && model.keys.is_empty() {
            return Err(StatementError::Nameless);
        }
        let by_keys = model.keys.iter().filter_map(|key| self.by_key(key));
        let by_aaguid = model.aaguid.and_then(|aaguid| self.by_aaguid(aaguid));
        let mut reports: Vec<StatusReport> = Vec::new();
        for report in by_aaguid
            .into_iter()
            .chain(by_keys)
            .flat_map(|known| &known.status_reports)
        {
            if !reports.contains(report) {
                reports.push(report.clone());
            }
        }
        model.status_reports.extend(reports);
        self.insert(model);
        Ok(())
    }

    fn insert(&mut self, model: Model) {
        let at = self.models.len();
        if let Some(aaguid) = model.aaguid {
            self.by_aaguid.insert(aaguid, at);
        }
        for key in &model.keys {
            self.by_key.insert(*key, at);
        }
        self.models.push(model);
    }
}

/// [`KeyIdentifier`] of a certificate.
pub(crate) fn key_identifier(certificate: &Certificate<'_>) -> KeyIdentifier {
    let key = certificate.x509().public_key().subject_public_key.as_ref();
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, key);
    let mut identifier = [0; 20];
    identifier.copy_from_slice(hash.as_ref());
    identifier
}
