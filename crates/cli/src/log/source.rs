//! Where a log is read from: a folder, or a server.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use hallway_client::SecureUrl;
use hallway_evidence::log::TileSource;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use rustix::fs::OFlags;

use crate::person::{PersonError, Redirections, web_client};

/// The longest resource that is read: a bundle of 256 of the longest entries.
const MAX_BYTES: usize = 256 * (2 + 65_535);

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
        // The log is checked against its key, wherever it is read from.
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
            Self::Folder(folder) => match read_file(&folder.join(path)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            },
            Self::Server(server) => server.runtime.block_on(server.fetch(path)),
        }
    }
}

/// A file of a log in a folder, which somebody else may have filled.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    // NONBLOCK: a pipe opens at once too, and is refused because it is not a file.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        return Err(io::Error::other("it is longer than any tile"));
    }
    Ok(bytes)
}

impl Server {
    async fn fetch(&self, path: &str) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>> {
        let mut response = self
            .http
            .get(format!("{}/{path}", self.prefix))
            .header(ACCEPT_ENCODING, "gzip, identity")
            .send()
            .await
            .map_err(PersonError::from)?;
        if matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(None);
        }
        response = response.error_for_status().map_err(PersonError::from)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(PersonError::from)? {
            if bytes.len() + chunk.len() > MAX_BYTES {
                return Err("it is longer than any tile".into());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(match response.headers().get(CONTENT_ENCODING) {
            None => bytes,
            Some(encoding) => decoded(&encoding.to_str()?.to_ascii_lowercase(), bytes)?,
        }))
    }
}

/// Undoes compression for transport. Servers may compress with or without being asked
/// (c2sp.org/tlog-tiles, "Log entries").
fn decoded(encoding: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    match encoding {
        "identity" => Ok(bytes),
        "gzip" | "x-gzip" => {
            let mut plain = Vec::new();
            let limit = MAX_BYTES as u64 + 1;
            MultiGzDecoder::new(&*bytes)
                .take(limit)
                .read_to_end(&mut plain)?;
            if plain.len() > MAX_BYTES {
                return Err("it is longer than any tile".into());
            }
            Ok(plain)
        }
        other => Err(format!("it is compressed as {other:?}, which nobody asked for").into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_was_compressed_for_the_way_is_read() {
        let tile = b"a tile".to_vec();
        assert_eq!(decoded("identity", tile.clone()).unwrap(), tile);
        assert_eq!(decoded("gzip", compressed(&tile)).unwrap(), tile);
        let longest = vec![0; MAX_BYTES];
        assert_eq!(decoded("gzip", compressed(&longest)).unwrap(), longest);
    }

    #[test]
    fn only_files_of_a_folder_are_read_and_no_longer_ones_than_a_tile() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("tile"), b"a tile").unwrap();
        std::fs::write(at("longest"), vec![0; MAX_BYTES]).unwrap();
        std::fs::write(at("longer"), vec![0; MAX_BYTES + 1]).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("endless")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR).unwrap();
        let mut source = Source::Folder(folder.path().to_owned());
        assert_eq!(source.read("tile").unwrap().unwrap(), b"a tile");
        assert_eq!(source.read("longest").unwrap().unwrap().len(), MAX_BYTES);
        assert_eq!(source.read("missing").unwrap(), None);
        for refused in ["longer", "endless", "pipe", "."] {
            assert!(source.read(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn what_would_not_end_or_is_no_tile_is_refused() {
        let bomb = compressed(&vec![0; MAX_BYTES + 1]);
        assert!(bomb.len() < MAX_BYTES / 100);
        let tile = compressed(b"a tile");
        for (encoding, bytes) in [
            ("gzip", bomb),
            ("gzip", tile[..tile.len() - 1].to_vec()),
            ("gzip", b"a tile".to_vec()),
            ("br", tile),
        ] {
            assert!(decoded(encoding, bytes).is_err(), "{encoding}");
        }
    }
}
