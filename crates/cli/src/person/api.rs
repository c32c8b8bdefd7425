//! The gateway's API: JSON over HTTP, bounded in time and size.

use std::sync::Arc;
use std::time::Duration;

use hallway_api::Problem;
use hallway_client::{GatewayAddress, SecureUrl};
use hallway_hall::LocalNames;
use reqwest::redirect::Policy;
use reqwest::{Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Map;

use super::PersonError;
use super::session::Session;

/// The longest answer that is read: the longest list.
const LONGEST_ANSWER_BYTES: usize = 32 * 1024 * 1024;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an answer may take. A gateway may have to ask another one first.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// How many redirections are followed, if any are.
const MOST_REDIRECTIONS: usize = 5;

/// The gateway's API, with a session or without.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    gateway: GatewayAddress,
    session: Option<Session>,
}

impl Api {
    /// At `gateway`, without a session.
    pub(crate) fn new(http: reqwest::Client, gateway: GatewayAddress) -> Self {
        Self {
            http,
            gateway,
            session: None,
        }
    }

    /// The same with a session, or without.
    pub(crate) fn with_session(self, session: Option<Session>) -> Self {
        Self { session, ..self }
    }

    /// Where the gateway is.
    pub(crate) const fn gateway(&self) -> &GatewayAddress {
        &self.gateway
    }

    /// The session, if one is open.
    pub(crate) const fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    pub(super) fn set_session(&mut self, session: Option<Session>) {
        self.session = session;
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// The gateway can't be reached, it refuses, or its answer is not understood.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, PersonError> {
        read(self.request(Method::POST, path).json(body).send().await?).await
    }

    /// Gets JSON.
    ///
    /// # Errors
    /// As [`Api::post`].
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, PersonError> {
        read(self.request(Method::GET, path).send().await?).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.gateway.origin());
        let request = self.http.request(method, url);
        match &self.session {
            Some(session) => request.bearer_auth(session.token.as_str()),
            None => request,
        }
    }
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, PersonError> {
    let status = response.status();
    let bytes = body(response, LONGEST_ANSWER_BYTES).await?;
    if status.is_success() {
        return Ok(serde_json::from_slice(&bytes)?);
    }
    let problem = serde_json::from_slice::<Problem>(&bytes).unwrap_or_else(|_| Problem {
        status: status.as_u16(),
        code: status.to_string(),
        detail: "without a reason".to_owned(),
        members: Map::new(),
    });
    Err(PersonError::Refused {
        status,
        code: problem.code,
        detail: problem.detail,
    })
}

/// An answer's content, up to `longest` bytes.
///
/// # Errors
/// It is longer, or the connection broke.
pub(crate) async fn body(mut response: Response, longest: usize) -> Result<Vec<u8>, PersonError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > longest {
            return Err(PersonError::TooLong(longest));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// What a redirection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redirections {
    /// Nothing: a gateway answers for itself.
    Refused,
    /// Lead to another secure address: for content that proves itself, such as a log.
    ToSecureAddresses,
}

fn is_here(url: &reqwest::Url) -> bool {
    SecureUrl::new(url.clone()).is_ok_and(|url| url.is_local())
}

/// How a command appears in a person's list of sessions: as a command, and on what system.
fn user_agent() -> String {
    let system = match std::env::consts::OS {
        "linux" => "Linux",
        "macos" => "macOS",
        "freebsd" => "FreeBSD",
        "openbsd" => "OpenBSD",
        "netbsd" => "NetBSD",
        other => other,
    };
    format!("hallway/{} ({system})", env!("CARGO_PKG_VERSION"))
}

/// An HTTP client that trusts `authority` (PEM), if there is one, besides those of the system.
///
/// Names below `localhost` are this machine whatever the system says, and no proxy is used for this
/// machine: plain HTTP is allowed with it because nobody is in between.
///
/// # Errors
/// The authority is not PEM, or TLS can't be set up.
pub(crate) fn web_client(
    authority: Option<&[u8]>,
    address: &SecureUrl,
    redirections: Redirections,
) -> Result<reqwest::Client, PersonError> {
    let mut http = reqwest::Client::builder()
        .user_agent(user_agent())
        .dns_resolver(Arc::new(LocalNames))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .redirect(match redirections {
            Redirections::Refused => Policy::none(),
            Redirections::ToSecureAddresses => Policy::custom(|attempt| {
                if attempt.previous().len() > MOST_REDIRECTIONS {
                    return attempt.error("it redirects without end");
                }
                let began_here = attempt.previous().first().is_some_and(is_here);
                match SecureUrl::new(attempt.url().clone()) {
                    // No server elsewhere may choose what is asked of this machine.
                    Ok(to) if to.is_local() && !began_here => {
                        attempt.error("it redirects to this machine")
                    }
                    Ok(_) => attempt.follow(),
                    Err(problem) => attempt.error(format!("it redirects elsewhere: {problem}")),
                }
            }),
        });
    if address.is_local() {
        http = http.no_proxy();
    }
    if let Some(pem) = authority {
        for certificate in reqwest::Certificate::from_pem_bundle(pem)? {
            http = http.add_root_certificate(certificate);
        }
    }
    Ok(http.build()?)
}
