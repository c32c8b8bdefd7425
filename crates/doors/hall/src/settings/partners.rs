//! `[hall.partners]`: how other realms are reached.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How the gateways of other realms are reached. No connection is made to a realm that no owner
/// invited or accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PartnerSettings {
    /// Certificate authorities (PEM) that are trusted for partners' web addresses beside those of
    /// the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

impl PartnerSettings {
    /// Whether nothing is set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ca.is_none()
    }
}
