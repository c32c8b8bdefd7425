//! Why nothing came back over HTTP, in words for a person.

use std::error::Error;
use std::fmt;
use std::io;

use reqwest::StatusCode;
use tokio_rustls::rustls;

/// A request that was not answered. It holds no library's text, and only the origin of the URL: the
/// rest may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unanswered {
    /// `SCHEME://HOST[:PORT]`; nothing where no request was made.
    address: Option<String>,
    reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    /// Nothing listens there.
    Refused,
    /// It took too long.
    Slow,
    /// Its certificate is of no authority that is trusted, or is another's.
    Certificate,
    /// TLS was not agreed on.
    Tls,
    /// What came back is something else than TLS.
    NotTls,
    /// What the system says of the connection.
    System(io::ErrorKind),
    /// No connection, and the system names no reason: an unknown host name.
    NoConnection,
    /// It redirects where this program does not go; our own words.
    Redirected(String),
    /// A status in place of what was wanted.
    Status(StatusCode),
    /// The answer broke off.
    BrokenOff,
    /// The authority's file is not PEM, or TLS can't be set up here.
    SetUp,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reason == Reason::SetUp {
            return f.write_str(
                "HTTPS can't be set up: the file of the certificate authority is not PEM, or the \
                 system has no certificates",
            );
        }
        let address = self.address.as_deref().unwrap_or("the gateway");
        match &self.reason {
            Reason::Redirected(why) => return write!(f, "{address}: {why}, which is not followed"),
            Reason::Status(status) => return write!(f, "{address} answers with {status}"),
            _ => write!(f, "{address} does not answer: ")?,
        }
        match &self.reason {
            Reason::Refused => f.write_str("connection refused; is the gateway running?"),
            Reason::Slow => f.write_str("it takes too long"),
            Reason::Certificate => f.write_str(
                "this computer does not trust its certificate; --ca names its authority",
            ),
            Reason::Tls => f.write_str("it does not speak TLS as this program does"),
            Reason::NotTls => f.write_str(
                "the server there does not speak TLS; is the port another's, or the address \
                 http://…, which is for this machine only?",
            ),
            Reason::System(kind) => write!(f, "{kind}"),
            Reason::NoConnection => f.write_str("no connection; is its name right?"),
            Reason::BrokenOff => f.write_str("the connection broke off"),
            Reason::Redirected(_) | Reason::Status(_) | Reason::SetUp => Ok(()),
        }
    }
}

impl Error for Unanswered {}

impl From<reqwest::Error> for Unanswered {
    fn from(error: reqwest::Error) -> Self {
        let address = error.url().map(|url| url.origin().ascii_serialization());
        let reason = Reason::of(&error);
        let error = error.without_url();
        tracing::debug!(?error, "no answer");
        Self { address, reason }
    }
}

impl Reason {
    fn of(error: &reqwest::Error) -> Self {
        if error.is_builder() {
            return Self::SetUp;
        }
        if let Some(status) = error.status() {
            return Self::Status(status);
        }
        if error.is_redirect() {
            let why = error.source().map(ToString::to_string);
            return Self::Redirected(why.unwrap_or_else(|| "it redirects elsewhere".to_owned()));
        }
        if error.is_timeout() {
            return Self::Slow;
        }
        let mut cause = error.source();
        while let Some(this) = cause {
            if let Some(reason) = this.downcast_ref::<io::Error>().and_then(Self::of_system) {
                return reason;
            }
            cause = this.source();
        }
        if error.is_connect() {
            Self::NoConnection
        } else {
            Self::BrokenOff
        }
    }

    /// The reason in an error of the system, if it has one of these.
    fn of_system(error: &io::Error) -> Option<Self> {
        let inner = error.get_ref();
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Some(match tls {
                rustls::Error::InvalidCertificate(_) => Self::Certificate,
                rustls::Error::InvalidMessage(_) => Self::NotTls,
                _ => Self::Tls,
            });
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Some(Self::Refused),
            io::ErrorKind::TimedOut => Some(Self::Slow),
            kind @ (io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown) => Some(Self::System(kind)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_gateway_that_does_not_run_is_named_without_the_secrets_of_the_url() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", free.local_addr().unwrap());
        drop(free);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let error = http.get(format!("{address}/api?secret")).send().await;
        assert_eq!(
            Unanswered::from(error.unwrap_err()).to_string(),
            format!("{address} does not answer: connection refused; is the gateway running?")
        );
    }
}
