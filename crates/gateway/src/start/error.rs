//! Why a gateway does not start.

use std::io;
use std::path::PathBuf;

use hallway_door_hall::partners::PartnersError;
use hallway_spine::accept::ListenError;
use hallway_spine::models::ModelsError;
use hallway_spine::models::refresh::LearnError;
use hallway_spine::operator_key::{FindError, OperatorKeyError};
use hallway_spine::realm_authority::AuthoritiesError;
use hallway_spine::settings::Database;
use hallway_spine::store::StoreError;
use hallway_spine::witness::PeersError;

use crate::config::ConfigError;

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error("the data folder {path}: {source}")]
    Folder {
        /// The path.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The operator's key.
    #[error(transparent)]
    OperatorKey(#[from] OperatorKeyError),
    /// There is no operator key.
    #[error(transparent)]
    NoOperatorKey(#[from] FindError),
    /// The database has secrets under an operator key that is missing.
    #[error(
        "{0}/operator.key is missing, and the database needs it: put it back from your backup, or set \
         HALLWAY_OPERATOR_KEY to it"
    )]
    OperatorKeyGone(PathBuf),
    /// The database does not open.
    #[error("{database:?}: {source}")]
    Database {
        /// Its address; the password is not shown.
        database: Database,
        /// The error.
        source: Box<StoreError>,
    },
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
    /// An address at which it can't listen.
    #[error("{setting}: {source}")]
    Listen {
        /// The setting.
        setting: &'static str,
        /// The error.
        source: ListenError,
    },
    /// The realm's certificate authorities.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// `[metadata]` or `[policy]`.
    #[error(transparent)]
    Models(#[from] ModelsError),
    /// The kept metadata can't be read, so it is not known which models were revoked.
    #[error(transparent)]
    Metadata(#[from] LearnError),
    /// `[[witnesses]]` or `[[witnessed]]`.
    #[error(transparent)]
    Witnesses(#[from] PeersError),
    /// A store of a hall.
    #[error("[hall] in hallway.toml: {0}")]
    HallStore(#[from] hallway_door_hall::channel::offers::OfferError),
    /// A name in `[hall]` that belongs to an agent.
    #[error(transparent)]
    Names(#[from] hallway_door_hall::channel::names::CollisionError),
    /// `[hall.partners]`.
    #[error(transparent)]
    Partners(#[from] PartnersError),
    /// A key does not fit.
    #[error("the log's key or the witness's: {0}")]
    LogKey(#[from] hallway_evidence::log::NoteError),
    /// The set-up link.
    #[error("the set-up link: {0}")]
    Setup(String),
}
