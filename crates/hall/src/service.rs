//! The TCP services that are provided in a hall, by their addresses.

use std::str::FromStr;
use std::time::Duration;
use std::{fmt, io};

use hallway_evidence::statement::hall::ServiceName;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::problem::{Code, Problem};
use crate::stream::BoxStream;
use crate::tcp;

/// How long a service may take to accept a connection.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(10);

/// `HOST:PORT` of a service or a listener, the host in the form that the URL standard gives it
/// (3.5): `DB.example:05432` is `db.example:5432`. It is looked up at each connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address: write HOST:PORT, such as 127.0.0.1:5432 or [::1]:5432")]
pub struct AddressError(String);

impl Address {
    /// `HOST:PORT`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Connects to `service`, which is at this address.
    ///
    /// # Errors
    /// 502 or 504, with the reason, but not with the address of the service.
    pub async fn connect(&self, service: &ServiceName) -> Result<BoxStream, Problem> {
        match timeout(ACCEPT_TIMEOUT, tcp::connect(self.as_str())).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => {
                tracing::warn!(%service, address = %self, %error, "a service cannot be reached");
                Err(unreachable_service(service, &error))
            }
            Err(_) => Err(Problem::new(
                Code::ServiceSlow,
                format!(
                    "the service {service} did not accept a connection within {ACCEPT_TIMEOUT:?}"
                ),
            )),
        }
    }
}

fn unreachable_service(service: &ServiceName, error: &io::Error) -> Problem {
    let reason = match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "no route to it",
        _ => "the connection failed",
    };
    Problem::new(
        Code::ServiceDown,
        format!("the service {service} cannot be reached: {reason}"),
    )
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refused = || AddressError(text.chars().take(80).collect());
        let (_, port) = text.rsplit_once(':').ok_or_else(refused)?;
        // A text with delimiters of other parts of a URL is not a host and a port.
        let delimited =
            text.contains(['/', '\\', '@', '?', '#']) || text.contains(char::is_control);
        let url = Url::parse(&format!("http://{text}")).map_err(|_| refused())?;
        let host = url.host_str().unwrap_or_default();
        let number = url.port_or_known_default().unwrap_or_default();
        if delimited || port.is_empty() || number == 0 || host.len() > 253 {
            return Err(refused());
        }
        let allowed = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
        };
        if host.bytes().all(allowed) {
            Ok(Self(format!("{host}:{number}")))
        } else {
            Err(refused())
        }
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for good in [
            "127.0.0.1:5432",
            "db.example:1",
            "[::1]:65535",
            "localhost:22",
        ] {
            assert!(good.parse::<Address>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "localhost",
            ":22",
            "localhost:",
            "localhost:0",
            "localhost:65536",
            "::1:22",
            "[::1:22",
            "a b:22",
            "http://a:80",
            "a/b:1",
            "[x]:1",
            "a:+80",
            "a@b:80",
            "a:80?",
            "a:80#x",
            "a\\b:80",
            "*.a:80",
            "a\t:80",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_has_one_form() {
        for (text, form) in [
            ("DB.Example:05432", "db.example:5432"),
            ("a_b.example:80", "a_b.example:80"),
            ("[0:0:0:0:0:0:0:1]:22", "[::1]:22"),
            ("127.1:443", "127.0.0.1:443"),
            ("däb.example:1", "xn--db-via.example:1"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.as_str(), form);
            assert_eq!(form.parse(), Ok(address));
        }
    }

    #[tokio::test]
    async fn a_service_that_is_down_is_told_without_telling_where_it_is() {
        let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: Address = taken.local_addr().unwrap().to_string().parse().unwrap();
        drop(taken);
        let problem = address
            .connect(&"psql".parse().unwrap())
            .await
            .err()
            .unwrap();
        assert_eq!(
            (problem.status, problem.code.as_str()),
            (502, "service-down")
        );
        assert!(!problem.detail.contains("127.0.0.1"));
    }
}
