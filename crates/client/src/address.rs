//! Addresses for HTTP: over TLS, or on this machine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// An `https` URL, or an `http` URL of this machine: a loopback address, `localhost`, or a name
/// below it (RFC 6761, 6.3). It has no user name and no password. It is parsed as the URL standard
/// says, so that it prints in one form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecureUrl(Url);

/// A gateway's address: a [`SecureUrl`] that is an origin, `SCHEME://HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GatewayAddress(SecureUrl);

/// Why an address is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressProblem {
    /// It can't be parsed, or names no host.
    NotAUrl,
    /// It names a user or a password, which may be there to hide the host.
    Credentials,
    /// Its scheme is neither `https` nor `http`.
    Scheme,
    /// Plain HTTP to another machine: everybody between could read and change the traffic.
    Plain,
    /// A gateway's address with a path, a query or a fragment.
    NotAnOrigin,
}

/// An invalid address, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    /// The address as it was given.
    pub address: String,
    /// What is wrong with it.
    pub problem: AddressProblem,
}

impl fmt::Display for AddressProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAUrl => "it should look like https://gate.example",
            Self::Credentials => "it names a user; leave out everything before the @",
            Self::Scheme => "it must begin with https://",
            Self::Plain => {
                "it must begin with https://; plain http is spoken with this machine only"
            }
            Self::NotAnOrigin => "it must end after the host or the port, without a path",
        })
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is invalid: {}",
            without_user(&self.address),
            self.problem
        )
    }
}

/// An address, or a text that begins with one, without the user before its host: a password may
/// stand there.
#[must_use]
pub fn without_user(text: &str) -> String {
    let scheme = text.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = text.split_at(scheme);
    let end = rest.find(['"', ' ']).unwrap_or(rest.len());
    let (address, behind) = rest.split_at(end);
    match (address.rsplit_once('@'), rest.rsplit_once('@')) {
        (Some((_, host)), _) => format!("{scheme}…@{host}{behind}"),
        // The password has a space or a quotation mark in it.
        (None, Some((_, host))) => format!("{scheme}…@{host}"),
        (None, None) => text.to_owned(),
    }
}

impl std::error::Error for AddressError {}

impl SecureUrl {
    /// Accepts a URL that may be connected to.
    ///
    /// # Errors
    /// [`AddressProblem`], never [`AddressProblem::NotAnOrigin`].
    pub fn new(url: Url) -> Result<Self, AddressProblem> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressProblem::Credentials);
        }
        let host = url.host().ok_or(AddressProblem::NotAUrl)?;
        if url.port() == Some(0) {
            return Err(AddressProblem::NotAUrl);
        }
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if is_this_machine(&host) => Ok(Self(url)),
            "http" => Err(AddressProblem::Plain),
            _ => Err(AddressProblem::Scheme),
        }
    }

    /// Whether the host is this machine, by its name or its address.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.0.host().is_some_and(|host| is_this_machine(&host))
    }

    /// The URL.
    #[must_use]
    pub const fn as_url(&self) -> &Url {
        &self.0
    }
}

/// A relying party id that a person wrote, in the form in which clients name it: a domain as the
/// URL standard parses it (3.5), so that `Gate.Example` is `gate.example`; or another
/// application's, which begins as a URL does and is kept as it is, such as `ssh:` (WebAuthn Level
/// 3, 4, "RP ID").
///
/// ```
/// use hallway_client::relying_party_id;
///
/// assert_eq!(relying_party_id("Gate.Example").as_deref(), Some("gate.example"));
/// assert_eq!(relying_party_id("ssh:").as_deref(), Some("ssh:"));
/// assert_eq!(relying_party_id("https://gate.example"), None);
/// ```
#[must_use]
pub fn relying_party_id(text: &str) -> Option<String> {
    if let Some((scheme, rest)) = text.split_once(':') {
        let begins = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let web = ["http", "https"]
            .iter()
            .any(|web| scheme.eq_ignore_ascii_case(web));
        // A domain with a port is not an id.
        let port = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
        let is_scheme = !scheme.is_empty() && scheme.bytes().all(begins) && !web && !port;
        return is_scheme.then(|| text.to_owned());
    }
    let Ok(Host::Domain(name)) = Host::parse(text) else {
        return None;
    };
    // The standard allows more characters in a host than any domain has, such as `*`.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(allowed);
    name.split('.').all(is_label).then_some(name)
}

/// The system may resolve a name below `localhost` to any address; a caller that connects must not.
fn is_this_machine(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        // An IPv4 loopback address in an IPv6 address does not count.
        Host::Ipv6(address) => address.is_loopback(),
    }
}

impl FromStr for SecureUrl {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = |problem| AddressError {
            address: text.to_owned(),
            problem,
        };
        // Without a scheme, `gate.example:443` would be read as a scheme and a path.
        let has_host = text.contains("://");
        let url = Url::parse(text).ok().filter(|_| has_host);
        Self::new(url.ok_or_else(|| wrong(AddressProblem::NotAUrl))?).map_err(wrong)
    }
}

impl TryFrom<String> for SecureUrl {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<SecureUrl> for String {
    fn from(url: SecureUrl) -> Self {
        url.0.into()
    }
}

impl GatewayAddress {
    /// The origin, as client data name it (RFC 6454, 6.2): no slash at the end.
    #[must_use]
    pub fn origin(&self) -> String {
        self.url().origin().ascii_serialization()
    }

    /// Whether the gateway is on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.0.is_local()
    }

    /// The address as a [`SecureUrl`].
    #[must_use]
    pub const fn secure_url(&self) -> &SecureUrl {
        &self.0
    }

    /// The name of the host, without a port; `None` for an IP address.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.url().domain()
    }

    /// Whether a relying party here may be called `rp_id`: as the host, or as a domain above it
    /// that has others above itself (WebAuthn Level 3, 5.1.3 and 5.1.4.1). Public suffixes are not
    /// known here, but no domain of one label can be anybody's.
    #[must_use]
    pub fn may_use(&self, rp_id: &str) -> bool {
        let Some(host) = self.domain() else {
            return false;
        };
        let is_above = || {
            let below = host.strip_suffix(rp_id);
            below.is_some_and(|below| below.ends_with('.'))
        };
        let is_somebodys = rp_id == "localhost" || rp_id.trim_end_matches('.').contains('.');
        !rp_id.is_empty() && (host == rp_id || (is_somebodys && is_above()))
    }

    /// The URL.
    #[must_use]
    pub const fn url(&self) -> &Url {
        self.0.as_url()
    }
}

impl TryFrom<String> for GatewayAddress {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<GatewayAddress> for String {
    fn from(address: GatewayAddress) -> Self {
        address.origin()
    }
}

impl FromStr for GatewayAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let secure: SecureUrl = text.parse()?;
        let url = secure.as_url();
        if url.path() == "/" && url.query().is_none() && url.fragment().is_none() {
            Ok(Self(secure))
        } else {
            Err(AddressError {
                address: text.to_owned(),
                problem: AddressProblem::NotAnOrigin,
            })
        }
    }
}

impl fmt::Display for SecureUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for GatewayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_named_by_its_origin() {
        for (text, origin) in [
            ("https://Gate.example/", "https://gate.example"),
            ("https://gate.example:443", "https://gate.example"),
            ("https://gate.example:0443", "https://gate.example"),
            ("https://gate.example:8443/", "https://gate.example:8443"),
            ("https://10.0.0.1", "https://10.0.0.1"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://LOCALHOST:8080", "http://localhost:8080"),
            ("http://gate.alpha.localhost", "http://gate.alpha.localhost"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://127.1", "http://127.0.0.1"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            let address: GatewayAddress = text.parse().unwrap();
            assert_eq!(address.origin(), origin);
        }
    }

    #[test]
    fn plain_http_leaves_this_machine_in_no_disguise() {
        use AddressProblem::{Credentials, NotAUrl, NotAnOrigin, Plain, Scheme};
        for (text, problem) in [
            ("gate.example", NotAUrl),
            ("gate.example:443", NotAUrl),
            ("https://", NotAUrl),
            ("https://gate.example:99999", NotAUrl),
            ("https://gate.example:abc", NotAUrl),
            ("https://gate.example:0", NotAUrl),
            ("http://gate.example", Plain),
            ("HTTP://GATE.EXAMPLE", Plain),
            ("http://localhost.evil.example", Plain),
            ("http://evillocalhost", Plain),
            ("http://localhost.", Plain),
            ("http://127.0.0.1.evil.example", Plain),
            ("http://[::ffff:127.0.0.1]", Plain),
            ("http://[::ffff:1.2.3.4]", Plain),
            ("http://[::]", Plain),
            ("http://0.0.0.0", Plain),
            ("http://128.0.0.1", Plain),
            ("http://localhost@evil.example", Credentials),
            ("http://localhost:80@evil.example", Credentials),
            ("https://:secret@gate.example", Credentials),
            ("ftp://localhost", Scheme),
            ("https://gate.example/sub", NotAnOrigin),
            ("https://gate.example/?x", NotAnOrigin),
            ("https://gate.example/#x", NotAnOrigin),
            (r"http://localhost\@evil.example", NotAnOrigin),
        ] {
            let refused = text.parse::<GatewayAddress>().unwrap_err();
            assert_eq!(refused.problem, problem, "{text}");
        }
    }

    #[test]
    fn a_relying_party_has_one_name() {
        for (text, id) in [
            ("Gate.Example", Some("gate.example")),
            ("LOCALHOST", Some("localhost")),
            ("gäte.example", Some("xn--gte-qla.example")),
            ("ssh:", Some("ssh:")),
            ("ssh:Work", Some("ssh:Work")),
            ("", None),
            (":", None),
            ("*", None),
            ("*.example", None),
            ("gate..example", None),
            ("gate.example.", None),
            ("gate.example:443", None),
            ("HTTPS://gate.example", None),
            ("gate.example/x", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(relying_party_id(text).as_deref(), id, "{text}");
        }
    }

    #[test]
    fn a_gateway_speaks_for_its_own_domain_only() {
        let may_use = |address: &str, rp_id: &str| {
            let address: GatewayAddress = address.parse().unwrap();
            address.may_use(rp_id)
        };
        for (address, rp_id) in [
            ("https://gate.example", "gate.example"),
            ("https://gate.example:8443", "gate.example"),
            ("https://a.gate.example", "gate.example"),
            ("http://localhost:8080", "localhost"),
            ("http://gate.alpha.localhost:8080", "alpha.localhost"),
        ] {
            assert!(may_use(address, rp_id), "{address} {rp_id}");
        }
        for (address, rp_id) in [
            ("https://gate.example", "bank.example"),
            ("https://gate.example", "example"),
            ("https://gate.example", ""),
            ("https://gate.example", "."),
            ("https://gate.example", ".example"),
            ("https://evilgate.example", "gate.example"),
            ("https://gate.example", "a.gate.example"),
            ("https://127.0.0.1", "127.0.0.1"),
            ("https://127.0.0.1", "0.0.1"),
            ("https://[::1]", "::1"),
        ] {
            assert!(!may_use(address, rp_id), "{address} {rp_id}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_accepted_stays_as_it_is(text in "https?://[ -~]{0,40}") {
            if let Ok(address) = text.parse::<GatewayAddress>() {
                let again: GatewayAddress = address.origin().parse().unwrap();
                proptest::prop_assert_eq!(again.origin(), address.origin());
                proptest::prop_assert!(address.url().scheme() == "https" || address.is_local());
            }
        }
    }
}
