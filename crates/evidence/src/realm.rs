//! Names of realms, and the addresses at which their gateways are reached.

use core::fmt;
use core::ops::Deref;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::fields::{FromValue, Unfit, Value};

/// A realm by its name: its relying party id, a domain (WebAuthn Level 3, 4, "RP ID"), which is its
/// SPIFFE trust domain (SPIFFE-ID, section 2.1): 1 to 255 of `a-z`, `0-9`, `.`, `-` and `_`. It is
/// read as the URL standard reads a host (3.5), so `Gate.Example` is `gate.example`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RealmName(String);

/// A text that names no realm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a realm is named by a domain such as gate.example: 1 to 255 of a-z, 0-9, '.', '-' and '_', \
     without https:// and without a port"
)]
pub struct RealmNameError;

/// Where a gateway is reached: `https://HOST` or `https://HOST:PORT`, without a path. It is read as
/// the URL standard reads a URL, and kept in the one form that browsers give an origin (HTML,
/// 7.1.1), so `https://Gate.Example:0443/` is `https://gate.example`. The host is a domain, since
/// no IP address can be a relying party's. Plain `http` is for `localhost` and names below it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// A text that is no [`Origin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a gateway's address is https://HOST or https://HOST:PORT, without a path: HOST is a domain, PORT \
     is 1 to 65535, and http:// is for localhost alone"
)]
pub struct OriginError;

impl RealmName {
    /// The longest name, in bytes (SPIFFE-ID, section 2.3).
    pub const MAX_BYTES: usize = 255;

    /// The realm of a gateway that is reached only from its own machine.
    #[must_use]
    pub fn localhost() -> Self {
        Self("localhost".to_owned())
    }

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
        let host = Host::parse(text).map_err(|_| RealmNameError)?;
        domain(&host, Self::MAX_BYTES)
            .map(|name| Self(name.to_owned()))
            .ok_or(RealmNameError)
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        // Without a scheme, `gate.example:443` would be read as a scheme and a path.
        let url = Url::parse(text).ok().filter(|_| text.contains("://"));
        let url = url.ok_or(OriginError)?;
        let host = url
            .host()
            .and_then(|host| Some(domain(&host, 253)?.to_owned()));
        let host = host.ok_or(OriginError)?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => host == "localhost" || host.ends_with(".localhost"),
            _ => false,
        };
        let nobody = url.username().is_empty() && url.password().is_none();
        let nothing_more = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if secure && nobody && nothing_more && url.port() != Some(0) {
            Ok(Self(url.origin().ascii_serialization()))
        } else {
            Err(OriginError)
        }
    }
}

/// The name of a host, if it is a domain without empty labels, of at most `longest` bytes, each of
/// which SPIFFE allows in a trust domain.
fn domain<S: AsRef<str>>(host: &Host<S>, longest: usize) -> Option<&str> {
    let Host::Domain(name) = host else {
        return None;
    };
    let name = name.as_ref();
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
    };
    let whole = name.len() <= longest
        && name.bytes().all(allowed)
        && name.split('.').all(|label| !label.is_empty());
    whole.then_some(name)
}

/// The implementations that both text types share.
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
        let long = "a".repeat(256);
        for bad in [
            "",
            ".",
            "a..b",
            "a.",
            ".a",
            "a/b",
            "a:1",
            "a b",
            "a*b",
            "@a",
            "https://a",
            "127.0.0.1",
            "0x7f.1",
            "[::1]",
            "1",
            &long,
        ] {
            assert!(bad.parse::<RealmName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_realm_has_one_form() {
        for (text, form) in [
            ("Gate.Example", "gate.example"),
            ("LOCALHOST", "localhost"),
            ("a_b-c.example", "a_b-c.example"),
            ("gäte.example", "xn--gte-qla.example"),
        ] {
            assert_eq!(text.parse::<RealmName>().unwrap().as_str(), form);
        }
    }

    #[test]
    fn an_address_has_one_form() {
        for (text, form) in [
            ("https://gate.example/", "https://gate.example"),
            ("https://gate.example:443", "https://gate.example"),
            ("https://gate.example:0443", "https://gate.example"),
            ("https://gate.example:", "https://gate.example"),
            ("HTTPS://Gate.Example:443/", "https://gate.example"),
            ("https://g%61te.example/.", "https://gate.example"),
            ("https://gäte.example", "https://xn--gte-qla.example"),
            ("https://gate.example:08443", "https://gate.example:8443"),
            ("http://LOCALHOST:80/", "http://localhost"),
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
            "https://gate.example:0",
            "https://gate.example:99999",
            "https://gate.example:abc",
            "https://gate.example:-1",
            "https://gate.example:44 3",
            "https://gate.example.",
            "https://gate..example",
            "https://127.0.0.1",
            "https://0x7f.1",
            "https://gate.example#",
            "https://*.gate.example",
            "https://gate.example,https://other.example",
            "gate.example:443",
            "file:///gate",
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
        for text in ["https://gate.example:443", "https://Gate.example"] {
            assert!(
                matches!(read(text), Err(DecodeError::Value { .. })),
                "{text}"
            );
        }
        let bytes = Fields::default().with("realm", "Beta").encode();
        let realm = Fields::decode(&bytes, 1024).unwrap();
        assert!(matches!(
            { realm }.take::<RealmName>("realm"),
            Err(DecodeError::Value { .. })
        ));
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_stays_as_it_is(text in "https?://[ -~]{0,40}", name in "[ -~]{0,40}") {
            if let Ok(origin) = text.parse::<Origin>() {
                proptest::prop_assert_eq!(&origin.as_str().parse::<Origin>().unwrap(), &origin);
                proptest::prop_assert!(!origin.host().is_empty());
            }
            if let Ok(realm) = name.parse::<RealmName>() {
                proptest::prop_assert_eq!(&realm.as_str().parse::<RealmName>().unwrap(), &realm);
            }
        }
    }
}
