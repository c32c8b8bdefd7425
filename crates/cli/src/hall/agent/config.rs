//! An agent's configuration (TOML): the stores and services that it offers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallway_client::SecureUrl;
use hallway_hall::files::{BucketSettings, BucketStore, FolderStore, Store};
use hallway_hall::{Address, Provided, ServiceName, StoreName};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::HallCommandError;

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Configuration {
    stores: Vec<StoreSection>,
    services: Vec<ServiceSection>,
    /// Where relative paths start.
    #[serde(skip)]
    folder: PathBuf,
}

/// A store: a folder, or a bucket.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreSection {
    name: StoreName,
    folder: Option<PathBuf>,
    bucket: Option<Bucket>,
}

/// A bucket of an S3-compatible object store.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bucket {
    endpoint: Option<SecureUrl>,
    region: String,
    name: String,
    prefix: Option<String>,
    access_key: String,
    /// A file whose first line is the secret, so that the configuration holds none.
    secret_key_file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceSection {
    name: ServiceName,
    address: Address,
}

impl Configuration {
    /// Reads the file.
    pub(super) fn read(path: &Path) -> Result<Self, HallCommandError> {
        let text = std::fs::read_to_string(path).map_err(HallCommandError::io(path.display()))?;
        let wrong = |error: toml::de::Error| HallCommandError::Agent {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let mut read: Self = toml::from_str(&text).map_err(wrong)?;
        read.folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(read)
    }

    /// Opens the listed stores, and takes the services as they are listed.
    pub(super) fn provided(&self) -> Result<Provided, HallCommandError> {
        if self.stores.is_empty() && self.services.is_empty() {
            return Err(self.wrong("it offers nothing: list [[stores]] or [[services]]"));
        }
        let mut provided = Provided::default();
        for section in &self.stores {
            let store = section
                .open(&self.folder)
                .map_err(|reason| self.wrong(&reason))?;
            if provided
                .stores
                .insert(section.name.clone(), store)
                .is_some()
            {
                return Err(self.wrong(&format!("two stores are called {}", section.name)));
            }
        }
        for section in &self.services {
            let address = section.address.clone();
            if provided
                .services
                .insert(section.name.clone(), address)
                .is_some()
            {
                return Err(self.wrong(&format!("two services are called {}", section.name)));
            }
        }
        Ok(provided)
    }

    fn wrong(&self, reason: &str) -> HallCommandError {
        HallCommandError::Agent {
            path: self.folder.clone(),
            reason: reason.to_owned(),
        }
    }
}

impl StoreSection {
    fn open(&self, base: &Path) -> Result<Arc<dyn Store>, String> {
        let named = |error: &dyn std::fmt::Display| format!("the store {}: {error}", self.name);
        match (&self.folder, &self.bucket) {
            (Some(folder), None) => {
                let store = FolderStore::open(&base.join(folder));
                Ok(Arc::new(store.map_err(|error| named(&error))?))
            }
            (None, Some(bucket)) => {
                let path = base.join(&bucket.secret_key_file);
                let text = Zeroizing::new(
                    std::fs::read_to_string(&path)
                        .map_err(|error| named(&format!("{}: {error}", path.display())))?,
                );
                let secret = text.lines().next().unwrap_or_default();
                let store = BucketStore::new(&BucketSettings {
                    endpoint: bucket.endpoint.clone(),
                    region: bucket.region.clone(),
                    bucket: bucket.name.clone(),
                    prefix: bucket.prefix.clone(),
                    access_key: bucket.access_key.clone(),
                    secret_key: Zeroizing::new(secret.to_owned()),
                });
                Ok(Arc::new(store.map_err(|error| named(&error))?))
            }
            _ => Err(named(&"give it a folder or a bucket, not both")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        for (text, told) in [
            ("[[stores]]\nname = 'a'", "not both"),
            ("[[stores]]\nname = 'a'\nfolder = 'nowhere'", "the store a"),
            ("[[stores]]\nname = 'A'\nfolder = '.'", "name"),
            (
                "[[services]]\nname = 'db'\naddress = 'localhost'",
                "HOST:PORT",
            ),
            ("[[service]]\nname = 'db'", "service"),
            ("", "it offers nothing"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Configuration::read(&path).and_then(|read| read.provided().map(drop));
            let error = error.unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
        std::fs::write(&path, "[[stores]]\nname = 'a'\nfolder = '.'").unwrap();
        let provided = Configuration::read(&path).unwrap().provided().unwrap();
        assert_eq!(provided.stores.len(), 1);
    }
}
