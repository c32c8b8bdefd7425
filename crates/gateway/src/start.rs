//! Starting a gateway: its folder, its secrets, its store; then serving until told to stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{fs, io};

use hallway_door_device::ingest::Ingest;
use hallway_door_device::ingest::keyring::Keyring;
use hallway_door_device::thumbnail::Thumbnails;
use hallway_door_device::{Devices, DevicesOf, payload};
use hallway_door_hall::away::proxy::Proxies;
use hallway_door_hall::channel::listener::HallListener;
use hallway_door_hall::channel::visit::farewell;
use hallway_door_hall::channel::{Inside, Offers, names};
use hallway_door_hall::partners::fetch::Fetcher;
use hallway_door_hall::partners::{self, Partners};
use hallway_door_hall::settings::HallSettings;
use hallway_door_hall::{Halls, HallsOf};
use hallway_spine::accept::ListenError;
use hallway_spine::clock::Clock;
use hallway_spine::depends::{self, Ended};
use hallway_spine::descriptors::{self, Places};
use hallway_spine::door::Doors;
use hallway_spine::gateway::Shared;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::new_token;
use hallway_spine::ledger::Ledger;
use hallway_spine::metrics::{self, Metrics};
use hallway_spine::models::{Models, refresh};
use hallway_spine::operator_key::{self, FindError, OperatorKey, WhereNone};
use hallway_spine::pace::Unread;
use hallway_spine::parts::Parts;
use hallway_spine::realm_authority::OwnAuthorities;
use hallway_spine::refusal::{self, Brake};
use hallway_spine::server::Listener;
use hallway_spine::store::{Link, Purpose as LinkPurpose, Role, Store};
use hallway_spine::witness::{Configured, Witness, ask};
use hallway_spine::{private, sweep};
use hallway_webauthn::RelyingParty;
use object_store::local::LocalFileSystem;
use prometheus_client::metrics::counter::Counter;
use secrets::Secrets;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::config::{self, Config, ConfigError};
use crate::{Gateway, routes};

mod error;
mod secrets;

pub use error::StartError;

/// How long a set-up link is valid.
const SETUP_LINK_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// How long the database may not answer before the log says that the start waits for it.
const TELL_AFTER: Duration = Duration::from_secs(1);

/// The parts from which a gateway starts.
pub struct Start {
    /// The data folder; made if it does not exist.
    pub folder: PathBuf,
    /// The configuration, with overrides.
    pub config: Config,
    /// The operator's key in base64; otherwise it is `operator.key` in the folder.
    pub operator_key: Option<Zeroizing<String>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The doors.
    pub doors: Doors,
}

/// A gateway that is bound and ready to serve.
pub struct Ready {
    /// The gateway.
    pub gateway: Gateway,
    /// The one-time link that makes the first owner, while there is none.
    pub setup_link: Option<String>,
    /// The `hallway.toml` that this start wrote, because it was the first in its folder.
    pub written: Option<PathBuf>,
    listener: Listener,
    metrics: Option<Listener>,
    hall: Option<HallListener>,
}

/// Reads the configuration in `folder`; the defaults if there is none yet. This makes no file: the
/// first start writes `hallway.toml` once the gateway is ready ([`Start::ready`]).
///
/// # Errors
/// The configuration can't be read, or is not valid.
pub fn configuration(folder: &Path) -> Result<Config, StartError> {
    Ok(Config::load(folder)?)
}

/// Only the operator reads the folder: it holds the key and the payloads.
fn restrict(folder: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::PermissionsExt;
    let private = fs::Permissions::from_mode(0o700);
    fs::set_permissions(folder, private).map_err(|source| StartError::Folder {
        path: folder.to_owned(),
        source,
    })
}

/// Makes the folder if it is not there.
fn make_private(folder: &Path) -> Result<(), StartError> {
    fs::create_dir_all(folder).map_err(|source| StartError::Folder {
        path: folder.to_owned(),
        source,
    })?;
    restrict(folder)
}

impl Start {
    /// Opens everything and binds the address. A first start writes the configuration at its end,
    /// so that the next one needs no flags. One that fails leaves nothing in the way of the next.
    ///
    /// # Errors
    /// [`StartError`] says what stands in the way.
    pub async fn ready(self) -> Result<Ready, StartError> {
        let folder = self.folder.clone();
        let was_there = folder.exists();
        let ready = self.open().await;
        if ready.is_err() && !was_there {
            // A folder that is not empty stays.
            let _ = fs::remove_dir(&folder);
        }
        ready
    }

    /// Does first the steps that make nothing, then opens the database, then does the steps that
    /// only a start that will serve may do.
    async fn open(self) -> Result<Ready, StartError> {
        let Self {
            folder,
            config,
            operator_key,
            clock,
            doors,
        } = self;
        let given = operator_key.as_ref().map(|text| text.as_str());
        let is_first = !folder.join(config::FILE).exists();
        let found = match OperatorKey::find(given, &folder, WhereNone::Refuse) {
            Err(FindError::Missing(_)) => None,
            found => Some(found?),
        };
        let hall = config.hall.clone().unwrap_or_default();
        hall.check().map_err(ConfigError::Hall)?;
        if folder.exists() {
            restrict(&folder)?;
            tighten(&config, &hall, &folder)?;
        }
        let places = descriptors::connections(Places {
            web: config.limits.connections.count(),
            hall: match config.hall {
                Some(_) => hall
                    .connections
                    .unwrap_or(config.limits.connections)
                    .count(),
                None => 0,
            },
        });
        let unread = Unread::default();
        let listener = Listener::bind(config.listen, config.tls.as_ref(), &folder, places.web)
            .await
            .map_err(listening("listen"))?
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
                    .map_err(listening("metrics_listen"))?,
            ),
        };
        let to_write = is_first.then(|| Config {
            // The file gets no password: the operator gives it again at each start.
            database: config
                .database
                .without_password()
                .unwrap_or_else(|| config.database.clone()),
            ..config.clone()
        });
        let people: Vec<_> = doors.of_people().collect();
        let models = Models::new(&config.metadata, &config.policy, &folder, &people)?;
        let hall_listener = match config.hall {
            Some(_) => {
                let listener = HallListener::bind(hall.listen, places.hall)
                    .await
                    .map_err(listening("[hall] listen"))?;
                Some(listener.sharing(unread))
            }
            None => None,
        };

        let offers = Offers::open(&hall, &folder)?;
        let witnesses = Configured::new(&config.witnesses, &config.witnessed)?;
        let fetcher = Fetcher::new(&hall.partners, &folder, &origin)
            .map_err(partners::PartnersError::from)?;

        make_private(&folder)?;
        let store = connect(&config, &folder, doors).await?;
        let makes_key = found.is_none();
        let operator_key = match (found, Secrets::realm(&store).await?) {
            (Some(found), _) => found,
            (None, None) => OperatorKey::find(None, &folder, WhereNone::Make)?,
            (None, Some(stored)) if stored != config.realm.as_str() => {
                return Err(StartError::OtherRealm {
                    stored,
                    configured: config.realm.to_string(),
                });
            }
            (None, Some(_)) => return Err(StartError::OperatorKeyGone(folder)),
        };
        let secrets = Secrets::load_or_make(&store, &operator_key, &config.realm).await;
        if let Err(StartError::OtherRealm { .. } | StartError::OperatorKey(_)) = &secrets
            && makes_key
        {
            // Another gateway came first, with another key: nothing was sealed with the new one.
            let _ = fs::remove_file(folder.join(operator_key::FILE));
        }
        let secrets = secrets?;
        let witness = Witness::new(secrets.witness, witnesses);
        let objects = folder.join(&config.objects);
        fs::create_dir_all(&objects).map_err(|source| StartError::Folder {
            path: objects.clone(),
            source,
        })?;
        let halls = Halls {
            address: hall_address(&hall, hall_listener.as_ref(), &folder)?,
            longest: hall.max_hours.hours(),
            certificate: hall.certificate_seconds.seconds(),
            authorities: OwnAuthorities::load(
                &store,
                operator_key.clone(),
                &config.realm,
                clock.now(),
            )
            .await?,
            offers,
            inside: Inside::default(),
            proxies: Proxies::default(),
        };
        let own = halls.authorities.in_use();
        let partners = Partners::new(fetcher, operator_key, &own)?;
        let ledger = Arc::new(Ledger::new(secrets.log));
        let now = Arc::clone(&clock);
        let devices = Devices {
            settings: config.device.clone(),
            ingest: Ingest::start(store.clone(), Arc::clone(&ledger), move || now.now()),
            keyring: Keyring::default(),
            thumbnails: Thumbnails::default(),
            uploads: Semaphore::new(payload::MOST_UPLOADS),
            accepted: Counter::default(),
            swept: Counter::default(),
        };
        let parts = Parts::default()
            .with(config.web.clone())
            .with(devices)
            .with(halls)
            .with(partners);
        let gateway = Gateway::from(Shared {
            rp: RelyingParty::new(config.realm.as_str(), origin.as_str()),
            origin: origin.to_string(),
            ledger,
            store,
            sealer: secrets.sealer,
            objects: Arc::new(
                LocalFileSystem::new_with_prefix(objects)?
                    .with_fsync(true)
                    .with_automatic_cleanup(true),
            ),
            clock,
            payload_bytes: config.device.payload_bytes.get(),
            models,
            metrics: Metrics::default(),
            refusals: Brake::default(),
            callers: Arc::default(),
            description: OnceLock::new(),
            witness,
            doors,
            acts: doors.acts(),
            parts,
        });
        refresh::load(&gateway).await?;
        names::check_configuration(&gateway.store, &gateway.halls().offers).await?;
        let setup_link = setup_link(&gateway)
            .await
            .map_err(|problem| StartError::Setup(problem.detail))?;
        let written = match to_write {
            None => None,
            Some(config) => {
                config.save(&folder)?;
                Some(folder.join(config::FILE))
            }
        };
        Ok(Ready {
            gateway,
            setup_link,
            written,
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
    /// The system does not name it.
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
        let sweeping_payloads = tokio::spawn(payload::sweep::keep_up(self.gateway.clone()));
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
        // A refresh that is cut off here is done again at the next start.
        learning.abort();
        // So is asking for a cosignature.
        asking.abort();
        joining.abort();
        // Rows that are not removed now are removed at the next start.
        sweeping.abort();
        sweeping_payloads.abort();
        self.gateway.devices().ingest.drain().await;
        refusing.abort();
        self.gateway.count_refusals().await;
        if let Err(error) = self.gateway.store.clone().close().await {
            tracing::warn!(%error, "the database did not close cleanly");
        }
    }
}

/// Names the setting of an address at which the gateway can't listen.
fn listening(setting: &'static str) -> impl FnOnce(ListenError) -> StartError {
    move |source| StartError::Listen { setting, source }
}

/// Opens the database, and logs that the start waits if it does not answer soon.
async fn connect(config: &Config, folder: &Path, doors: Doors) -> Result<Store, StartError> {
    let address = config.database.address(folder);
    let opening = Store::connect(&address, doors.schema());
    tokio::pin!(opening);
    let opened = match tokio::time::timeout(TELL_AFTER, opening.as_mut()).await {
        Ok(opened) => opened,
        Err(_) => {
            let database = &config.database;
            tracing::warn!(
                ?database,
                "waiting for the database, which does not answer yet"
            );
            opening.await
        }
    };
    opened.map_err(|source| StartError::Database {
        database: config.database.clone(),
        source: Box::new(source),
    })
}

/// Where guests and agents reach the hall listener.
fn hall_address(
    hall: &HallSettings,
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

/// Closes the gateway's files and folders to others, in all places that the configuration names.
fn tighten(config: &Config, hall: &HallSettings, folder: &Path) -> Result<(), StartError> {
    let failed = |(path, source)| StartError::Folder { path, source };
    let stores = hall.stores.iter().filter_map(|store| store.folder.as_ref());
    let stores: Vec<PathBuf> = stores.map(|store| folder.join(store)).collect();
    private::tighten_within(folder, &stores).map_err(failed)?;
    private::tighten(&folder.join(&config.objects), &stores).map_err(failed)?;
    if let Some(database) = config.database.file(folder) {
        for beside in ["", "-wal", "-shm"] {
            let mut file = database.clone().into_os_string();
            file.push(beside);
            private::tighten(Path::new(&file), &[]).map_err(failed)?;
        }
    }
    Ok(())
}

/// A link for the first owner, while there is none. Earlier set-up links end.
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
                    expires: now.plus(SETUP_LINK_LIFETIME),
                    used: None,
                };
                unit.links().add(&link).await?;
                Ok(true)
            })
        })
        .await?;
    Ok(made.then(|| gateway.join_link(&token)))
}
