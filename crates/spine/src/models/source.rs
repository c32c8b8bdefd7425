//! A source of BLOBs: an address or a file. It is read within bounds. The signature is checked later.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hallway_evidence::causes;
use hallway_webauthn::metadata::MAX_BLOB;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use tokio::io::AsyncReadExt;

use crate::settings::MetadataConfig;

/// How long an answer may take, from the look-up of the name to the last byte.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// The most redirections that are followed. None leads from TLS to plain HTTP.
const MAX_REDIRECTIONS: usize = 3;

/// One place to look for a BLOB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Address(Url),
    File(PathBuf),
}

/// Why a source gave no BLOB.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("the file cannot be read: {0}")]
    File(#[from] std::io::Error),
    #[error("{0}")]
    Fetch(String),
    #[error("longer than {MAX_BLOB} bytes")]
    TooLong,
}

impl From<reqwest::Error> for SourceError {
    /// With its causes, because the outermost says only that sending failed.
    fn from(error: reqwest::Error) -> Self {
        Self::Fetch(causes(&error.without_url()))
    }
}

impl Source {
    /// The configured sources, in the order in which they are asked.
    pub(super) fn all(config: &MetadataConfig, folder: &Path) -> Vec<Self> {
        let mut sources = Vec::new();
        if let Some(url) = &config.url {
            sources.push(Self::Address(url.as_url().clone()));
        }
        if let Some(file) = &config.file {
            sources.push(Self::File(folder.join(file)));
        }
        sources
    }

    /// The bytes that the source has now, at most [`MAX_BLOB`].
    pub(super) async fn read(&self) -> Result<Vec<u8>, SourceError> {
        match self {
            Self::Address(url) => fetch(url).await,
            Self::File(path) => {
                let mut bytes = Vec::new();
                let file = tokio::fs::File::open(path).await?;
                file.take(MAX_BLOB as u64 + 1)
                    .read_to_end(&mut bytes)
                    .await?;
                if bytes.len() > MAX_BLOB {
                    return Err(SourceError::TooLong);
                }
                Ok(bytes)
            }
        }
    }
}

#[tracing::instrument(name = "peer", skip_all, fields(metadata = url.host_str()))]
async fn fetch(url: &Url) -> Result<Vec<u8>, SourceError> {
    let secure = url.scheme() == "https";
    let client = Client::builder()
        .user_agent(concat!("hallway/", env!("CARGO_PKG_VERSION")))
        .https_only(secure)
        .redirect(if secure {
            Policy::limited(MAX_REDIRECTIONS)
        } else {
            Policy::none()
        })
        .connect_timeout(CONNECT)
        .timeout(PATIENCE)
        .build()?;
    let mut answer = client.get(url.clone()).send().await?;
    if !answer.status().is_success() {
        return Err(SourceError::Fetch(format!(
            "it answered {}",
            answer.status()
        )));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if bytes.len() + chunk.len() > MAX_BLOB {
            return Err(SourceError::TooLong);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Without a password that the address may hold.
            Self::Address(url) => {
                let port = url
                    .port()
                    .map(|port| format!(":{port}"))
                    .unwrap_or_default();
                let host = url.host_str().unwrap_or_default();
                write!(f, "{}://{host}{port}{}", url.scheme(), url.path())
            }
            Self::File(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::metadata::NotABlobAddress;

    fn at(url: &str) -> Result<Vec<Source>, NotABlobAddress> {
        let config = MetadataConfig {
            url: Some(url.parse()?),
            ..MetadataConfig::default()
        };
        Ok(Source::all(&config, Path::new("/data")))
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for url in ["https://mds3.fidoalliance.org/", "http://127.0.0.1:81/blob"] {
            assert_eq!(at(url).unwrap().len(), 1, "{url}");
        }
        for url in [
            "http://mds.example/",
            "http://localhost.example/",
            "ftp://localhost/",
            "mds",
        ] {
            assert_eq!(at(url), Err(NotABlobAddress), "{url}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let told = at("https://me:secret@mds.example:444/blob?key=secret").unwrap()[0].to_string();
        assert_eq!(told, "https://mds.example:444/blob");
    }

    #[tokio::test]
    async fn a_file_is_read_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("blob.jwt"), b"a.b.c").unwrap();
        let config = MetadataConfig {
            file: Some("blob.jwt".into()),
            ..MetadataConfig::default()
        };
        let sources = Source::all(&config, folder.path());
        assert_eq!(sources[0].read().await.unwrap(), b"a.b.c");
        std::fs::remove_file(folder.path().join("blob.jwt")).unwrap();
        assert!(matches!(sources[0].read().await, Err(SourceError::File(_))));
    }
}
