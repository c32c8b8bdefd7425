//! Starting a gateway: its folder, its secrets, its store; then serving until told to stop.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hallway_webauthn::RelyingParty;
use object_store::local::LocalFileSystem;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::Gateway;
use crate::clock::Clock;
use crate::config::Config;
use crate::depends::{self, Ended};
use crate::descriptors::{self, Places};
use crate::doors::device::payload;
use crate::gateway::Shared;
use crate::hall::listener::HallListener;
use crate::hall::visit::farewell;
use crate::hall::{Halls, Inside, Offers, Proxies, names};
use crate::http::problem::Problem;
use crate::http::session::new_token;
use crate::ledger::{Ingest, Keyring, Ledger};
use crate::metrics::{self, Metrics};
use crate::models::{Models, refresh};
use crate::operator_key::{OperatorKey, WhereNone};
use crate::pace::Unread;
use crate::partners::{self, Partners};
use crate::private;
use crate::realm_authority::OwnAuthorities;
use crate::refusal::{self, Brake};
use crate::routes;
use crate::server::Listener;
use crate::store::{Link, Purpose as LinkPurpose, Role, Store};
use crate::sweep;
use crate::thumbnail::Thumbnails;
use crate::witness::{Witness, ask};
use secrets::Secrets;

mod error;
mod secrets;

pub use error::StartError;

/// How long a set-up link is good.
const SETUP: Duration = Duration::from_secs(24 * 3600);

/// How to start.
pub struct Start {
    /// The data folder; made if it is not there.
    pub folder: PathBuf,
    /// The configuration, overrides applied.
    pub config: Config,
    /// The operator's key in base64; otherwise it is `operator.key` in the folder.
    pub operator_key: Option<Zeroizing<String>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A gateway that is bound and ready to serve.
pub struct Ready {
    /// The gateway.
    pub gateway: Gateway,
    /// The one-time link that makes the first owner, while there is none.
    pub setup_link: Option<String>,
    listener: Listener,
    metrics: Option<Listener>,
    hall: Option<HallListener>,
}

/// Reads the configuration in `folder`, making both if they are not there.
///
/// # Errors
/// The folder or its configuration cannot be read or written.
pub fn configuration(folder: &Path) -> Result<Config, StartError> {
    let failed = |source| StartError::Folder {
        path: folder.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(failed)?;
    restrict(folder).map_err(failed)?;
    Ok(Config::load_or_create(folder)?)
}

/// Only the operator reads the folder: it holds the key and the payloads.
fn restrict(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

impl Start {
    /// Opens everything and binds the address.
    ///
    /// # Errors
    /// [`StartError`] says what stands in the way.
    pub async fn ready(self) -> Result<Ready, StartError> {
        let Self {
            folder,
            config,
            operator_key,
            clock,
        } = self;
        let given = operator_key.as_ref().map(|text| text.as_str());
        let operator_key = OperatorKey::find(given, &folder, WhereNone::Make)?;
        let hall = config.hall.clone().unwrap_or_default();
        hall.check()?;
        tighten(&config, &hall, &folder)?;
        let mut limits = config.limits.clone();
        let places = descriptors::connections(Places {
            web: limits.connections,
            hall: match config.hall {
                Some(_) => hall.connections.unwrap_or(limits.connections),
                None => 0,
            },
        });
        limits.connections = places.web;
        let unread = Unread::default();
        let listener = Listener::bind(
            config.listen,
            config.tls.as_ref(),
            &folder,
            limits.connections,
        )
        .await?
        .sharing(unread.clone());
        let bound = listener.address().map_err(|source| StartError::Folder {
            path: folder.clone(),
            source,
        })?;
        let origin = config.origin(bound)?;
        let metrics = match config.metrics_listen {
            None => None,
            Some(address) => Some(
                Listener::bind(address, None, &folder, metrics::CONNECTIONS)
                    .await
                    .map_err(StartError::Metrics)?,
            ),
        };
        let models = Models::new(&config, &folder)?;
        let hall_listener = match config.hall {
            Some(_) => {
                let listener = HallListener::bind(hall.listen, places.hall).await?;
                Some(listener.sharing(unread))
            }
            None => None,
        };

        let store = Store::connect(&database(&config.database, &folder)).await?;
        let secrets = Secrets::load_or_make(&store, &operator_key, &config.realm).await?;
        let witness = Witness::new(secrets.witness, &config)?;
        let objects = folder.join(&config.objects);
        fs::create_dir_all(&objects).map_err(|source| StartError::Folder {
            path: objects.clone(),
            source,
        })?;
        let halls = Halls {
            address: hall_address(&hall, hall_listener.as_ref(), &folder)?,
            longest: Duration::from_secs(hall.max_hours * 3600),
            certificate: Duration::from_secs(hall.certificate_seconds),
            authorities: OwnAuthorities::load(
                &store,
                operator_key.clone(),
                &config.realm,
                clock.now(),
            )
            .await?,
            offers: Offers::open(&hall, &folder)?,
            inside: Inside::default(),
            proxies: Proxies::default(),
        };
        let own = halls.authorities.in_use();
        let partners = Partners::new(&config.partners, &folder, &origin, operator_key, &own)?;
        let ledger = Arc::new(Ledger::new(secrets.log));
        let now = Arc::clone(&clock);
        let gateway = Gateway::from(Shared {
            rp: RelyingParty::new(config.realm, origin.clone()),
            origin,
            ingest: Ingest::start(store.clone(), Arc::clone(&ledger), move || now.now()),
            ledger,
            store,
            keyring: Keyring::default(),
            sealer: secrets.sealer,
            objects: Arc::new(LocalFileSystem::new_with_prefix(objects)?.with_fsync(true)),
            clock,
            limits,
            models,
            metrics: Metrics::default(),
            refusals: Brake::default(),
            thumbnails: Thumbnails::default(),
            uploads: Semaphore::new(payload::UPLOADS),
            callers: Arc::default(),
            description: OnceLock::new(),
            halls,
            witness,
            partners,
        });
        refresh::load(&gateway).await?;
        names::check_configuration(&gateway.store, &gateway.halls.offers).await?;
        let setup_link = setup_link(&gateway)
            .await
            .map_err(|problem| StartError::Setup(problem.detail))?;
        Ok(Ready {
            gateway,
            setup_link,
            listener,
            metrics,
            hall: hall_listener,
        })
    }
}

impl Ready {
    /// The address that was bound.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.address()
    }

    /// Serves until `stop` resolves; then finishes what is under way.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let router = routes::router(&self.gateway);
        let learning = tokio::spawn(refresh::keep_up(self.gateway.clone()));
        let asking = tokio::spawn(ask::keep_up(self.gateway.clone()));
        let refusing = tokio::spawn(refusal::keep_counting(self.gateway.clone()));
        let counting = self.metrics.map(|listener| {
            if let Ok(address) = listener.address() {
                tracing::info!("metrics at http://{address}/metrics");
            }
            tokio::spawn(metrics::serve(self.gateway.clone(), listener))
        });
        let sweeping = tokio::spawn(sweep::keep_clean(self.gateway.clone()));
        let (told, hall_told) = tokio::sync::oneshot::channel::<()>();
        let hall = self.hall.map(|hall| {
            let stop = async { hall_told.await.unwrap_or_default() };
            tokio::spawn(hall.serve(self.gateway.clone(), stop))
        });
        let watch = tokio::spawn(Inside::watch(self.gateway.clone()));
        let telling = tokio::spawn(farewell::keep_telling(self.gateway.clone()));
        let joining = tokio::spawn(partners::refresh::keep_up(self.gateway.clone()));
        self.listener
            .serve(router, async move {
                stop.await;
                drop(told);
            })
            .await;
        if let Some(hall) = hall {
            let _ = hall.await;
        }
        watch.abort();
        telling.abort();
        if let Some(counting) = counting {
            counting.abort();
        }
        // Whatever it is at, a BLOB that is not kept yet is looked for again.
        learning.abort();
        // So is a cosignature that is not.
        asking.abort();
        joining.abort();
        // What it did not remove now, it removes next time.
        sweeping.abort();
        self.gateway.ingest.drain().await;
        refusing.abort();
        self.gateway.count_refusals().await;
        if let Err(error) = self.gateway.store.clone().close().await {
            tracing::warn!(%error, "the database did not close cleanly");
        }
    }
}

/// Where guests and agents reach the hall listener.
fn hall_address(
    hall: &crate::config::Hall,
    listener: Option<&HallListener>,
    folder: &Path,
) -> Result<Option<String>, StartError> {
    let Some(listener) = listener else {
        return Ok(None);
    };
    let bound = listener.address().map_err(|source| StartError::Folder {
        path: folder.to_owned(),
        source,
    })?;
    Ok(Some(match &hall.address {
        Some(address) => address.to_string(),
        None => bound.to_string(),
    }))
}

/// Closes to others what the gateway keeps, wherever it lies.
fn tighten(config: &Config, hall: &crate::config::Hall, folder: &Path) -> Result<(), StartError> {
    let failed = |(path, source)| StartError::Folder { path, source };
    let stores = hall.stores.iter().filter_map(|store| store.folder.as_ref());
    let stores: Vec<PathBuf> = stores.map(|store| folder.join(store)).collect();
    private::tighten_within(folder, &stores).map_err(failed)?;
    private::tighten(&folder.join(&config.objects), &stores).map_err(failed)?;
    if config.database.starts_with("sqlite:") {
        let database = database(&config.database, folder);
        for beside in ["", "-wal", "-shm"] {
            let file = PathBuf::from(format!("{database}{beside}"));
            private::tighten(&file, &[]).map_err(failed)?;
        }
    }
    Ok(())
}

/// A database address with relative SQLite files under the data folder.
pub(crate) fn database(address: &str, folder: &Path) -> String {
    match address.strip_prefix("sqlite:") {
        Some(file) => folder
            .join(file.trim_start_matches("//"))
            .to_string_lossy()
            .into_owned(),
        None => address.to_owned(),
    }
}

/// A link for the first owner while there is none. Older ones stop working.
async fn setup_link(gateway: &Gateway) -> Result<Option<String>, Problem> {
    let (token, hash) = new_token()?;
    let now = gateway.now();
    let made = gateway
        .transact(|unit| {
            Box::pin(async move {
                depends::end(gateway, unit, Ended::SetUp, None).await?;
                if unit.people().count_active(Role::Owner).await? > 0 {
                    return Ok(false);
                }
                let link = Link {
                    token: hash,
                    purpose: LinkPurpose::Setup,
                    name: String::new(),
                    role: Some(Role::Owner),
                    person: None,
                    created_by: None,
                    evidence: None,
                    created: now,
                    expires: now.plus(SETUP),
                    used: None,
                };
                unit.links().add(&link).await?;
                Ok(true)
            })
        })
        .await?;
    Ok(made.then(|| gateway.join_link(&token)))
}
