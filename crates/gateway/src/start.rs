//! Starting a gateway: its folder, its secrets, its store; then serving until told to stop.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hallway_evidence::log::{CosigningKey, SigningKey};
use hallway_webauthn::RelyingParty;
use object_store::local::LocalFileSystem;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::Gateway;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::descriptors::{self, Places};
use crate::gateway::Shared;
use crate::hall::listener::HallListener;
use crate::hall::visit::farewell;
use crate::hall::{Halls, Inside, Offers, Proxies};
use crate::http::problem::Problem;
use crate::http::session::new_token;
use crate::ledger::{Ingest, Keyring, Ledger};
use crate::metrics::{self, Metrics};
use crate::models::refresh::{self, LearnError};
use crate::models::{Models, ModelsError};
use crate::operator_key::{FindError, OperatorKey, OperatorKeyError, WhereNone, random_bytes};
use crate::partners::{self, Partners, PartnersError};
use crate::realm_authority::{AuthoritiesError, OwnAuthorities};
use crate::refusal::Brake;
use crate::routes;
use crate::seal::Sealer;
use crate::server::{ListenError, Listener};
use crate::store::{Link, Purpose as LinkPurpose, Role, Store, StoreError};
use crate::witness::{PeersError, Witness, ask};

/// How long a set-up link is good.
const SETUP: Duration = Duration::from_secs(24 * 3600);

const REALM: &str = "realm";
const LOG_KEY: &str = "log-key";
const SEAL_KEY: &str = "seal-key";
const WITNESS_KEY: &str = "witness-key";

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error("the data folder {path}: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The operator's key.
    #[error(transparent)]
    OperatorKey(#[from] OperatorKeyError),
    /// There is none.
    #[error(transparent)]
    NoOperatorKey(#[from] FindError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database belongs to another realm.
    #[error("this database is the realm \"{stored}\"; hallway.toml says \"{configured}\"")]
    OtherRealm {
        /// The realm in the database.
        stored: String,
        /// The realm in the configuration.
        configured: String,
    },
    /// The object store.
    #[error("the object store: {0}")]
    Objects(#[from] object_store::Error),
    /// The address.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The address for metrics.
    #[error("for metrics: {0}")]
    Metrics(#[source] ListenError),
    /// The realm's certificate authorities.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// `[metadata]` or `[policy]`.
    #[error(transparent)]
    Models(#[from] ModelsError),
    /// What is known about models cannot be read back, so nobody can say what was revoked.
    #[error(transparent)]
    Metadata(#[from] LearnError),
    /// `[[witnesses]]` or `[[witnessed]]`.
    #[error(transparent)]
    Witnesses(#[from] PeersError),
    /// A store of a hall.
    #[error("a store in [hall] of hallway.toml: {0}")]
    HallStore(#[from] crate::hall::offers::OfferError),
    /// `[partners]`.
    #[error(transparent)]
    Partners(#[from] PartnersError),
    /// A key does not fit.
    #[error("the log's key or the witness's: {0}")]
    LogKey(#[from] hallway_evidence::log::NoteError),
    /// The set-up link.
    #[error("the set-up link: {0}")]
    Setup(String),
}

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
        let mut limits = config.limits.clone();
        let places = descriptors::connections(Places {
            web: limits.connections,
            hall: match config.hall {
                Some(_) => hall.connections.unwrap_or(limits.connections),
                None => 0,
            },
        });
        limits.connections = places.web;
        let listener = Listener::bind(
            config.listen,
            config.tls.as_ref(),
            &folder,
            limits.connections,
        )
        .await?;
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
            Some(_) => Some(HallListener::bind(hall.listen, places.hall).await?),
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
            thumbnails: Semaphore::new(1),
            halls,
            witness,
            partners,
        });
        refresh::load(&gateway).await?;
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
        let counting = self.metrics.map(|listener| {
            if let Ok(address) = listener.address() {
                tracing::info!("metrics at http://{address}/metrics");
            }
            tokio::spawn(metrics::serve(self.gateway.clone(), listener))
        });
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
        self.gateway.ingest.drain().await;
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

/// The realm's secrets, which all its gateways share through the database.
struct Secrets {
    log: SigningKey,
    witness: CosigningKey,
    sealer: Sealer,
}

impl Secrets {
    async fn load_or_make(
        store: &Store,
        operator: &OperatorKey,
        realm: &str,
    ) -> Result<Self, StartError> {
        let stored = first(store, REALM, realm.as_bytes()).await?;
        if stored != realm.as_bytes() {
            return Err(StartError::OtherRealm {
                stored: String::from_utf8_lossy(&stored).into_owned(),
                configured: realm.to_owned(),
            });
        }
        let log = secret(store, operator, LOG_KEY).await?;
        let witness = secret(store, operator, WITNESS_KEY).await?;
        let seal = secret(store, operator, SEAL_KEY).await?;
        Ok(Self {
            log: SigningKey::from_seed(&format!("{realm}/log"), &log)?,
            witness: CosigningKey::from_seed(&format!("{realm}/witness"), &witness)?,
            sealer: Sealer::new(&*seal),
        })
    }
}

/// A secret of 32 bytes, made by whichever gateway comes first.
async fn secret(
    store: &Store,
    operator: &OperatorKey,
    name: &'static str,
) -> Result<Zeroizing<[u8; 32]>, StartError> {
    let made = operator.seal(name, random_bytes::<32>()?.as_slice())?;
    let opened = operator.open(name, &first(store, name, &made).await?)?;
    let bytes =
        <[u8; 32]>::try_from(opened.as_slice()).map_err(|_| OperatorKeyError::Sealed(name))?;
    Ok(Zeroizing::new(bytes))
}

async fn first(store: &Store, name: &str, value: &[u8]) -> Result<Vec<u8>, StartError> {
    if let Some(value) = store.read().settings().get(name).await? {
        return Ok(value);
    }
    let stored: Result<Vec<u8>, StoreError> = store
        .transact(|unit| Box::pin(async move { unit.settings().put_first(name, value).await }))
        .await;
    Ok(stored?)
}
