//! What there is behind each hall: what this gateway provides by its configuration, and what
//! agents provide that have dialled in to it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use hallway_evidence::statement::hall::{Name, Verb};
use hallway_hall::files::{self, BucketSettings, BucketStore, FolderStore, Store};
use hallway_hall::stream::BoxStream;
use hallway_hall::{
    Address, HallName, NameError, Pass, Problem as Refused, StoreAccess, Switchboard,
};
use zeroize::Zeroizing;

use super::standing::Standing;
use crate::config;

/// What is behind the halls.
#[derive(Default)]
pub struct Offers {
    services: BTreeMap<(Name, Name), Address>,
    stores: BTreeMap<(Name, Name), Arc<dyn Store>>,
    /// The agents that are here.
    pub switchboard: Switchboard,
}

/// One thing behind a hall.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer {
    /// What rights call it.
    pub name: Name,
    /// The agent that provides it; nothing for the gateway itself.
    pub agent: Option<Name>,
}

/// Why a store of the configuration can't be provided.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
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
    /// Opens what the configuration names; relative paths start at `data`.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn open(hall: &config::Hall, data: &Path) -> Result<Self, OfferError> {
        let mut offers = Self::default();
        for service in &hall.services {
            let key = (service.hall.clone(), service.name.clone());
            offers.services.insert(key, service.address.clone());
        }
        for store in &hall.stores {
            let key = (store.hall.clone(), store.name.clone());
            if let Some(folder) = &store.folder {
                let folder = FolderStore::open(&data.join(folder))?;
                offers.stores.insert(key, Arc::new(folder));
            } else if let Some(bucket) = &store.bucket {
                offers
                    .stores
                    .insert(key, Arc::new(open_bucket(bucket, data)?));
            }
        }
        Ok(offers)
    }

    /// The services of a hall: the gateway's own first.
    pub fn services(&self, hall: &Name) -> Vec<Offer> {
        let mut all = own(self.services.keys(), hall);
        for (agent, provides) in self.agents(hall) {
            all.extend(theirs(
                &agent,
                provides.services.iter().map(|name| name.as_str()),
            ));
        }
        all
    }

    /// The stores of a hall: the gateway's own first.
    pub fn stores(&self, hall: &Name) -> Vec<Offer> {
        let mut all = own(self.stores.keys(), hall);
        for (agent, provides) in self.agents(hall) {
            all.extend(theirs(
                &agent,
                provides.stores.iter().map(|name| name.as_str()),
            ));
        }
        all
    }

    fn agents(&self, hall: &Name) -> Vec<(hallway_hall::AgentName, hallway_hall::Provides)> {
        plain(hall).map_or_else(|_| Vec::new(), |hall| self.switchboard.provides(&hall))
    }

    /// Connects to a service of a hall: the gateway's own, or else an agent's. Whether the asker
    /// may, was decided before.
    ///
    /// # Errors
    /// 404: nobody provides it; 502, 504: it does not answer.
    pub async fn connect(&self, hall: &Name, service: &Name) -> Result<BoxStream, Refused> {
        let unnamed = |_: NameError| nobody_provides("service", service);
        let name = service.as_str().parse().map_err(unnamed)?;
        match self.services.get(&(hall.clone(), service.clone())) {
            Some(address) => address.connect(&name).await,
            None => {
                let hall = plain(hall).map_err(unnamed)?;
                self.switchboard.connect(&hall, &name).await
            }
        }
    }

    /// Answers a request for the files of a store, which is reached at `mount`, as far as
    /// `standing` allows.
    pub async fn files(
        &self,
        standing: &Standing,
        store: &Name,
        mount: &str,
        pass: &Pass,
        request: Request,
    ) -> Response {
        let allows = |verb| standing.rights.allow(verb, store);
        let access = StoreAccess {
            read: allows(Verb::Read),
            write: allows(Verb::Write),
            delete: allows(Verb::Delete),
        };
        // A store on which nothing was granted gets one answer, whether it is there or not.
        if access == StoreAccess::default() {
            let refused = Refused::new(
                StatusCode::FORBIDDEN,
                "not-granted",
                format!(
                    "this grant allows nothing with the store “{store}”; open the hall for more"
                ),
            );
            return refused.into_response().map(Body::new);
        }
        let hall = &standing.grant.hall;
        let answer = match self.stores.get(&(hall.clone(), store.clone())) {
            Some(own) => files::serve(Arc::clone(own), access, mount, pass, request).await,
            None => match (plain(hall), store.as_str().parse()) {
                (Ok(hall), Ok(name)) => {
                    self.switchboard
                        .files(&hall, &name, access, mount, pass, request)
                        .await
                }
                _ => nobody_provides("store", store).into_response(),
            },
        };
        answer.map(Body::new)
    }
}

fn open_bucket(bucket: &config::Bucket, data: &Path) -> Result<BucketStore, OfferError> {
    let path = data.join(&bucket.secret_key_file);
    let secret = std::fs::read_to_string(&path)
        .map_err(|source| OfferError::Secret { path, source })
        .map(Zeroizing::new)?;
    BucketStore::new(&BucketSettings {
        endpoint: bucket.endpoint.clone(),
        region: bucket.region.clone(),
        bucket: bucket.name.clone(),
        prefix: bucket.prefix.clone(),
        access_key: bucket.access_key.clone(),
        secret_key: Zeroizing::new(secret.trim().to_owned()),
    })
    .map_err(|source| OfferError::Bucket {
        name: bucket.name.clone(),
        source,
    })
}

fn plain(hall: &Name) -> Result<HallName, NameError> {
    hall.as_str().parse()
}

fn own<'a>(all: impl Iterator<Item = &'a (Name, Name)>, hall: &Name) -> Vec<Offer> {
    all.filter(|(of, _)| of == hall)
        .map(|(_, name)| Offer {
            name: name.clone(),
            agent: None,
        })
        .collect()
}

/// What an agent says that it provides, by its own word.
fn theirs<'a>(agent: &hallway_hall::AgentName, names: impl Iterator<Item = &'a str>) -> Vec<Offer> {
    let Ok(agent) = agent.as_str().parse::<Name>() else {
        return Vec::new();
    };
    names
        .filter_map(|name| {
            Some(Offer {
                name: name.parse().ok()?,
                agent: Some(agent.clone()),
            })
        })
        .collect()
}

fn nobody_provides(what: &str, name: &Name) -> Refused {
    Refused::new(
        StatusCode::NOT_FOUND,
        "not-provided",
        format!("nobody provides the {what} “{name}” now; its agent may be away"),
    )
}
