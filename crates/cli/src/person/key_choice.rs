//! Which security key: a file, one behind a socket, or one on USB.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use hallway_client::{Connection, ConnectionError, HidKey, ReportConnection, hid_keys};
use hallway_softkey::{Consent, SoftKey};
use serde::Deserialize;

use super::PersonError;
use crate::key::protection::{Prompt, ProtectionArguments};

/// Where a person's security key is.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum KeyChoice {
    /// The one that is plugged in.
    #[default]
    Usb,
    /// A device, such as `/dev/hidraw3`.
    Device(PathBuf),
    /// A UDP address, with one report per datagram.
    Udp(SocketAddr),
    /// A Unix socket, with reports back to back.
    Unix(PathBuf),
    /// A key file, opened in this process.
    File(PathBuf),
}

/// The text has none of the forms.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an address: write udp:ADDRESS:PORT")]
pub(crate) struct NotAKey(String);

impl FromStr for KeyChoice {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        Ok(match text.split_once(':') {
            _ if text == "usb" => Self::Usb,
            Some(("usb", device)) => Self::Device(device.into()),
            Some(("udp", address)) => {
                Self::Udp(address.parse().map_err(|_| NotAKey(text.to_owned()))?)
            }
            Some(("unix", path)) => Self::Unix(path.into()),
            _ => Self::File(text.into()),
        })
    }
}

impl TryFrom<String> for KeyChoice {
    type Error = NotAKey;

    fn try_from(text: String) -> Result<Self, NotAKey> {
        text.parse()
    }
}

impl fmt::Display for KeyChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usb => f.write_str("usb"),
            Self::Device(path) => write!(f, "usb:{}", path.display()),
            Self::Udp(address) => write!(f, "udp:{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl KeyChoice {
    /// What such a key is called where its owner gives it no name.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "software key",
            Self::Usb | Self::Device(_) | Self::Udp(_) | Self::Unix(_) => "security key",
        }
    }

    /// Opens the key. A key file is locked for as long as the connection lives.
    pub(crate) fn open(
        &self,
        protection: &ProtectionArguments,
    ) -> Result<Box<dyn Connection>, PersonError> {
        if let Self::File(path) = self {
            let protection = protection.read(Prompt::Once)?;
            // Having the file and what opens it is its owner's consent.
            return Ok(boxed(SoftKey::open(path, &protection, Consent::Always)?));
        }
        self.connect()?.ok_or(PersonError::NoKey)
    }

    /// Connects to a key outside this process; `None` for a key file.
    pub(crate) fn connect(&self) -> Result<Option<Box<dyn Connection>>, PersonError> {
        let connected = match self {
            Self::Usb => ReportConnection::hidraw(only(hid_keys()?)?).map(boxed),
            Self::Device(path) => ReportConnection::hidraw(path).map(boxed),
            Self::Udp(address) => ReportConnection::udp(*address).map(boxed),
            Self::Unix(path) => ReportConnection::unix(path).map(boxed),
            Self::File(_) => return Ok(None),
        };
        connected.map(Some).map_err(|error| self.unreachable(error))
    }

    fn unreachable(&self, error: ConnectionError) -> PersonError {
        PersonError::Unreachable {
            key: self.clone(),
            error,
        }
    }
}

fn boxed(connection: impl Connection + 'static) -> Box<dyn Connection> {
    Box::new(connection)
}

/// The one key that is plugged in.
fn only(mut keys: Vec<HidKey>) -> Result<PathBuf, PersonError> {
    match keys.len() {
        0 => Err(PersonError::NoKey),
        1 => Ok(keys.remove(0).path),
        _ => Err(PersonError::ManyKeys(keys)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_told_and_said_again() {
        for text in [
            "usb",
            "usb:/dev/hidraw3",
            "udp:[::1]:8111",
            "unix:/run/k",
            "a b:c.key",
        ] {
            assert_eq!(text.parse::<KeyChoice>().unwrap().to_string(), text);
        }
        assert_eq!(
            "my.key".parse::<KeyChoice>().unwrap(),
            KeyChoice::File("my.key".into())
        );
        assert!("udp:localhost".parse::<KeyChoice>().is_err());
    }

    #[test]
    fn a_choice_among_several_is_the_persons() {
        let key = |number: u8| HidKey {
            path: format!("/dev/hidraw{number}").into(),
            name: "Maker".to_owned(),
        };
        assert!(matches!(only(Vec::new()), Err(PersonError::NoKey)));
        assert_eq!(only(vec![key(4)]).unwrap(), PathBuf::from("/dev/hidraw4"));
        let error = only(vec![key(1), key(2)]).unwrap_err().to_string();
        assert!(error.contains("usb:/dev/hidraw2"), "{error}");
    }
}
