//! `[metadata]`: the sources of knowledge about models of authenticators.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use hallway_client::SecureUrl;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::Bounded;
use super::text::as_text;

/// The sources of metadata. `Default` has none: no connection is made and no model is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetadataConfig {
    /// The BLOB's address: `https://`, or `http://` on this machine. For the FIDO Alliance's service
    /// `https://mds3.fidoalliance.org/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<BlobAddress>,
    /// A BLOB in a file, for gateways that make no connections, or beside the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Certificates, PEM, that may sign the BLOB. Without them, the root of the FIDO Alliance's
    /// service: GlobalSign Root CA - R3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
    /// The host that the signer's certificate must name. Without it, `mds.fidoalliance.org` under
    /// the built-in root, and any under a root of the operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<HostName>,
    /// Revocation lists for the signer's certificates, PEM or DER.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revocation_lists: Vec<PathBuf>,
    /// A folder of local metadata statements, `*.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statements: Option<PathBuf>,
    /// How often to look for a newer BLOB, hours.
    pub refresh_hours: Bounded<1, 8760>,
}

/// Where a BLOB is fetched: `https://`, or `http://` on this machine. It may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct BlobAddress(Url);

/// A text that is no [`BlobAddress`]. It may hold a password, so it is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address of metadata must be https://…, or http://… on this machine")]
pub struct NotABlobAddress;

/// The name of a host, as the URL standard reads it (3.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

/// A text that is no [`HostName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of a host is a domain such as mds.example, without https:// and without a port")]
pub struct NotAHostName;

impl BlobAddress {
    /// The URL.
    #[must_use]
    pub const fn as_url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for BlobAddress {
    type Err = NotABlobAddress;

    fn from_str(text: &str) -> Result<Self, NotABlobAddress> {
        let has_host = text.contains("://");
        let url = Url::parse(text).ok().filter(|_| has_host);
        let url = url.ok_or(NotABlobAddress)?;
        // But for the user, the rules for every address apply.
        let mut nobody = url.clone();
        let without_user = nobody
            .set_username("")
            .and_then(|()| nobody.set_password(None));
        if without_user.is_ok() && SecureUrl::new(nobody).is_ok() {
            Ok(Self(url))
        } else {
            Err(NotABlobAddress)
        }
    }
}

impl fmt::Display for BlobAddress {
    /// As in the file, with its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for BlobAddress {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.host_str().unwrap_or_default().fmt(f)
    }
}

impl HostName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = NotAHostName;

    fn from_str(text: &str) -> Result<Self, NotAHostName> {
        // Characters that the standard reads as the beginning of another part of a URL.
        if text.contains(['/', '\\', ':', '@', '?', '#']) {
            return Err(NotAHostName);
        }
        let url = Url::parse(&format!("https://{text}/")).map_err(|_| NotAHostName)?;
        let name = url.domain().ok_or(NotAHostName)?;
        // The standard allows more in a host than any domain has, such as `*`.
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_label = |label: &str| !label.is_empty() && label.bytes().all(allowed);
        if name.split('.').all(is_label) {
            Ok(Self(name.to_owned()))
        } else {
            Err(NotAHostName)
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(BlobAddress, HostName);

impl Default for MetadataConfig {
    fn default() -> Self {
        Self {
            url: None,
            file: None,
            root: None,
            signer: None,
            revocation_lists: Vec::new(),
            statements: None,
            refresh_hours: Bounded::nearest(24),
        }
    }
}

impl MetadataConfig {
    /// Whether no source is configured, so that no model can be known.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.url.is_none() && self.file.is_none() && self.statements.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_fetched_over_tls_or_on_this_machine() {
        for text in [
            "https://mds.example/",
            "https://me:secret@mds.example/blob?a#b",
            "http://127.0.0.2:81/",
            "http://mds.localhost/",
            "http://[::1]:1/",
        ] {
            let address: BlobAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        for text in [
            "",
            "mds.example",
            "https:mds.example",
            "https://mds.example:0/",
            "http://mds.example/",
            "http://me:secret@mds.example/",
            "file:///blob.jwt",
        ] {
            assert!(text.parse::<BlobAddress>().is_err(), "{text}");
        }
    }
}
