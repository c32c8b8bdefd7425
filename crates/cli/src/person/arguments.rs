//! Which gateway, which key: flags over HALLWAY_* variables over `hallway.toml`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use super::folders::Folders;
use super::{KeptSession, KeyChoice, PersonError};
use crate::key::pin::Typed;
use crate::key::protection::ProtectionArguments;

/// The file in the folder `hallway` below XDG_CONFIG_HOME.
const FILE: &str = "hallway.toml";

/// What every command has that a person gives to a gateway.
#[derive(Clone, Debug, Args)]
pub(crate) struct PersonArguments {
    /// The gateway, such as `https://gate.example`.
    #[arg(long, value_name = "URL", env = "HALLWAY_GATEWAY")]
    gateway: Option<String>,
    /// Your security key: usb, usb:DEVICE, unix:PATH, udp:ADDRESS:PORT, or a key FILE [default: usb]
    #[arg(long, value_name = "KEY", env = "HALLWAY_SECURITY_KEY")]
    key: Option<KeyChoice>,
    #[command(flatten)]
    protection: ProtectionArguments,
    /// Read the key's PIN from the first line of FILE.
    ///
    /// Otherwise it is taken from the variable HALLWAY_PIN, or asked for.
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// A certificate authority to trust for TLS besides the system's, PEM.
    #[arg(long, value_name = "FILE", env = "HALLWAY_CA")]
    ca: Option<PathBuf>,
}

/// `hallway.toml` of a person.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    gateway: Option<String>,
    key: Option<KeyChoice>,
    ca: Option<PathBuf>,
}

/// Where a person goes, and with which key.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The gateway's origin, such as `https://gate.example`.
    pub(crate) gateway: String,
    /// The key.
    pub(crate) key: KeyChoice,
    /// A certificate authority besides the system's, PEM.
    pub(crate) authority: Option<Vec<u8>>,
    /// Where this person's files are.
    pub(crate) folders: Folders,
}

impl PersonArguments {
    /// What is meant, all sources together.
    ///
    /// # Errors
    /// No gateway is named anywhere, or a file can't be read.
    pub(crate) fn settings(&self) -> Result<Settings, PersonError> {
        let folders = Folders::find()?;
        let configured = Configuration::read(&folders.configuration)?;
        let named = self.gateway.clone().or(configured.gateway.clone());
        let missing = || PersonError::NoGateway(folders.configuration.join(FILE));
        let gateway = named.ok_or_else(missing)?;
        self.with(&gateway, configured, folders)
    }

    /// The same, for a gateway that a link names.
    pub(super) fn settings_at(&self, gateway: &str) -> Result<Settings, PersonError> {
        let folders = Folders::find()?;
        let configured = Configuration::read(&folders.configuration)?;
        self.with(gateway, configured, folders)
    }

    fn with(
        &self,
        gateway: &str,
        configured: Configuration,
        folders: Folders,
    ) -> Result<Settings, PersonError> {
        let authority = match self.ca.clone().or(configured.ca) {
            Some(path) => Some(fs::read(&path).map_err(|error| named(&path, error))?),
            None => None,
        };
        Ok(Settings {
            gateway: origin(gateway)?,
            key: self.key.clone().or(configured.key).unwrap_or_default(),
            authority,
            folders,
        })
    }

    /// What opens a key file.
    pub(super) fn protection(&self) -> &ProtectionArguments {
        &self.protection
    }

    /// The PIN from a file or variable, or a prompt that asks when it is wanted.
    pub(super) fn pin(&self) -> Result<Typed, PersonError> {
        Ok(Typed::from_file(self.pin_file.as_deref())?)
    }
}

impl Settings {
    /// Where the session with this gateway is kept.
    pub(crate) fn session(&self) -> KeptSession {
        KeptSession::of(&self.gateway, &self.folders.state)
    }
}

impl Configuration {
    /// Reads the file in `folder`, where its relative paths start.
    fn read(folder: &Path) -> Result<Self, PersonError> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            other => other.map_err(|error| named(&path, error))?,
        };
        let mut read: Self = toml::from_str(&text).map_err(|error| PersonError::Configuration {
            path,
            error: Box::new(error),
        })?;
        read.ca = read.ca.map(|path| folder.join(path));
        if let Some(KeyChoice::File(path)) = &mut read.key {
            *path = folder.join(&*path);
        }
        Ok(read)
    }
}

fn named(path: &Path, error: io::Error) -> PersonError {
    PersonError::File {
        path: path.to_owned(),
        error,
    }
}

/// The origin of an address: keys sign it, so it must be what the gateway calls itself.
fn origin(text: &str) -> Result<String, PersonError> {
    let wrong = || PersonError::GatewayAddress(text.to_owned());
    let url = reqwest::Url::parse(text).map_err(|_| wrong())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !is_web || url.path() != "/" || url.query().is_some() || !url.username().is_empty() {
        return Err(wrong());
    }
    Ok(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_named_by_its_origin() {
        for (text, expected) in [
            ("https://Gate.example/", "https://gate.example"),
            ("https://gate.example:443", "https://gate.example"),
            ("http://localhost:8080", "http://localhost:8080"),
        ] {
            assert_eq!(origin(text).unwrap(), expected);
        }
        for text in [
            "gate.example",
            "https://a@gate.example",
            "https://gate.example/x",
            "ftp://x",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_word_that_the_configuration_does_not_know_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let read = || Configuration::read(folder.path());
        assert!(read().unwrap().gateway.is_none());
        fs::write(&path, "key = 'my.key'\nca = '/etc/ca.pem'\n").unwrap();
        let found = read().unwrap();
        let key = folder.path().join("my.key");
        assert_eq!(found.key, Some(KeyChoice::File(key)));
        assert_eq!(found.ca, Some("/etc/ca.pem".into()));
        fs::write(&path, "gatewya = 'https://gate.example'\n").unwrap();
        let error = read().unwrap_err().to_string();
        assert!(error.contains("gatewya"), "{error}");
    }
}
