//! Which attestation authorities the realm accepts. The signer is an owner.

use serde::Serialize;

use super::json::hexadecimal;
use super::{Door, Hash};
use crate::fields::{DecodeError, Fields};
use crate::line::Line;

/// What happens to an attestation authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// Devices that it attests may enrol from now on.
    Add(Certificate),
    /// Devices that it attests may no longer enrol.
    Remove(Certificate),
}

/// The terms of `authority.add` and `authority.remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// What the realm calls the authority.
    pub name: Line,
    /// SHA-256 of its DER certificate.
    #[serde(serialize_with = "hexadecimal")]
    pub certificate: Hash,
}

impl Door for Authority {
    fn kind(&self) -> &'static str {
        match self {
            Self::Add(_) => "add",
            Self::Remove(_) => "remove",
        }
    }

    fn terms(&self) -> Fields<'_> {
        let (Self::Add(terms) | Self::Remove(terms)) = self;
        Fields::default()
            .with("name", &terms.name)
            .with("certificate", &terms.certificate)
    }

    fn read(kind: &str, terms: &mut Fields<'_>) -> Result<Option<Self>, DecodeError> {
        let variant = match kind {
            "add" => Self::Add,
            "remove" => Self::Remove,
            _ => return Ok(None),
        };
        Ok(Some(variant(Certificate {
            name: terms.take("name")?,
            certificate: terms.take("certificate")?,
        })))
    }

    fn sentence(&self) -> String {
        match self {
            Self::Add(terms) => format!(
                "accept devices attested by “{}” (certificate SHA-256 {})",
                terms.name,
                hex::encode(terms.certificate)
            ),
            Self::Remove(terms) => format!(
                "accept no more devices attested by “{}” (certificate SHA-256 {})",
                terms.name,
                hex::encode(terms.certificate)
            ),
        }
    }
}
