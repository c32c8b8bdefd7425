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
//! use hallway_gateway::store::{Person, PersonState, Role, Store};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("hallway.db");
//! # let path = path.to_str().ok_or("path")?;
//! let store = Store::connect(path).await?;
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

mod announcement;
mod attestation;
mod authority;
mod bulk;
mod column;
mod connect;
mod cosigner;
mod credential;
mod device;
mod dump;
mod entity;
mod error;
mod evidence;
mod grant;
mod ground;
mod hall;
mod hall_agent;
mod hall_lock;
mod ids;
mod link;
mod log;
mod metadata;
mod migration;
mod own_authority;
mod ownership;
mod page;
mod partner;
mod person;
mod refusal;
mod session;
mod setting;
mod standing;
mod transact;
mod transaction;
mod unit;
mod visit;
mod witnessed;
mod words;

pub use announcement::{Announcement, AnnouncementRows, Waiting};
pub use attestation::{AttestationRows, KeyAttestation};
pub use authority::{Authority, AuthorityRows, MAX_AUTHORITIES};
pub use cosigner::{CosignedCheckpoint, CosignerRows, CosignerState};
pub use credential::{Credential, CredentialRows, Holder, MAX_KEYS, Use};
pub use device::{Device, DeviceFilter, DeviceRows, DeviceState, Enrolment, HandOver, SuspendedBy};
pub use dump::DumpError;
pub use error::StoreError;
pub use evidence::{EvidenceFilter, EvidenceRecord, EvidenceRows, TRANSACTION_ACT};
pub use grant::{
    APPROVAL_PATIENCE, Approval, End, EndCause, Given, Grant, GrantFilter, GrantHolder, GrantKind,
    GrantRows, GrantState, GrantsOf, Visitor,
};
pub use ground::{Ground, GroundRows};
pub use hall::{GuestId, Hall, HallGuest, HallRows, MAX_GUESTS, MAX_HALLS, VisitorId};
pub use hall_agent::{HallAgent, HallAgentRows, MAX_AGENTS};
pub use hall_lock::{HallLockRows, lock_holder};
pub use ids::{
    AnnouncementId, AuthorityId, CodeHash, DeviceMark, EvidenceHash, RefusalId, SignerHash,
    StatementHash, TokenHash,
};
pub use link::{Link, LinkRows, LinksOf, Purpose};
pub use log::{LogHead, LogRows};
pub use metadata::{BlobRecord, MetadataRows, MetadataState};
pub use own_authority::{OwnAuthority, OwnAuthorityRows, OwnStage};
pub use ownership::{Ownership, OwnershipRows};
pub use page::{Limit, Page, PageRequest};
pub use partner::{
    BundleState, EndedBy, Learned, MAX_PARTNERS, Partner, PartnerRows, PartnerState, PartnerWitness,
};
pub use person::{Person, PersonRows, PersonState, Role};
pub use refusal::{MAX_REFUSALS, Refusal, RefusalRows, Repeated};
pub use session::{Session, SessionRows, SessionsOf};
pub use setting::SettingRows;
pub use standing::{Advance, Standing, StandingRows};
pub use transact::{Store, Transient, Work};
pub use transaction::{
    MAX_INLINE, PayloadLocation, Transaction, TransactionFilter, TransactionRows,
};
pub use unit::Unit;
pub use visit::{Visit, VisitRows};
pub use witnessed::{FormerLog, WitnessedLog, WitnessedRows};
