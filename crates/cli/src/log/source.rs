//! Where a log is read from: a folder, or a server.

use std::error::Error;
use std::fs;
use std::io;
use std::path::PathBuf;

use hallway_client::SecureUrl;
use hallway_evidence::log::TileSource;
use reqwest::StatusCode;

use crate::person::{PersonError, Redirections, web_client};

/// The longest resource that is read: a bundle of 256 of the longest entries.
const MAX_RESOURCE: usize = 256 * (2 + 65_535);

/// A log in a folder, or on a server.
pub(crate) enum Source {
    Folder(PathBuf),
    Server(Box<Server>),
}

pub(crate) struct Server {
    prefix: String,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Source {
    /// A URL is a server, anything else a folder. A gateway serves its log below `/log`, which is
    /// added when the URL names nothing but the gateway.
    pub(crate) fn new(place: &str) -> Result<Self, Box<dyn Error>> {
        if !place.contains("://") {
            return Ok(Self::Folder(place.into()));
        }
        let url: SecureUrl = place.parse()?;
        let mut prefix = place.trim_end_matches('/').to_owned();
        if url.as_url().path() == "/" {
            prefix.push_str("/log");
        }
        // What is read is checked against the log's key, wherever it lies.
        let http = web_client(None, &url, Redirections::ToSecureAddresses)?;
        Ok(Self::Server(Box::new(Server {
            prefix,
            http,
            runtime: crate::runtime()?,
        })))
    }
}

impl TileSource for Source {
    fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>> {
        match self {
            Self::Folder(folder) => match fs::read(folder.join(path)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            },
            Self::Server(server) => server.runtime.block_on(server.fetch(path)),
        }
    }
}

impl Server {
    async fn fetch(&self, path: &str) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>> {
        let mut response = self
            .http
            .get(format!("{}/{path}", self.prefix))
            .send()
            .await
            .map_err(PersonError::from)?;
        if matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(None);
        }
        response = response.error_for_status().map_err(PersonError::from)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(PersonError::from)? {
            if bytes.len() + chunk.len() > MAX_RESOURCE {
                return Err("it is longer than any tile".into());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(bytes))
    }
}
