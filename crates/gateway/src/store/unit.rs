//! Units of work: what happens together or not at all.

use async_trait::async_trait;
use hallway_evidence::Timestamp;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseExecutor, DatabaseTransaction, Statement,
};

use super::announcement::AnnouncementRepository;
use super::attestation::AttestationRepository;
use super::authority::AuthorityRepository;
use super::column::{ms, number};
use super::cosigner::CosignerRepository;
use super::credential::CredentialRepository;
use super::device::DeviceRepository;
use super::error::StoreError;
use super::evidence::EvidenceRepository;
use super::grant::GrantRepository;
use super::ground::GroundRepository;
use super::hall::HallRepository;
use super::hall_agent::HallAgentRepository;
use super::hall_lock::HallLockRepository;
use super::link::LinkRepository;
use super::log::LogRepository;
use super::metadata::MetadataRepository;
use super::own_authority::OwnAuthorityRepository;
use super::ownership::OwnershipRepository;
use super::partner::PartnerRepository;
use super::person::PersonRepository;
use super::refusal::RefusalRepository;
use super::session::SessionRepository;
use super::setting::SettingRepository;
use super::standing::StandingRepository;
use super::transaction::TransactionRepository;
use super::visit::VisitRepository;
use super::witnessed::WitnessedRepository;

/// The repositories, all in the same view of the database.
pub trait Repositories: Send + Sync {
    /// People.
    fn people(&self) -> Box<dyn PersonRepository + '_>;
    /// Credentials of people and devices.
    fn credentials(&self) -> Box<dyn CredentialRepository + '_>;
    /// What credentials proved about their authenticators.
    fn attestations(&self) -> Box<dyn AttestationRepository + '_>;
    /// One-time links.
    fn links(&self) -> Box<dyn LinkRepository + '_>;
    /// Sessions.
    fn sessions(&self) -> Box<dyn SessionRepository + '_>;
    /// Attestation authorities.
    fn authorities(&self) -> Box<dyn AuthorityRepository + '_>;
    /// Announcements of devices.
    fn announcements(&self) -> Box<dyn AnnouncementRepository + '_>;
    /// Devices.
    fn devices(&self) -> Box<dyn DeviceRepository + '_>;
    /// Whose devices were when.
    fn ownerships(&self) -> Box<dyn OwnershipRepository + '_>;
    /// Where devices stand.
    fn standings(&self) -> Box<dyn StandingRepository + '_>;
    /// Device transactions.
    fn transactions(&self) -> Box<dyn TransactionRepository + '_>;
    /// Evidence.
    fn evidence(&self) -> Box<dyn EvidenceRepository + '_>;
    /// What evidence rests on.
    fn grounds(&self) -> Box<dyn GroundRepository + '_>;
    /// The log.
    fn log(&self) -> Box<dyn LogRepository + '_>;
    /// Refusals.
    fn refusals(&self) -> Box<dyn RefusalRepository + '_>;
    /// What is known about models of authenticators.
    fn metadata(&self) -> Box<dyn MetadataRepository + '_>;
    /// Settings.
    fn settings(&self) -> Box<dyn SettingRepository + '_>;
    /// Halls and their guests.
    fn halls(&self) -> Box<dyn HallRepository + '_>;
    /// Agents of halls.
    fn hall_agents(&self) -> Box<dyn HallAgentRepository + '_>;
    /// Locks on files of halls.
    fn hall_locks(&self) -> Box<dyn HallLockRepository + '_>;
    /// What opened in halls.
    fn grants(&self) -> Box<dyn GrantRepository + '_>;
    /// What visitors brought.
    fn visits(&self) -> Box<dyn VisitRepository + '_>;
    /// This realm's own certificate authorities.
    fn own_authorities(&self) -> Box<dyn OwnAuthorityRepository + '_>;
    /// Other realms that are joined with this one.
    fn partners(&self) -> Box<dyn PartnerRepository + '_>;
    /// Others' logs that this realm watches.
    fn witnessed(&self) -> Box<dyn WitnessedRepository + '_>;
    /// The witnesses of this realm's log.
    fn cosigners(&self) -> Box<dyn CosignerRepository + '_>;
}

/// A unit of work. Units run one after another, on one gateway or on many: what one reads, no
/// other changes before it ends. Dropping a unit cancels it.
#[async_trait]
pub trait Unit: Repositories {
    /// Keeps everything. When this returns, it is on disk.
    ///
    /// # Errors
    /// When the database could not keep it; nothing is kept then, unless the connection broke
    /// while the database answered, which nobody can know.
    async fn save(self: Box<Self>) -> Result<(), StoreError>;
    /// Keeps nothing.
    ///
    /// # Errors
    /// When the connection broke; nothing is kept then either.
    async fn cancel(self: Box<Self>) -> Result<(), StoreError>;
}

/// The one implementation of every repository.
pub(crate) struct Sql<'c>(DatabaseExecutor<'c>);

impl<'c> Sql<'c> {
    pub(crate) fn new(database: impl Into<DatabaseExecutor<'c>>) -> Self {
        Self(database.into())
    }

    pub(crate) const fn db(&self) -> &DatabaseExecutor<'c> {
        &self.0
    }

    /// Deletes rows of `table` whose `time` was before `before`, the first `most` of them; tells how
    /// many.
    pub(crate) async fn forget(
        &self,
        table: &'static str,
        key: &'static str,
        time: &'static str,
        before: Timestamp,
        most: u64,
    ) -> Result<u64, StoreError> {
        let sql = format!(
            "DELETE FROM {table} WHERE {key} IN \
             (SELECT {key} FROM {table} WHERE {time} < $1 ORDER BY {time} LIMIT $2)"
        );
        let values: [sea_orm::Value; 2] = [ms(before).into(), number("most", most)?.into()];
        let backend = self.db().get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, values);
        Ok(self.db().execute_raw(statement).await?.rows_affected())
    }
}

/// What SQL can be run on.
trait Runs: Send + Sync {
    fn sql(&self) -> Sql<'_>;
}

/// A view for reading only: the database itself refuses to write.
#[derive(Clone, Debug)]
pub(crate) struct Reader(pub(super) DatabaseConnection);

impl Runs for Reader {
    fn sql(&self) -> Sql<'_> {
        Sql::new(&self.0)
    }
}

/// A database transaction.
#[derive(Debug)]
pub(super) struct SqlUnit(pub(super) DatabaseTransaction);

impl Runs for SqlUnit {
    fn sql(&self) -> Sql<'_> {
        Sql::new(&self.0)
    }
}

impl<T: Runs> Repositories for T {
    fn people(&self) -> Box<dyn PersonRepository + '_> {
        Box::new(self.sql())
    }

    fn credentials(&self) -> Box<dyn CredentialRepository + '_> {
        Box::new(self.sql())
    }

    fn attestations(&self) -> Box<dyn AttestationRepository + '_> {
        Box::new(self.sql())
    }

    fn links(&self) -> Box<dyn LinkRepository + '_> {
        Box::new(self.sql())
    }

    fn sessions(&self) -> Box<dyn SessionRepository + '_> {
        Box::new(self.sql())
    }

    fn authorities(&self) -> Box<dyn AuthorityRepository + '_> {
        Box::new(self.sql())
    }

    fn announcements(&self) -> Box<dyn AnnouncementRepository + '_> {
        Box::new(self.sql())
    }

    fn devices(&self) -> Box<dyn DeviceRepository + '_> {
        Box::new(self.sql())
    }

    fn ownerships(&self) -> Box<dyn OwnershipRepository + '_> {
        Box::new(self.sql())
    }

    fn standings(&self) -> Box<dyn StandingRepository + '_> {
        Box::new(self.sql())
    }

    fn transactions(&self) -> Box<dyn TransactionRepository + '_> {
        Box::new(self.sql())
    }

    fn evidence(&self) -> Box<dyn EvidenceRepository + '_> {
        Box::new(self.sql())
    }

    fn grounds(&self) -> Box<dyn GroundRepository + '_> {
        Box::new(self.sql())
    }

    fn log(&self) -> Box<dyn LogRepository + '_> {
        Box::new(self.sql())
    }

    fn refusals(&self) -> Box<dyn RefusalRepository + '_> {
        Box::new(self.sql())
    }

    fn metadata(&self) -> Box<dyn MetadataRepository + '_> {
        Box::new(self.sql())
    }

    fn settings(&self) -> Box<dyn SettingRepository + '_> {
        Box::new(self.sql())
    }

    fn halls(&self) -> Box<dyn HallRepository + '_> {
        Box::new(self.sql())
    }

    fn hall_agents(&self) -> Box<dyn HallAgentRepository + '_> {
        Box::new(self.sql())
    }

    fn hall_locks(&self) -> Box<dyn HallLockRepository + '_> {
        Box::new(self.sql())
    }

    fn grants(&self) -> Box<dyn GrantRepository + '_> {
        Box::new(self.sql())
    }

    fn visits(&self) -> Box<dyn VisitRepository + '_> {
        Box::new(self.sql())
    }

    fn own_authorities(&self) -> Box<dyn OwnAuthorityRepository + '_> {
        Box::new(self.sql())
    }

    fn partners(&self) -> Box<dyn PartnerRepository + '_> {
        Box::new(self.sql())
    }

    fn witnessed(&self) -> Box<dyn WitnessedRepository + '_> {
        Box::new(self.sql())
    }

    fn cosigners(&self) -> Box<dyn CosignerRepository + '_> {
        Box::new(self.sql())
    }
}

#[async_trait]
impl Unit for SqlUnit {
    async fn save(self: Box<Self>) -> Result<(), StoreError> {
        Ok(self.0.commit().await?)
    }

    async fn cancel(self: Box<Self>) -> Result<(), StoreError> {
        Ok(self.0.rollback().await?)
    }
}
