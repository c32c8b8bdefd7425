//! Which gateway, which key: flags over HALLWAY_* variables over `hallway.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use hallway_client::GatewayAddress;
use hallway_evidence::RealmName;
use serde::Deserialize;

use super::folders::Folders;
use super::{KeptSession, KeyChoice, KnownRealm, PersonError};
use crate::key::pin::Typed;
use crate::key::protection::ProtectionArguments;

/// The file in the folder `hallway` below XDG_CONFIG_HOME.
pub(crate) const SETTINGS_FILE: &str = "hallway.toml";

/// The heading of these arguments in a command's help, after the command's own.
const WHO: &str = "Who you are";

/// The arguments of every command that a person gives to a gateway.
#[derive(Clone, Debug, Args)]
pub(crate) struct PersonArguments {
    /// The account in `hallway.toml`, which names gateway and key.
    #[arg(long, help_heading = WHO, value_name = "NAME", env = "HALLWAY_ACCOUNT")]
    account: Option<String>,
    /// The gateway, such as `https://gate.example`.
    #[arg(long, help_heading = WHO, value_name = "URL", env = "HALLWAY_GATEWAY")]
    gateway: Option<GatewayAddress>,
    /// Your security key: usb, usb:DEVICE, unix:PATH, udp:ADDRESS:PORT, or a key FILE
    /// [default: usb]
    #[arg(long, help_heading = WHO, value_name = "KEY", env = "HALLWAY_SECURITY_KEY")]
    key: Option<KeyChoice>,
    #[command(flatten, next_help_heading = WHO)]
    protection: ProtectionArguments,
    /// Read the key's PIN from the first line of FILE.
    ///
    /// Otherwise it is taken from the variable HALLWAY_PIN, or asked for.
    #[arg(long, help_heading = WHO, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// A certificate authority to trust for TLS besides the system's, PEM.
    #[arg(long, help_heading = WHO, value_name = "FILE", env = "HALLWAY_CA")]
    ca: Option<PathBuf>,
}

/// `hallway.toml` of a person: one account, or several by name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    /// The account to use if none is named.
    account: Option<String>,
    gateway: Option<GatewayAddress>,
    realm: Option<RealmName>,
    key: Option<KeyChoice>,
    ca: Option<PathBuf>,
    #[serde(default)]
    accounts: BTreeMap<String, Account>,
}

/// Which key belongs to which gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    gateway: Option<GatewayAddress>,
    realm: Option<RealmName>,
    key: Option<KeyChoice>,
    ca: Option<PathBuf>,
}

/// A person's gateway, key and folders.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The gateway.
    pub(crate) gateway: GatewayAddress,
    /// Its realm, if the person says which it must be.
    pub(crate) realm: Option<RealmName>,
    /// The key.
    pub(crate) key: KeyChoice,
    /// A certificate authority besides the system's, PEM.
    pub(crate) authority: Option<Vec<u8>>,
    /// Where this person's files are.
    pub(crate) folders: Folders,
}

impl PersonArguments {
    /// The settings, from all sources together.
    ///
    /// # Errors
    /// No gateway is named anywhere, or a file can't be read.
    pub(crate) fn settings(&self) -> Result<Settings, PersonError> {
        let folders = Folders::find()?;
        let configured = Configuration::read(&folders.configuration)?;
        let account = configured.account(self.account.as_deref(), self.gateway.as_ref())?;
        let named = self.gateway.clone().or(account.gateway.clone());
        let missing = || PersonError::NoGateway(folders.configuration.join(SETTINGS_FILE));
        let gateway = named.ok_or_else(missing)?;
        self.with(gateway, account, folders)
    }

    /// The same, for a gateway that a link names.
    pub(crate) fn settings_at(&self, gateway: &GatewayAddress) -> Result<Settings, PersonError> {
        let folders = Folders::find()?;
        let configured = Configuration::read(&folders.configuration)?;
        let account = configured.account(self.account.as_deref(), Some(gateway))?;
        self.with(gateway.clone(), account, folders)
    }

    fn with(
        &self,
        gateway: GatewayAddress,
        account: Account,
        folders: Folders,
    ) -> Result<Settings, PersonError> {
        let authority = match self.ca.clone().or(account.ca) {
            Some(path) => Some(fs::read(&path).map_err(|error| named(&path, error))?),
            None => None,
        };
        // The account's realm is that of its gateway, not of another that is named instead.
        let is_its = account.gateway.is_none_or(|its| its == gateway);
        Ok(Settings {
            realm: account.realm.filter(|_| is_its),
            gateway,
            key: self.key.clone().or(account.key).unwrap_or_default(),
            authority,
            folders,
        })
    }

    /// What opens a key file.
    pub(super) fn protection(&self) -> &ProtectionArguments {
        &self.protection
    }

    /// The PIN from a file or variable, or a prompt that asks when it is needed.
    pub(super) fn pin(&self) -> Result<Typed, PersonError> {
        Ok(Typed::from_file(self.pin_file.as_deref())?)
    }
}

impl Settings {
    /// Where the session with this gateway is kept.
    pub(crate) fn session(&self) -> KeptSession {
        KeptSession::of(&self.gateway, &self.folders.state)
    }

    /// The record of the gateway's realm.
    pub(crate) fn known_realm(&self) -> KnownRealm {
        KnownRealm::of(&self.gateway, &self.folders.state)
    }
}

impl Configuration {
    /// Reads the file in `folder`, where its relative paths start.
    fn read(folder: &Path) -> Result<Self, PersonError> {
        let path = folder.join(SETTINGS_FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            other => other.map_err(|error| named(&path, error))?,
        };
        let mut read: Self = toml::from_str(&text).map_err(|error| PersonError::Configuration {
            path,
            error: Box::new(error),
        })?;
        let default = (&mut read.key, &mut read.ca);
        let named = read.accounts.values_mut();
        let named = named.map(|account| (&mut account.key, &mut account.ca));
        for (key, ca) in std::iter::once(default).chain(named) {
            *ca = ca.take().map(|path| folder.join(path));
            if let Some(KeyChoice::File(path)) = key {
                *path = folder.join(&*path);
            }
        }
        Ok(read)
    }

    /// The account to use: the one that was `named`, or else the one at `gateway`.
    fn account(
        &self,
        named: Option<&str>,
        gateway: Option<&GatewayAddress>,
    ) -> Result<Account, PersonError> {
        let here = || Account {
            gateway: self.gateway.clone(),
            realm: self.realm.clone(),
            key: self.key.clone(),
            ca: self.ca.clone(),
        };
        let known = |name: &str| {
            let unknown = || PersonError::NoAccount {
                name: name.to_owned(),
                known: self.accounts.keys().cloned().collect(),
            };
            self.accounts.get(name).cloned().ok_or_else(unknown)
        };
        match (named, gateway, self.account.as_deref()) {
            (Some(name), ..) | (None, None, Some(name)) => known(name),
            (None, Some(gateway), _) => {
                let is_there = |account: &&Account| account.gateway.as_ref() == Some(gateway);
                Ok(self
                    .accounts
                    .values()
                    .find(is_there)
                    .cloned()
                    .unwrap_or_else(here))
            }
            (None, None, None) => Ok(here()),
        }
    }
}

fn named(path: &Path, error: io::Error) -> PersonError {
    PersonError::File {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_the_configuration_does_not_know_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SETTINGS_FILE);
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
        for (text, told) in [
            (
                "gateway = 'https://gate.example:99999'",
                "https://gate.example",
            ),
            ("realm = 'https://gate.example'", "a realm is named"),
        ] {
            fs::write(&path, format!("# Mine.\n{text}\n")).unwrap();
            let error = read().unwrap_err().to_string();
            assert!(error.contains(told) && error.contains("line 2"), "{error}");
        }
    }

    #[test]
    fn each_account_has_its_gateway_and_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"
            account = "work"
            key = "udp:127.0.0.1:1"
            [accounts.work]
            gateway = "https://gate.example"
            [accounts.lab]
            gateway = "https://lab.example/"
            key = "lab.key"
        "#;
        fs::write(folder.path().join(SETTINGS_FILE), text).unwrap();
        let read = Configuration::read(folder.path()).unwrap();
        let at = |address: &str| address.parse::<GatewayAddress>().unwrap();
        let gateway = |named| read.account(named, None).unwrap().gateway.unwrap();
        assert_eq!(gateway(None).origin(), "https://gate.example");
        assert_eq!(gateway(Some("lab")).origin(), "https://lab.example");
        let lab = read
            .account(None, Some(&at("https://lab.example:443")))
            .unwrap();
        assert_eq!(
            lab.key,
            Some(KeyChoice::File(folder.path().join("lab.key")))
        );
        let elsewhere = read
            .account(None, Some(&at("https://new.example")))
            .unwrap();
        assert_eq!(elsewhere.key.unwrap().to_string(), "udp:127.0.0.1:1");
        let error = read.account(Some("home"), None).unwrap_err().to_string();
        assert!(error.contains("lab, work"), "{error}");
    }
}
