//! The stores and services of each hall: those that this gateway provides by its configuration, and
//! those of the agents that are connected to it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallway_api::Problem as Refused;
use hallway_evidence::statement::hall::{AgentName, HallName, ServiceName, StoreName};
use hallway_hall::files::{self, BucketSettings, BucketStore, FolderStore, Store};
use hallway_hall::stream::BoxStream;
use hallway_hall::{Address, Switchboard};
use zeroize::Zeroizing;

use super::inside::Thing;
use crate::settings;

/// The stores and services of all halls.
#[derive(Default)]
pub struct Offers {
    services: BTreeMap<(HallName, ServiceName), Address>,
    stores: BTreeMap<(HallName, StoreName), Arc<dyn Store>>,
    /// The connected agents.
    pub switchboard: Switchboard,
}

/// A store or service of a hall.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer<N> {
    /// The name by which rights name it.
    pub name: N,
    /// The agent that provides it; `None` for the gateway itself.
    pub agent: Option<AgentName>,
}

/// A store of the configuration that can't be provided.
#[derive(Debug, thiserror::Error)]
#[error("the store {store} of the hall {hall}: {why}")]
pub struct OfferError {
    /// The store.
    pub store: StoreName,
    /// Its hall.
    pub hall: HallName,
    /// Why not.
    pub why: StoreProblem,
}

/// Why a store of the configuration can't be provided.
#[derive(Debug, thiserror::Error)]
pub enum StoreProblem {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] files::FolderError),
    /// The file with the bucket's secret.
    #[error("the file {path} with the secret of a bucket: {source}")]
    Secret {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bucket.
    #[error("the bucket {name}: {source}")]
    Bucket {
        /// Which.
        name: String,
        /// Why.
        source: files::StoreError,
    },
}

impl Offers {
    /// Opens the stores of the configuration; relative paths start at `data`.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn open(hall: &settings::HallSettings, data: &Path) -> Result<Self, OfferError> {
        let mut offers = Self::default();
        for service in &hall.services {
            let key = (service.hall.clone(), service.name.clone());
            offers.services.insert(key, service.address.clone());
        }
        for store in &hall.stores {
            let key = (store.hall.clone(), store.name.clone());
            if let Some(opened) = open(store, data) {
                let opened = opened.map_err(|why| OfferError {
                    store: store.name.clone(),
                    hall: store.hall.clone(),
                    why,
                })?;
                offers.stores.insert(key, opened);
            }
        }
        Ok(offers)
    }

    /// Whether this gateway's configuration provides something in a hall.
    pub fn provides_itself(&self, hall: &HallName, thing: &Thing) -> bool {
        match thing {
            Thing::Store(store) => self.stores.contains_key(&(hall.clone(), store.clone())),
            Thing::Service(service) => {
                let key = (hall.clone(), service.clone());
                self.services.contains_key(&key)
            }
        }
    }

    /// What this gateway's configuration provides in a hall.
    pub fn own_things(&self, hall: &HallName) -> impl Iterator<Item = Thing> {
        let stores = own(self.stores.keys(), hall).into_iter();
        let services = own(self.services.keys(), hall).into_iter();
        stores
            .map(|offer| Thing::Store(offer.name))
            .chain(services.map(|offer| Thing::Service(offer.name)))
    }

    /// Whether an agent is connected to this gateway now.
    pub fn hears(&self, hall: &HallName, agent: &AgentName) -> bool {
        let here = self.switchboard.provides(hall);
        here.iter().any(|(name, _)| name == agent)
    }

    /// The halls in which this gateway's configuration provides something.
    pub fn halls(&self) -> BTreeSet<&HallName> {
        let stores = self.stores.keys().map(|(hall, _)| hall);
        stores
            .chain(self.services.keys().map(|(hall, _)| hall))
            .collect()
    }

    /// The services of a hall: the gateway's own first.
    pub fn services(&self, hall: &HallName) -> Vec<Offer<ServiceName>> {
        let mut all = own(self.services.keys(), hall);
        for (agent, provides) in self.switchboard.provides(hall) {
            all.extend(theirs(&agent, provides.services));
        }
        all
    }

    /// The stores of a hall: the gateway's own first.
    pub fn stores(&self, hall: &HallName) -> Vec<Offer<StoreName>> {
        let mut all = own(self.stores.keys(), hall);
        for (agent, provides) in self.switchboard.provides(hall) {
            all.extend(theirs(&agent, provides.stores));
        }
        all
    }

    /// A store that this gateway provides itself.
    pub fn own_store(&self, hall: &HallName, store: &StoreName) -> Option<Arc<dyn Store>> {
        self.stores.get(&(hall.clone(), store.clone())).cloned()
    }

    /// Connects to a service of a hall: the gateway's own, or else an agent's. The caller has
    /// checked the right.
    ///
    /// # Errors
    /// 404: nobody provides it; 502, 504: it does not answer.
    pub async fn connect(
        &self,
        hall: &HallName,
        service: &ServiceName,
    ) -> Result<BoxStream, Refused> {
        match self.services.get(&(hall.clone(), service.clone())) {
            Some(address) => address.connect(service).await,
            None => self.switchboard.connect(hall, service).await,
        }
    }
}

/// Opens a store; `None` if the configuration gives it no folder and no bucket.
fn open(store: &settings::Store, data: &Path) -> Option<Result<Arc<dyn Store>, StoreProblem>> {
    if let Some(folder) = &store.folder {
        return Some(match FolderStore::open(&data.join(folder)) {
            Ok(folder) => Ok(Arc::new(folder)),
            Err(error) => Err(error.into()),
        });
    }
    let bucket = store.bucket.as_ref()?;
    Some(match open_bucket(bucket, data) {
        Ok(bucket) => Ok(Arc::new(bucket)),
        Err(why) => Err(why),
    })
}

fn open_bucket(bucket: &settings::Bucket, data: &Path) -> Result<BucketStore, StoreProblem> {
    let path = data.join(&bucket.secret_key_file);
    let secret = std::fs::read_to_string(&path)
        .map_err(|source| StoreProblem::Secret { path, source })
        .map(Zeroizing::new)?;
    BucketStore::new(&BucketSettings {
        endpoint: bucket.endpoint.clone(),
        region: bucket.region.clone(),
        bucket: bucket.name.clone(),
        prefix: bucket.prefix.clone(),
        access_key: bucket.access_key.clone(),
        secret_key: Zeroizing::new(secret.trim().to_owned()),
    })
    .map_err(|source| StoreProblem::Bucket {
        name: bucket.name.clone(),
        source,
    })
}

fn own<'a, N: Clone + 'a>(
    all: impl Iterator<Item = &'a (HallName, N)>,
    hall: &HallName,
) -> Vec<Offer<N>> {
    all.filter(|(of, _)| of == hall)
        .map(|(_, name)| Offer {
            name: name.clone(),
            agent: None,
        })
        .collect()
}

/// The things that an agent provides, among those that it was invited for.
fn theirs<N>(
    agent: &AgentName,
    names: impl IntoIterator<Item = N>,
) -> impl Iterator<Item = Offer<N>> {
    names.into_iter().map(|name| Offer {
        name,
        agent: Some(agent.clone()),
    })
}
