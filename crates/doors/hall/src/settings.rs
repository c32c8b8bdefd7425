//! `[hall]` of `hallway.toml`: where the hall door listens, and the stores and services that the
//! gateway itself provides.

mod partners;

use std::net::SocketAddr;
use std::path::PathBuf;

use hallway_client::SecureUrl;
use hallway_evidence::statement::hall::{HallName, ServiceName, StoreName};
use hallway_hall::Address;
use hallway_spine::settings::{Bounded, Connections, text};
pub use partners::PartnerSettings;
use serde::{Deserialize, Serialize};

/// Why `[hall]` is not valid.
#[derive(Debug, thiserror::Error)]
#[error("[hall] in hallway.toml: {0}")]
pub struct Invalid(String);

/// The settings of the hall door.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HallSettings {
    /// Where the hall listener listens: TLS with client certificates, never plain.
    #[serde(deserialize_with = "text::socket_address")]
    pub listen: SocketAddr,
    /// `HOST:PORT` at which guests and agents reach it; without one, the listener's own address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// How many connections this listener may have open at once; without it, as many as `[limits]
    /// connections`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<Connections>,
    /// The most hours for which a touch opens a hall.
    pub max_hours: Bounded<1, 744>,
    /// Seconds that a guest's certificate lasts; it is renewed without a touch inside the grant.
    pub certificate_seconds: Bounded<5, 86_400>,
    /// Folders that this gateway provides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<Store>,
    /// TCP services that this gateway provides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// How the gateways of partners are reached.
    #[serde(skip_serializing_if = "PartnerSettings::is_empty")]
    pub partners: PartnerSettings,
}

/// A store that the gateway provides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The hall.
    pub hall: HallName,
    /// The name by which rights name it.
    pub name: StoreName,
    /// The folder with the files; this or `bucket`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// The bucket with the files; this or `folder`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<Bucket>,
}

/// A bucket of an S3-compatible object store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// `https://HOST[:PORT]` of the object store; without it, Amazon's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<SecureUrl>,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// The bucket.
    pub name: String,
    /// The part of the bucket that is the store; without one, the whole bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The access key's id.
    pub access_key: String,
    /// A file that holds the access key's secret, which only the operator can read.
    pub secret_key_file: PathBuf,
}

/// A TCP service that the gateway provides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The hall.
    pub hall: HallName,
    /// The name by which rights name it.
    pub name: ServiceName,
    /// `HOST:PORT`.
    pub address: Address,
}

impl Default for HallSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8443)),
            address: None,
            connections: None,
            max_hours: Bounded::nearest(8),
            certificate_seconds: Bounded::nearest(15 * 60),
            stores: Vec::new(),
            services: Vec::new(),
            partners: PartnerSettings::default(),
        }
    }
}

impl HallSettings {
    /// Checks what serde cannot.
    ///
    /// # Errors
    /// No address at which guests reach it, a store that is nowhere or in two places, or two stores
    /// or services of one name in one hall.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.listen.ip().is_unspecified() && self.address.is_none() {
            return Err(Invalid(format!(
                "listen = \"{}\" is every address of this machine and none to be reached at: set \
                 address to HOST:PORT, as guests and agents reach it, such as gate.example:{}",
                self.listen,
                self.listen.port()
            )));
        }
        for store in &self.stores {
            if store.folder.is_some() == store.bucket.is_some() {
                return Err(Invalid(format!(
                    "the store {} of the hall {} needs a folder or a bucket, and not both",
                    store.name, store.hall
                )));
            }
        }
        let stores = self
            .stores
            .iter()
            .map(|store| (&store.hall, store.name.as_str()));
        let services = self
            .services
            .iter()
            .map(|service| (&service.hall, service.name.as_str()));
        for (kind, named) in [
            ("stores", stores.collect::<Vec<_>>()),
            ("services", services.collect()),
        ] {
            let mut seen = std::collections::BTreeSet::new();
            if let Some((hall, name)) = named.into_iter().find(|named| !seen.insert(*named)) {
                return Err(Invalid(format!(
                    "the hall {hall} has two {kind} called {name}"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(text: &str) -> Result<HallSettings, String> {
        let mut file: BTreeMap<String, HallSettings> =
            toml::from_str(text).map_err(|error| error.to_string())?;
        let hall = file.remove("hall").ok_or("no hall")?;
        hall.check().map_err(|error| error.to_string())?;
        Ok(hall)
    }

    #[test]
    fn a_section_of_one_line_is_enough() {
        let hall = read("[hall]\nlisten = \"127.0.0.1:0\"").unwrap();
        assert_eq!(
            (hall.max_hours.get(), hall.certificate_seconds.get()),
            (8, 900)
        );
        assert!(read("[hall]\nlisten = \"0.0.0.0:1\"\naddress = \"gate.example:1\"").is_ok());
        assert!(read("").is_err());
    }

    #[test]
    fn each_mistake_is_named() {
        for (text, told) in [
            ("[hall]\nmax_hours = 0", "1 to 744"),
            ("[hall]\ncertificate_seconds = 1", "5 to 86400"),
            ("[hall]\nlisten_on = 1", "listen_on"),
            ("[hall]\nconnections = 0", "1 to 1000000"),
            ("[hall]\nlisten = \"[::]:8443\"", "gate.example:8443"),
            (
                "[[hall.stores]]\nhall=\"A\"\nname=\"a\"\nfolder=\"x\"",
                "is not a valid name",
            ),
            (
                "[[hall.stores]]\nhall=\"a\"\nname=\"a\"",
                "needs a folder or a bucket",
            ),
            (
                "[[hall.services]]\nhall=\"a\"\nname=\"db\"\naddress=\"localhost\"",
                "HOST:PORT",
            ),
            (
                "[[hall.services]]\nhall=\"a\"\nname=\"db\"\naddress=\"h:1\"\n\
                 [[hall.services]]\nhall=\"a\"\nname=\"db\"\naddress=\"h:2\"",
                "two services called db",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
