//! The database: people, keys, devices, evidence and the log, in SQLite or PostgreSQL.
//!
//! A [`Store`] gives [units](Unit) of work. In a unit, a change and the evidence that justifies it
//! are kept together or not at all; the evidence's place in the log, too, because the log's tiles
//! and its head are tables of the same database. Units run one after another, whatever the number
//! of gateways: SQLite has one writer, and on PostgreSQL a unit begins by locking the head's row.
//! So a unit may read, decide and write without thinking of others.
//!
//! ```
//! use hallway_evidence::{PersonId, Timestamp};
//! use hallway_spine::store::{Person, PersonState, Role, Schema, Store};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("hallway.db");
//! # let path = path.to_str().ok_or("path")?;
//! let store = Store::connect(path, Schema::default()).await?;
//! let emily = Person {
//!     id: PersonId::generate(),
//!     name: "Emily".to_owned(),
//!     role: Role::Owner,
//!     state: PersonState::Active,
//!     created: Timestamp::from_ms(1_700_000_000_000),
//! };
//! let person = &emily;
//! store
//!     .transact(|unit| Box::pin(async move { unit.people().add(person).await }))
//!     .await?;
//! assert_eq!(store.read().people().get(emily.id).await?, Some(emily));
//! # Ok(())
//! # }
//! ```

pub mod attestation;
pub mod bulk;
pub mod column;
pub mod connect;
pub(crate) mod cosigner;
pub(crate) mod credential;
pub(crate) mod dump;
pub mod entity;
pub(crate) mod error;
pub(crate) mod evidence;
pub(crate) mod ground;
pub(crate) mod ids;
pub(crate) mod link;
pub(crate) mod log;
pub(crate) mod metadata;
pub mod migration;
pub(crate) mod own_authority;
pub(crate) mod page;
pub(crate) mod person;
pub(crate) mod refusal;
pub(crate) mod schema;
pub(crate) mod session;
pub(crate) mod setting;
pub(crate) mod table;
pub(crate) mod transact;
pub(crate) mod unit;
pub(crate) mod witnessed;

pub use attestation::{AttestationRows, KeyAttestation};
pub use cosigner::{CosignedCheckpoint, CosignerRows, CosignerState};
pub use credential::{Credential, CredentialRows, Holder, MAX_KEYS, Use};
pub use dump::DumpError;
pub use error::StoreError;
pub use evidence::{EvidenceFilter, EvidenceRecord, EvidenceRows, TRANSACTION_ACT};
pub use ground::{Ground, GroundRows};
pub use ids::{
    AnnouncementId, CodeHash, DeviceMark, EvidenceHash, MakerId, RefusalId, SignerHash,
    StatementHash, TokenHash,
};
pub use link::{Link, LinkRows, LinksOf, Purpose};
pub use log::{LogHead, LogRows};
pub use metadata::{BlobRecord, MetadataRows, MetadataState};
pub use own_authority::{OwnAuthority, OwnAuthorityRows, OwnStage};
pub use page::{Limit, Page, PageRequest};
pub use person::{Person, PersonRows, PersonState, Role};
pub use refusal::{MAX_REFUSALS, Refusal, RefusalRows, Repeated};
pub use schema::Schema;
pub use session::{Session, SessionRows, SessionsOf};
pub use setting::SettingRows;
pub use table::{Kept, Table};
pub use transact::{Store, Transient, Work};
pub use unit::Unit;
pub use witnessed::{FormerLog, WitnessedLog, WitnessedRows};
