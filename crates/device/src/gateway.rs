//! A device's HTTP client for its gateway.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hallway_api::device::{
    Announced, Challenge, EVIDENCE_HEADER, Enrolment, EnrolmentStatement, Question, SEAL_HEADER,
    Status,
};
use hallway_api::{Code, Problem};
use hallway_client::GatewayAddress;
use hallway_evidence::{DecodeError, MAX_RECEIPT_BYTES, Printable, Receipt, causes};
use hallway_webauthn::wire::Base64Url;
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest answer that is read: a status with receipts and trust file.
const MAX_ANSWER_BYTES: usize = 2 * 1024 * 1024;

/// How long a connection may take to be established.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an answer may take, plus what [`MIN_BYTES_PER_SECOND`] allows for the payload.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The slowest uplink that is waited for.
const MIN_BYTES_PER_SECOND: u64 = 16 * 1024;

/// Why the gateway gave no good answer.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The authority's certificate or TLS can't be used.
    #[error("the gateway cannot be reached: {0}")]
    Setup(&'static str),
    /// There is no connection, or it broke.
    #[error("the gateway cannot be reached: {0}")]
    Unreachable(String),
    /// The gateway asked to try again later.
    #[error("the gateway is not ready ({status}): {}", Printable(.detail))]
    Busy {
        /// The HTTP status.
        status: u16,
        /// The gateway's explanation, at most 300 characters.
        detail: String,
        /// How long the gateway asked to wait; zero if it did not say.
        retry_after: Duration,
    },
    /// An error without an explanation: from a proxy, a portal or a filter on the way, or from a
    /// gateway that failed.
    #[error("the gateway, or a proxy before it, answered {status} without saying why")]
    Unexplained {
        /// The HTTP status.
        status: u16,
        /// How long the answer asked to wait; zero if it did not say.
        retry_after: Duration,
    },
    /// The gateway refused, and said why.
    #[error(
        "the gateway refused ({status} {}): {}",
        Printable(&.problem.code),
        Printable(&.problem.detail)
    )]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The gateway's reason.
        problem: Box<Problem>,
    },
    /// The answer is not one that a gateway gives.
    #[error("the gateway's answer cannot be understood: {0}")]
    Unintelligible(String),
}

/// A gateway's API for devices.
#[derive(Debug, Clone)]
pub struct Gateway {
    http: Client,
    address: GatewayAddress,
}

impl Gateway {
    /// The gateway at `address`. `authority` has PEM certificates to trust besides the system's.
    ///
    /// # Errors
    /// [`GatewayError::Setup`].
    pub fn new(address: GatewayAddress, authority: Option<&[u8]>) -> Result<Self, GatewayError> {
        let wrong = |why| GatewayError::Setup(why);
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("hallway-device/", env!("CARGO_PKG_VERSION")));
        if address.is_local() {
            // Plain HTTP is allowed to this machine because nobody is between. So no proxy is used,
            // and no other address that the system may know for its names.
            builder = builder.no_proxy();
            if let Some(name) = address.domain() {
                let here = [
                    SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                    SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
                ];
                builder = builder.resolve_to_addrs(name, &here);
            }
        }
        if let Some(pem) = authority {
            let certificates = Certificate::from_pem_bundle(pem)
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or_else(|| wrong("the authority's certificate is not PEM"))?;
            for certificate in certificates {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let http = builder
            .build()
            .map_err(|_| wrong("TLS could not be set up"))?;
        Ok(Self { http, address })
    }

    /// The origin, as client data name it: no path, no slash at the end.
    #[must_use]
    pub fn origin(&self) -> String {
        self.address.origin()
    }

    /// The gateway's address, as it was given.
    #[must_use]
    pub const fn address(&self) -> &GatewayAddress {
        &self.address
    }

    /// Asks for a statement to enrol with.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn enrolment_statement(&self) -> Result<EnrolmentStatement, GatewayError> {
        self.ask("enrolments/statement", None::<&()>).await
    }

    /// Hands in the attested registration.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn enrol(&self, enrolment: &Enrolment) -> Result<Announced, GatewayError> {
        self.ask("enrolments", Some(enrolment)).await
    }

    /// Asks whether the registration is still valid.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn status(&self, question: &Question) -> Result<Status, GatewayError> {
        self.ask("status", Some(question)).await
    }

    /// Asks for a challenge.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn challenge(&self) -> Result<Challenge, GatewayError> {
        self.ask("challenge", None::<&()>).await
    }

    /// Sends a transaction. The receipt, of this attempt or of an earlier one whose answer was
    /// lost, is not verified yet.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn send(
        &self,
        signed_statement: &[u8],
        seal: Option<&Base64Url>,
        media_type: &str,
        payload: bytes::Bytes,
    ) -> Result<Receipt, GatewayError> {
        let patience = Duration::from_secs(payload.len() as u64 / MIN_BYTES_PER_SECOND);
        let mut request = self
            .post("transactions")
            .timeout(ANSWER_TIMEOUT + patience)
            .header(
                EVIDENCE_HEADER,
                Base64Url::from(signed_statement).to_string(),
            )
            .header(reqwest::header::CONTENT_TYPE, media_type)
            .body(payload);
        if let Some(seal) = seal {
            request = request.header(SEAL_HEADER, seal.to_string());
        }
        match self.send_request(request, MAX_RECEIPT_BYTES).await {
            Ok(bytes) => receipt(&bytes),
            Err(GatewayError::Refused { problem, .. }) if problem.is(Code::AlreadyAccepted) => {
                match problem.member::<Base64Url>("receipt") {
                    Some(bytes) => receipt(&bytes.0),
                    None => Err(GatewayError::Unintelligible(
                        "it already accepted this, but gives no receipt".to_owned(),
                    )),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, GatewayError> {
        let mut request = self.post(what).timeout(ANSWER_TIMEOUT);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = self.send_request(request, MAX_ANSWER_BYTES).await?;
        serde_json::from_slice(&answer)
            .map_err(|error| GatewayError::Unintelligible(error.to_string()))
    }

    fn post(&self, what: &str) -> RequestBuilder {
        let origin = self.address.origin();
        self.http.post(format!("{origin}/api/device/{what}"))
    }

    async fn send_request(
        &self,
        request: RequestBuilder,
        limit: usize,
    ) -> Result<Vec<u8>, GatewayError> {
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let retry_after = retry_after(&response);
        if status.is_success() {
            return read(response, limit).await;
        }
        let problem: Option<Problem> = read(response, MAX_ANSWER_BYTES)
            .await
            .ok()
            .and_then(|body| serde_json::from_slice(&body).ok());
        Err(refusal(status, problem, retry_after))
    }
}

/// Overload and timeouts, of the gateway or of a proxy before it, are `Busy`: they are worth
/// another attempt. A failure that the gateway can't explain may be about this one request.
fn refusal(status: StatusCode, problem: Option<Problem>, retry_after: Duration) -> GatewayError {
    let problem = problem.filter(|problem| !problem.code.is_empty());
    let busy = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
    );
    let later = busy || status.is_server_error() && status != StatusCode::INTERNAL_SERVER_ERROR;
    match problem {
        Some(problem) if !status.is_server_error() && !busy => GatewayError::Refused {
            status: status.as_u16(),
            problem: Box::new(problem),
        },
        Some(problem) if later => GatewayError::Busy {
            status: status.as_u16(),
            detail: problem.detail.chars().take(300).collect(),
            retry_after,
        },
        None if busy => GatewayError::Busy {
            status: status.as_u16(),
            detail: "no details".to_owned(),
            retry_after,
        },
        _ => GatewayError::Unexplained {
            status: status.as_u16(),
            retry_after,
        },
    }
}

fn receipt(bytes: &[u8]) -> Result<Receipt, GatewayError> {
    Receipt::decode(bytes)
        .map_err(|error: DecodeError| GatewayError::Unintelligible(format!("its receipt: {error}")))
}

/// `Retry-After` in seconds; dates are ignored.
fn retry_after(response: &Response) -> Duration {
    response
        .headers()
        .get(reqwest::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map_or(Duration::ZERO, Duration::from_secs)
}

async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, GatewayError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| unreachable(&error))?
    {
        if body.len() + chunk.len() > limit {
            return Err(GatewayError::Unintelligible(format!(
                "it is longer than {limit} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The error of the system or of TLS, or a text of our own: those of the HTTP library are about
/// requests.
fn unreachable(error: &reqwest::Error) -> GatewayError {
    let mut cause = std::error::Error::source(error);
    while let Some(this) = cause {
        if let Some(system) = this.downcast_ref::<io::Error>() {
            return GatewayError::Unreachable(causes(system));
        }
        cause = this.source();
    }
    let why = if error.is_timeout() {
        "it did not answer in time"
    } else if error.is_connect() {
        "no connection; is its name right?"
    } else {
        "the connection broke off"
    };
    GatewayError::Unreachable(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_reached_with_certificates_alone() {
        for good in [
            "https://gate.example",
            "http://localhost:8080",
            "http://[::1]:8080",
        ] {
            let address = good.parse().unwrap();
            assert_eq!(Gateway::new(address, None).unwrap().origin(), good);
        }
        let address = "https://gate.example".parse().unwrap();
        let refused = Gateway::new(address, Some(b"not PEM"));
        assert!(matches!(refused, Err(GatewayError::Setup(_))));
    }

    #[tokio::test]
    async fn a_gateway_that_does_not_run_is_told_in_words_about_it() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", free.local_addr().unwrap());
        drop(free);
        let gateway = Gateway::new(address.parse().unwrap(), None).unwrap();
        let told = gateway.challenge().await.unwrap_err().to_string();
        assert!(
            told.starts_with("the gateway cannot be reached: Connection refused"),
            "{told}"
        );
    }

    #[test]
    fn only_a_gateways_own_refusals_are_final() {
        let problem = |code: Code| Problem::new(code, "no");
        let refuse = |status, problem| {
            refusal(
                StatusCode::from_u16(status).unwrap(),
                problem,
                Duration::ZERO,
            )
        };
        for (status, code) in [
            (403, Code::Suspended),
            (409, Code::OutOfOrder),
            (413, Code::TooLarge),
        ] {
            assert!(matches!(
                refuse(status, Some(problem(code))),
                GatewayError::Refused { .. }
            ));
        }
        for status in [408, 429, 503] {
            assert!(matches!(refuse(status, None), GatewayError::Busy { .. }));
        }
        for status in [302, 403, 404, 413, 500, 502, 507] {
            assert!(matches!(
                refuse(status, None),
                GatewayError::Unexplained { .. }
            ));
        }
        let internal = refuse(500, Some(problem(Code::Internal)));
        assert!(matches!(internal, GatewayError::Unexplained { .. }));
        assert!(matches!(
            refuse(503, Some(problem(Code::Storage))),
            GatewayError::Busy { .. }
        ));
    }
}
