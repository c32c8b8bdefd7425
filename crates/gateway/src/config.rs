//! The configuration: `hallway.toml` in the data folder, overridden by flags and variables.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

mod hall;
pub mod metadata;
mod partners;
pub mod policy;
mod witness;

pub use hall::{Bucket, Hall, Service, Store};
pub use metadata::MetadataConfig;
pub use partners::PartnersConfig;
pub use policy::{DevicePolicy, PersonPolicy, Policies};
pub use witness::{WatchedLog, WitnessAddress};

/// The name of the configuration file inside the data folder.
pub const FILE: &str = "hallway.toml";

/// What `hallway.toml` holds. Relative paths start at the data folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The realm: relying party id and SPIFFE trust domain, a domain name without port.
    pub realm: String,
    /// Where the gateway listens.
    pub listen: SocketAddr,
    /// Where Prometheus asks for metrics, over plain HTTP; nowhere without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_listen: Option<SocketAddr>,
    /// How people and devices reach it, such as `https://gate.example`. Without one it is
    /// `http://localhost:PORT`, which browsers take as secure on this machine alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// `sqlite:FILE` or `postgres://…`.
    pub database: String,
    /// The folder for payloads.
    pub objects: PathBuf,
    /// Required wherever the gateway listens beyond loopback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// What a caller may ask for.
    pub limits: Limits,
    /// Where what is known about models of authenticators comes from.
    pub metadata: MetadataConfig,
    /// Which keys open doors.
    pub policy: Policies,
    /// How other realms are reached.
    #[serde(skip_serializing_if = "PartnersConfig::is_empty")]
    pub partners: PartnersConfig,
    /// The hall door; without it nobody enters a hall but with a browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hall: Option<Hall>,
    /// Who watches the realm's log, besides its partners.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<WitnessAddress>,
    /// Whose logs the realm watches, besides those of its partners.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnessed: Vec<WatchedLog>,
}

/// The server certificate, in PEM files that are read at start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, leaf first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Bounds on what one request may cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of one payload that a device sends.
    pub payload_bytes: u64,
    /// Connections open at once.
    pub connections: usize,
    /// Minutes that a device's clock may differ from ours in a live transaction.
    pub clock_skew_minutes: u64,
    /// Days after which a transaction signed offline is too old.
    pub queued_days: u64,
    /// Hours that a session lasts.
    pub session_hours: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            realm: "localhost".to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            database: "sqlite:hallway.db".to_owned(),
            objects: PathBuf::from("objects"),
            tls: None,
            limits: Limits::default(),
            metadata: MetadataConfig::default(),
            metrics_listen: None,
            policy: Policies::default(),
            partners: PartnersConfig::default(),
            hall: None,
            witnesses: Vec::new(),
            witnessed: Vec::new(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload_bytes: 64 << 20,
            connections: 10_000,
            clock_skew_minutes: 5,
            queued_days: 30,
            session_hours: 12,
        }
    }
}

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read or written.
    #[error("the configuration {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not the TOML that is expected.
    #[error("the configuration {path} is not valid: {reason}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// Plain HTTP would be reachable from other machines.
    #[error(
        "{0} can be reached from other machines, but no certificate is configured; \
         set [tls] certificate and key in hallway.toml, or listen on 127.0.0.1"
    )]
    PlainHttp(SocketAddr),
    /// The public address is not one that a browser can hold a key for.
    #[error(
        "public_url \"{0}\" must be https://NAME[:PORT] (http only for localhost), without a path"
    )]
    PublicUrl(String),
    /// Something in `[hall]`.
    #[error("[hall] in hallway.toml: {0}")]
    Hall(String),
    /// WebAuthn Level 3, 5.1.3: the origin's host must be the relying party id or below it.
    #[error("the realm \"{realm}\" is not the host of public_url \"{url}\" or a parent of it")]
    Realm {
        /// The relying party id.
        realm: String,
        /// The address.
        url: String,
    },
}

impl Config {
    /// Reads `hallway.toml` in `folder`; writes one with the defaults if there is none.
    ///
    /// # Errors
    /// The file cannot be read, written or understood.
    pub fn load_or_create(folder: &Path) -> Result<Self, ConfigError> {
        let path = folder.join(FILE);
        let failed = |source| ConfigError::File {
            path: path.clone(),
            source,
        };
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| ConfigError::Syntax {
                path: path.clone(),
                reason: error.to_string(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let config = Self::default();
                config.save(folder)?;
                Ok(config)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes `hallway.toml` in `folder`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), ConfigError> {
        let path = folder.join(FILE);
        let text = toml::to_string_pretty(self).map_err(|error| ConfigError::Syntax {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        fs::write(&path, text).map_err(|source| ConfigError::File { path, source })
    }

    /// The origin that browsers see, given the address that was bound in the end.
    ///
    /// # Errors
    /// Plain HTTP beyond loopback, an address that is no origin, or a realm that it does not
    /// belong to.
    pub fn origin(&self, bound: SocketAddr) -> Result<String, ConfigError> {
        if self.tls.is_none() && !bound.ip().is_loopback() {
            return Err(ConfigError::PlainHttp(bound));
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let url = match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("{scheme}://{}:{}", self.realm, bound.port()),
        };
        let host = host(&url).ok_or_else(|| ConfigError::PublicUrl(url.clone()))?;
        let below = host
            .strip_suffix(&self.realm)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        if below {
            Ok(url)
        } else {
            Err(ConfigError::Realm {
                realm: self.realm.clone(),
                url,
            })
        }
    }
}

/// The host of an origin that WebAuthn takes as secure.
fn host(url: &str) -> Option<&str> {
    let (scheme, authority) = url.split_once("://")?;
    let host = authority
        .split_once(':')
        .map_or(authority, |(host, _)| host);
    let named = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
    let secure = scheme == "https"
        || scheme == "http" && (host == "localhost" || host.ends_with(".localhost"));
    (named && secure).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 81);

    fn public(url: &str, realm: &str) -> Result<String, ConfigError> {
        Config {
            public_url: Some(url.to_owned()),
            realm: realm.to_owned(),
            ..Config::default()
        }
        .origin(LOOPBACK)
    }

    #[test]
    fn a_new_folder_gets_a_file_that_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let made = Config::load_or_create(folder.path()).unwrap();
        assert_eq!(Config::load_or_create(folder.path()).unwrap(), made);
        assert_eq!(made.origin(LOOPBACK).unwrap(), "http://localhost:81");
    }

    #[test]
    fn a_misspelt_setting_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "relam = \"x\"").unwrap();
        let error = Config::load_or_create(folder.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("relam"), "{error}");
    }

    #[test]
    fn plain_http_stays_on_loopback() {
        let outside = SocketAddr::from(([0, 0, 0, 0], 80));
        assert!(matches!(
            Config::default().origin(outside),
            Err(ConfigError::PlainHttp(_))
        ));
    }

    #[test]
    fn the_realm_owns_the_address() {
        assert!(public("https://gate.example.com", "example.com").is_ok());
        assert!(public("https://example.com:8443/", "example.com").is_ok());
        assert!(matches!(
            public("https://evil-example.com", "example.com"),
            Err(ConfigError::Realm { .. })
        ));
        assert!(matches!(
            public("http://example.com", "example.com"),
            Err(ConfigError::PublicUrl(_))
        ));
        assert!(matches!(
            public("https://example.com/path", "example.com"),
            Err(ConfigError::PublicUrl(_))
        ));
    }
}
