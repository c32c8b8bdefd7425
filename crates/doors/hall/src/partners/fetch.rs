//! The connections to a realm that are authenticated by the Web PKI: its description, its trust
//! bundle (SPIFFE Federation, profile https_web), and handing in an invitation's token.
//!
//! They go only to the host that an owner typed. They follow no redirection and are bounded in time
//! and size, and their answers are never shown.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hallway_api::{Code, Problem};
use hallway_evidence::{Origin, RealmName, causes};
use hallway_hall::{LONGEST_BUNDLE_BYTES, LocalNames};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode};
use zeroize::Zeroizing;

use super::description::{Described, Description, Unfit};
use crate::partners::join::{Join, Joined};
use crate::settings::PartnerSettings;

/// How long an answer may take, from the name to the last byte.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of a description, and of any other answer that is no bundle.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// Why partners can't be asked over the web.
#[derive(Debug, thiserror::Error)]
pub enum FetcherError {
    /// The file with certificate authorities.
    #[error("[hall.partners] ca in hallway.toml, {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds no certificates, or TLS can't be set up.
    #[error("[hall.partners] in hallway.toml: {0}")]
    Setup(#[from] reqwest::Error),
}

/// Why a realm gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Plain HTTP. Only gateways that are on this machine alone use it.
    #[error("its address has to begin with https://")]
    Plain,
    /// It did not answer, or the connection can't be trusted.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// It answered with another status.
    #[error("it answered {0}")]
    Status(StatusCode),
    /// Its answer is too long.
    #[error("its answer is longer than {0} bytes")]
    TooLong(usize),
    /// Its answer is not JSON of the expected form.
    #[error("its answer is not that of a Hallway gateway: {0}")]
    Json(#[from] serde_json::Error),
    /// Its description does not fit.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// It refuses the invitation's token.
    #[error("it says that the invitation has expired, was withdrawn or is for another realm")]
    Spent,
    /// Both sides accepted the other's invitation, and the other side's counts.
    #[error("both realms accepted the other's invitation; its gateway completes it")]
    Crossed,
}

impl FetchError {
    fn unreachable(error: reqwest::Error) -> Self {
        // With its causes, because the outermost error says only that sending failed.
        Self::Unreachable(causes(&error.without_url()))
    }
}

/// Fetches what realms publish.
pub struct Fetcher {
    http: Client,
    /// Whether plain HTTP on this machine is allowed: only if this gateway itself is reached so.
    plain: bool,
}

impl Fetcher {
    /// With the authorities of the system and those of the configuration. `origin` is this
    /// gateway's own.
    ///
    /// # Errors
    /// The file can't be used.
    pub fn new(
        config: &PartnerSettings,
        folder: &Path,
        origin: &str,
    ) -> Result<Self, FetcherError> {
        let plain = origin.starts_with("http:");
        let mut http = Client::builder()
            .user_agent(concat!("hallway/", env!("CARGO_PKG_VERSION")))
            .https_only(!plain)
            .redirect(Policy::none())
            .referer(false)
            // Connections are rare, and each request shall check the other side's certificate anew.
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(LocalNames))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT);
        if let Some(file) = &config.ca {
            let path = folder.join(file);
            let pem = std::fs::read(&path).map_err(|source| FetcherError::File {
                path: path.clone(),
                source,
            })?;
            for certificate in Certificate::from_pem_bundle(&pem)? {
                http = http.add_root_certificate(certificate);
            }
        }
        Ok(Self {
            http: http.build()?,
            plain,
        })
    }

    /// The HTTP client, for requests to others than gateways: bounded in time, and without
    /// redirections.
    pub(crate) const fn http(&self) -> &Client {
        &self.http
    }

    /// The checked description of the realm at `origin`, with its trust bundle.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn realm(&self, origin: &Origin) -> Result<Described, FetchError> {
        let description = self.get(origin, "/api/realm", MAX_ANSWER_BYTES).await?;
        let description: Description = serde_json::from_slice(&description)?;
        let path = description.bundle_path(origin)?;
        let document = self.get(origin, path, LONGEST_BUNDLE_BYTES).await?;
        Ok(description.check(origin, document)?)
    }

    /// Hands in the token of an invitation of the realm at `origin`, as `realm`.
    ///
    /// # Errors
    /// [`FetchError::Spent`] when the token is good for nothing; another one when it is unknown
    /// whether it was taken.
    #[tracing::instrument(name = "peer", skip_all, fields(%origin))]
    pub async fn join(
        &self,
        origin: &Origin,
        realm: &RealmName,
        token: Zeroizing<String>,
    ) -> Result<Joined, FetchError> {
        self.allow(origin)?;
        let join = Join {
            token: (*token).clone(),
            realm: realm.clone(),
        };
        let answer = self
            .http
            .post(format!("{origin}/api/partners/join"))
            .json(&join)
            .send()
            .await
            .map_err(FetchError::unreachable)?;
        let status = answer.status();
        let bytes = body(answer, MAX_ANSWER_BYTES).await?;
        if status.is_success() {
            return Ok(serde_json::from_slice(&bytes)?);
        }
        // A proxy in front of the gateway may answer 403, too.
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(refusal) if refusal.is(Code::PartnerToken) => Err(FetchError::Spent),
            Ok(refusal) if refusal.is(Code::InvitationsCrossed) => Err(FetchError::Crossed),
            _ => Err(FetchError::Status(status)),
        }
    }

    #[tracing::instrument(name = "peer", skip_all, fields(%origin, path))]
    async fn get(
        &self,
        origin: &Origin,
        path: &str,
        longest: usize,
    ) -> Result<Vec<u8>, FetchError> {
        self.allow(origin)?;
        let answer = self
            .http
            .get(format!("{origin}{path}"))
            .send()
            .await
            .map_err(FetchError::unreachable)?;
        read(answer, longest).await
    }

    fn allow(&self, origin: &Origin) -> Result<(), FetchError> {
        if origin.is_https() || self.plain {
            Ok(())
        } else {
            Err(FetchError::Plain)
        }
    }
}

async fn read(answer: Response, longest: usize) -> Result<Vec<u8>, FetchError> {
    if !answer.status().is_success() {
        return Err(FetchError::Status(answer.status()));
    }
    body(answer, longest).await
}

async fn body(mut answer: Response, longest: usize) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(FetchError::unreachable)? {
        if bytes.len() + chunk.len() > longest {
            return Err(FetchError::TooLong(longest));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn fetcher(own: &str) -> Fetcher {
        Fetcher::new(&PartnerSettings::default(), Path::new("/data"), own).unwrap()
    }

    /// A server that answers every request with these bytes.
    async fn answering(answer: &'static [u8]) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer).await;
            }
        });
        format!("http://gate.b.localhost:{port}").parse().unwrap()
    }

    #[tokio::test]
    async fn plain_http_is_for_a_gateway_that_is_reached_so_itself() {
        let origin = answering(b"HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n").await;
        let refused = fetcher("https://gate.a.example").realm(&origin).await;
        assert!(matches!(refused, Err(FetchError::Plain)), "{refused:?}");
        let asked = fetcher("http://localhost:80").realm(&origin).await;
        assert!(matches!(asked, Err(FetchError::Status(_))), "{asked:?}");
    }

    #[tokio::test]
    async fn redirections_are_not_followed() {
        let origin = answering(
            b"HTTP/1.1 302 x\r\nlocation: http://127.0.0.1:1/secret\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
        let answer = fetcher("http://localhost:80").realm(&origin).await;
        assert!(
            matches!(answer, Err(FetchError::Status(StatusCode::FOUND))),
            "{answer:?}"
        );
    }

    #[tokio::test]
    async fn an_answer_is_bounded() {
        let mut answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
        answer.resize(answer.len() + MAX_ANSWER_BYTES + 1, b' ');
        let origin = answering(answer.leak()).await;
        let answer = fetcher("http://localhost:80").realm(&origin).await;
        assert!(matches!(answer, Err(FetchError::TooLong(_))), "{answer:?}");
    }

    #[tokio::test]
    async fn what_no_gateway_says_is_refused() {
        let origin = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
        let answer = fetcher("http://localhost:80").realm(&origin).await;
        assert!(matches!(answer, Err(FetchError::Json(_))), "{answer:?}");
    }
}
