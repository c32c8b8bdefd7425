//! `[metadata]`: where what is known about models of authenticators comes from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where metadata come from. `Default` is nowhere: no connection is made and nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetadataConfig {
    /// The BLOB's address: `https://`, or `http://` on this machine. For the FIDO Alliance's service
    /// `https://mds3.fidoalliance.org/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A BLOB in a file, for gateways that make no connections, or beside the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Whose word on the BLOB counts: certificates, PEM. Without it, those of the FIDO Alliance's
    /// service: GlobalSign Root CA - R3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
    /// The host that the signer's certificate must name. Without it, `mds.fidoalliance.org` under
    /// the built-in root, and any under a root of the operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// Revocation lists for the signer's certificates, PEM or DER.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revocation_lists: Vec<PathBuf>,
    /// A folder of local metadata statements, `*.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statements: Option<PathBuf>,
    /// How often to look for a newer BLOB, hours.
    pub refresh_hours: u64,
}

impl Default for MetadataConfig {
    fn default() -> Self {
        Self {
            url: None,
            file: None,
            root: None,
            signer: None,
            revocation_lists: Vec::new(),
            statements: None,
            refresh_hours: 24,
        }
    }
}

impl MetadataConfig {
    /// Whether nothing is configured, so that nothing can be known.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.url.is_none() && self.file.is_none() && self.statements.is_none()
    }
}
