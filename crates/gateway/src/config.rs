//! The configuration: `hallway.toml` in the data folder, overridden by flags and variables.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use hallway_door_device::settings::DeviceSettings;
use hallway_door_hall::settings::{HallSettings, Invalid};
use hallway_door_web::settings::WebSettings;
use hallway_evidence::{Origin, RealmName};
use hallway_spine::settings::text;
use serde::{Deserialize, Serialize};

mod problems;

pub use hallway_spine::settings::{
    BlobAddress, Bounded, Connections, Database, DevicePolicy, HostName, Limits, MetadataConfig,
    NotADatabase, PersonPolicy, Policies, Tls, WatchedLog, WitnessAddress, metadata, policy,
};
pub use problems::Problems;

/// The name of the configuration file inside the data folder.
pub const FILE: &str = "hallway.toml";

/// What `hallway.toml` holds. Relative paths start at the data folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The realm: relying party id and SPIFFE trust domain, a domain name without port.
    pub realm: RealmName,
    /// Where the gateway listens.
    #[serde(deserialize_with = "text::socket_address")]
    pub listen: SocketAddr,
    /// Where Prometheus gets metrics, over plain HTTP; without it nowhere.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::optional_socket_address"
    )]
    pub metrics_listen: Option<SocketAddr>,
    /// The address at which people and devices reach the gateway, such as `https://gate.example`.
    /// Without it, `http://localhost:PORT`, which browsers accept as secure on this machine alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<Origin>,
    /// `sqlite:FILE` or `postgres://…`.
    pub database: Database,
    /// The folder for payloads.
    pub objects: PathBuf,
    /// The certificate; required if the gateway listens beyond loopback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Bounds on what callers may cost together.
    pub limits: Limits,
    /// The source of metadata about models of authenticators.
    pub metadata: MetadataConfig,
    /// The policies: which keys open doors.
    pub policy: Policies,
    /// The web door.
    pub web: WebSettings,
    /// The device door.
    pub device: DeviceSettings,
    /// The hall door. Without this section there is no hall listener: people enter halls with a
    /// browser alone, and there are no partners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hall: Option<HallSettings>,
    /// Who watches the realm's log, besides its partners.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<WitnessAddress>,
    /// Whose logs the realm watches, besides those of its partners.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnessed: Vec<WatchedLog>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            realm: RealmName::localhost(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            database: Database::default(),
            objects: PathBuf::from("objects"),
            tls: None,
            limits: Limits::default(),
            metadata: MetadataConfig::default(),
            metrics_listen: None,
            policy: Policies::default(),
            web: WebSettings::default(),
            device: DeviceSettings::default(),
            hall: None,
            witnesses: Vec::new(),
            witnessed: Vec::new(),
        }
    }
}

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read or written.
    #[error("the configuration {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file is not the TOML that is expected.
    #[error("the configuration {path} is not valid:\n{problems}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The mistakes, with their lines.
        problems: Problems,
    },
    /// The configuration does not go into TOML.
    #[error("the configuration cannot be written: {0}")]
    Write(#[from] toml::ser::Error),
    /// The realm is a name of one label, which nobody owns (WebAuthn Level 3, 5.1.3), so clients
    /// refuse it.
    #[error(
        "the realm \"{0}\" is a domain under which everybody's domains are, so clients refuse it: set \
         realm in hallway.toml to a domain of yours, such as gate.example"
    )]
    NobodysRealm(RealmName),
    /// Plain HTTP would be reachable from other machines.
    #[error(
        "{0} can be reached from other machines, but no certificate is configured; \
         set [tls] certificate and key in hallway.toml, or listen on 127.0.0.1"
    )]
    PlainHttp(SocketAddr),
    /// Without a certificate or a public address, only names of this machine can be served.
    #[error(
        "the realm \"{0}\" needs the address at which browsers reach it: set public_url = \
         \"https://{0}\" in hallway.toml, or [tls]; plain http is for localhost alone"
    )]
    NoPublicUrl(RealmName),
    /// `[hall]` is not valid.
    #[error(transparent)]
    Hall(#[from] Invalid),
    /// WebAuthn Level 3, 5.1.3: the origin's host must be the relying party id or below it.
    #[error(
        "the realm \"{realm}\" is not the host of public_url \"{url}\" or a parent of it: set realm \
         and public_url in hallway.toml to fit"
    )]
    Realm {
        /// The relying party id.
        realm: RealmName,
        /// The address.
        url: Origin,
    },
}

impl Config {
    /// Reads `hallway.toml` in `folder`; the defaults if there is none.
    ///
    /// # Errors
    /// The file cannot be read or understood.
    pub fn load(folder: &Path) -> Result<Self, ConfigError> {
        let path = folder.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => {
                problems::read(&text).map_err(|problems| ConfigError::Syntax { path, problems })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ConfigError::File { path, source }),
        }
    }

    /// Writes `hallway.toml` in `folder`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), ConfigError> {
        let path = folder.join(FILE);
        let text = toml::to_string_pretty(self)?;
        fs::write(&path, text).map_err(|source| ConfigError::File { path, source })
    }

    /// The origin that browsers see, given the address that was bound in the end.
    ///
    /// # Errors
    /// Plain HTTP beyond loopback, an address that is no origin, or a realm that it does not
    /// belong to.
    pub fn origin(&self, bound: SocketAddr) -> Result<Origin, ConfigError> {
        if self.tls.is_none() && !bound.ip().is_loopback() {
            return Err(ConfigError::PlainHttp(bound));
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let url = match &self.public_url {
            Some(url) => url.clone(),
            None => format!("{scheme}://{}:{}", self.realm, bound.port())
                .parse()
                .map_err(|_| ConfigError::NoPublicUrl(self.realm.clone()))?,
        };
        if !self.realm.covers(url.host()) {
            return Err(ConfigError::Realm {
                realm: self.realm.clone(),
                url,
            });
        }
        let name = self.realm.as_str();
        // As clients demand: a name above the host has a name above itself, or is that of this
        // machine.
        if name != url.host() && name != "localhost" && !name.contains('.') {
            return Err(ConfigError::NobodysRealm(self.realm.clone()));
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 81);

    /// Reads the text from a file, as an operator writes it.
    fn read(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), text).unwrap();
        Config::load(folder.path())
    }

    fn public(url: &str, realm: &str) -> Result<String, ConfigError> {
        let config = read(&format!("realm = \"{realm}\"\npublic_url = \"{url}\""))?;
        Ok(config.origin(LOOPBACK)?.to_string())
    }

    #[test]
    fn a_written_file_reads_back_and_a_missing_one_gives_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let made = Config::load(folder.path()).unwrap();
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        made.save(folder.path()).unwrap();
        assert_eq!(Config::load(folder.path()).unwrap(), made);
        assert_eq!(&*made.origin(LOOPBACK).unwrap(), "http://localhost:81");
    }

    #[test]
    fn a_misspelt_setting_is_named() {
        let error = read("relam = \"x\"").unwrap_err().to_string();
        assert!(error.contains("relam"), "{error}");
    }

    #[test]
    fn an_invalid_value_is_told_with_its_line() {
        for text in [
            "realm = 'https://gate.example'",
            "realm = 'gate.example:443'",
            "realm = '127.0.0.1'",
            "realm = ''",
            "public_url = 'https://gate.example.com:99999'",
            "public_url = 'https://gate.example.com:abc'",
            "public_url = 'https://gate.example.com/path'",
            "public_url = 'http://gate.example.com'",
            "public_url = 'gate.example.com'",
            "database = 'mysql://db/realm'",
            "database = 'hallway.db'",
            "listen = 'localhost'",
            "metrics_listen = '127.0.0.1:99999'",
            "metadata.url = 'http://mds.example'",
            "metadata.signer = 'https://mds.example'",
            "hall.address = 'gate.example:99999'",
            "hall.listen = '8443'",
            "policy.owner.allow = ['12345678-1234']",
            "hall.stores = [{ hall = 'a', name = 'a', bucket = { endpoint = 'http://s3.example', \
             region = 'r', name = 'n', access_key = 'k', secret_key_file = 'f' } }]",
            "witnesses = [{ key = 'a+1+b', url = 'https://a.example' }]",
        ] {
            // Behind a comment, so that the line is not always the first.
            let error = read(&format!("# A comment.\n\n{text}"))
                .unwrap_err()
                .to_string();
            assert!(error.contains("line 3"), "{text}: {error}");
        }
    }

    #[test]
    fn a_value_with_several_spellings_has_one_form() {
        let config = read(
            "realm = 'Gate.Example.COM'\npublic_url = 'HTTPS://A.gate.example.com:0443/'\n\
             database = 'PostgreSQL://me@db/realm'\n[metadata]\nurl = 'HTTPS://MDS.example:443'\n\
             signer = 'MDS.Example'\n[hall]\naddress = 'Gate.Example.com:08443'\n\
             [policy.owner]\nallow = ['CB69481E8FF7403993EC0A2729A154A8']",
        )
        .unwrap();
        let plain = read(
            "realm = 'gate.example.com'\npublic_url = 'https://a.gate.example.com'\n\
             database = 'postgres://me@db/realm'\n[metadata]\nurl = 'https://mds.example/'\n\
             signer = 'mds.example'\n[hall]\naddress = 'gate.example.com:8443'\n\
             [policy.owner]\nallow = ['cb69481e-8ff7-4039-93ec-0a2729a154a8']",
        )
        .unwrap();
        assert_eq!(config, plain);
        let written = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&written).unwrap(), plain);
    }

    #[test]
    fn plain_http_stays_on_loopback() {
        let outside = SocketAddr::from(([0, 0, 0, 0], 80));
        assert!(matches!(
            Config::default().origin(outside),
            Err(ConfigError::PlainHttp(_))
        ));
        let unreachable = read("realm = 'gate.example'").unwrap();
        assert!(matches!(
            unreachable.origin(LOOPBACK),
            Err(ConfigError::NoPublicUrl(_))
        ));
    }

    #[test]
    fn the_realm_owns_the_address() {
        for (url, origin) in [
            ("https://gate.example.com", "https://gate.example.com"),
            ("https://example.com:8443/", "https://example.com:8443"),
            ("https://gate.example.com:443", "https://gate.example.com"),
            ("https://gate.example.com:0443", "https://gate.example.com"),
            ("https://Gate.example.com", "https://gate.example.com"),
        ] {
            assert_eq!(public(url, "example.com").unwrap(), origin);
            assert_eq!(public(url, "Example.com").unwrap(), origin);
        }
        for url in ["https://evil-example.com", "https://example.com.evil"] {
            assert!(matches!(
                public(url, "example.com"),
                Err(ConfigError::Realm { .. })
            ));
        }
        assert!(matches!(
            public("https://example.com", "com"),
            Err(ConfigError::NobodysRealm(_))
        ));
        for (url, realm) in [
            ("https://intranet", "intranet"),
            ("http://gate.localhost:8080", "localhost"),
        ] {
            assert_eq!(public(url, realm).unwrap(), url);
        }
    }
}
