//! What is provided behind a hall: TCP services, by list.

use hallway_evidence::statement::hall::ServiceName;
use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::problem::Problem;
use crate::stream::BoxStream;
use crate::tcp;

/// How long a service may take to accept.
const PATIENCE: Duration = Duration::from_secs(10);

/// `HOST:PORT` of a service, as the operator wrote it. The host is looked up at each connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address: write HOST:PORT, such as 127.0.0.1:5432 or [::1]:5432")]
pub struct AddressError(String);

impl Address {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Connects.
    ///
    /// # Errors
    /// 502 or 504, saying what the system said, and not where the service is.
    pub async fn connect(&self, service: &ServiceName) -> Result<BoxStream, Problem> {
        match timeout(PATIENCE, tcp::connect(self.as_str())).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => {
                tracing::warn!(%service, address = %self, %error, "a service cannot be reached");
                Err(unreachable_service(service, &error))
            }
            Err(_) => Err(Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                "service-slow",
                format!("the service {service} did not accept within {PATIENCE:?}"),
            )),
        }
    }
}

fn unreachable_service(service: &ServiceName, error: &io::Error) -> Problem {
    let reason = match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "no way leads there",
        _ => "its side cannot be reached",
    };
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "service-down",
        format!("the service {service} cannot be reached: {reason}"),
    )
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refused = || AddressError(text.chars().take(80).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
        let host_allowed = match host.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()),
            None => {
                let allowed =
                    |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
                !host.is_empty() && host.len() <= 253 && host.bytes().all(allowed)
            }
        };
        let port_allowed = port.parse::<u16>().is_ok_and(|port| port > 0);
        if host_allowed && port_allowed {
            Ok(Self(text.to_owned()))
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
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
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
