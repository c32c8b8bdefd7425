//! Names of realms, and the addresses at which their gateways are reached.

use core::fmt;
use core::ops::Deref;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::fields::{FromValue, Unfit, Value};

/// A realm by its name: its relying party id, which is its SPIFFE trust domain (SPIFFE-ID,
/// section 2.1): 1 to 255 of `a-z`, `0-9`, `.`, `-` and `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RealmName(String);

/// A text that names no realm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a realm is named by 1 to 255 of a-z, 0-9, '.', '-' and '_'")]
pub struct RealmNameError;

/// Where a gateway is reached: `https://HOST` or `https://HOST:PORT`, in the one form that RFC 6454
/// gives it, without a path. Plain `http` is for `localhost` and names below it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// A text that is no [`Origin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a gateway's address is https://HOST or https://HOST:PORT, without a path")]
pub struct OriginError;

impl RealmName {
    /// The longest name, in bytes (SPIFFE-ID, section 2.3).
    pub const MAX_BYTES: usize = 255;

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `host` is the realm's own name or below it (WebAuthn Level 3, 5.1.3).
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        host.strip_suffix(self.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

impl Origin {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, without a port.
    #[must_use]
    pub fn host(&self) -> &str {
        let authority = self.0.split_once("://").map_or("", |(_, rest)| rest);
        authority
            .split_once(':')
            .map_or(authority, |(host, _)| host)
    }

    /// Whether it is spoken to over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }
}

impl FromStr for RealmName {
    type Err = RealmNameError;

    fn from_str(text: &str) -> Result<Self, RealmNameError> {
        let allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
        };
        if (1..=Self::MAX_BYTES).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RealmNameError)
        }
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    /// Reads an address; a final slash and the scheme's own port are left away.
    fn from_str(text: &str) -> Result<Self, OriginError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (scheme, authority) = text.split_once("://").ok_or(OriginError)?;
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        let allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-')
        };
        if !(1..=253).contains(&host.len()) || !host.bytes().all(allowed) {
            return Err(OriginError);
        }
        let own_port = match scheme {
            "https" => "443",
            "http" if host == "localhost" || host.ends_with(".localhost") => "80",
            _ => return Err(OriginError),
        };
        match port {
            Some(port) if port != own_port => {
                let number: u16 = port.parse().map_err(|_| OriginError)?;
                if number == 0 || number.to_string() != port {
                    return Err(OriginError);
                }
                Ok(Self(format!("{scheme}://{host}:{port}")))
            }
            _ => Ok(Self(format!("{scheme}://{host}"))),
        }
    }
}

/// What a text type shares with the others.
macro_rules! text {
    ($name:ident, $error:ident, $unfit:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl<'a> From<&'a $name> for Value<'a> {
            fn from(name: &'a $name) -> Self {
                Value::Text(&name.0)
            }
        }

        impl<'a> FromValue<'a> for $name {
            fn from_value(value: Value<'a>) -> Result<Self, Unfit> {
                let text = <&str>::from_value(value)?;
                // A statement has one encoding, so only the form that is written is read.
                match text.parse::<Self>() {
                    Ok(name) if name.as_str() == text => Ok(name),
                    _ => Err(Unfit::Value($unfit)),
                }
            }
        }
    };
}

text!(RealmName, RealmNameError, "names no realm");
text!(Origin, OriginError, "is no gateway's address");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::{DecodeError, Fields};

    #[test]
    fn a_realm_covers_its_own_hosts_and_no_others() {
        let realm: RealmName = "beta.example".parse().unwrap();
        assert!(realm.covers("beta.example") && realm.covers("gate.beta.example"));
        for host in ["notbeta.example", "example", "beta.example.evil", ""] {
            assert!(!realm.covers(host), "{host}");
        }
        for bad in ["", "Beta", "a/b", "a:1", "a b", "ä", &"a".repeat(256)] {
            assert!(bad.parse::<RealmName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_has_one_form() {
        for (text, form) in [
            ("https://gate.example/", "https://gate.example"),
            ("https://gate.example:443", "https://gate.example"),
            ("https://gate.example:8443", "https://gate.example:8443"),
            ("http://localhost:81", "http://localhost:81"),
            ("http://gate.b.localhost", "http://gate.b.localhost"),
        ] {
            let origin: Origin = text.parse().unwrap();
            assert_eq!(origin.as_str(), form);
        }
        let origin: Origin = "https://gate.example:8443".parse().unwrap();
        assert_eq!(origin.host(), "gate.example");
        assert!(origin.is_https());
        for bad in [
            "gate.example",
            "http://gate.example",
            "http://127.0.0.1:80",
            "http://localhost.evil.example",
            "ftp://localhost",
            "https://",
            "https://gate.example/api",
            "https://user@gate.example",
            "https://Gate.example",
            "https://gate.example:0",
            "https://gate.example:0443",
            "https://gate.example:70000",
            "https://gate.example?x",
            "https://[::1]",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_statement_holds_the_one_form_alone() {
        let read = |text: &str| {
            let bytes = Fields::default().with("origin", text).encode();
            Fields::decode(&bytes, 1024)
                .unwrap()
                .take::<Origin>("origin")
        };
        assert!(read("https://gate.example").is_ok());
        assert!(matches!(
            read("https://gate.example:443"),
            Err(DecodeError::Value { .. })
        ));
    }
}
