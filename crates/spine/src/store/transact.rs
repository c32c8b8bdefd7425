//! The store, and the ways to work with it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hallway_evidence::Timestamp;
use sea_orm::{
    DatabaseConnection, DbBackend, IsolationLevel, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

use super::connect::{self, Address};
use super::error::StoreError;
use super::ids::TokenHash;
use super::migration;
use super::refusal::{MAX_REFUSALS, Refusal, Repeated};
use super::schema::Schema;
use super::unit::Unit;

/// How often [`Store::transact`] runs a unit before it gives up.
const ATTEMPTS: u32 = 10;

/// After how many refusals the oldest are dropped.
const PRUNE_EVERY: u64 = 128;

/// An error that may go away when the whole unit runs again.
pub trait Transient: From<StoreError> + Send {
    /// Whether it may.
    fn is_transient(&self) -> bool;
}

impl Transient for StoreError {
    fn is_transient(&self) -> bool {
        Self::is_transient(self)
    }
}

/// What a unit does: a boxed future. (An `async` closure would read better, but the compiler cannot
/// yet say of one that its future is `Send`.)
pub type Work<'u, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'u>>;

/// The database. Cloning gives another handle on the same connections.
#[derive(Clone, Debug)]
pub struct Store {
    address: Arc<Address>,
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    committed: Arc<Unit<'static>>,
    schema: Arc<Schema>,
    refusals: Arc<AtomicU64>,
}

impl Store {
    /// Opens a database and brings its tables up to `schema`: the path of a file or `sqlite://FILE`
    /// for SQLite (made if it is not there), `postgres://USER@HOST/NAME` for PostgreSQL. Any
    /// number of gateways may do so at once.
    ///
    /// # Errors
    /// [`StoreError::Address`], [`StoreError::Open`], [`StoreError::OtherVersion`] or
    /// [`StoreError::Migrate`].
    pub async fn connect(address: &str, schema: Schema) -> Result<Self, StoreError> {
        let address = Address::parse(address)?;
        let connections = connect::open(&address).await?;
        migration::run(&connections.writer, schema.steps()).await?;
        Ok(Self {
            address: Arc::new(address),
            writer: connections.writer,
            committed: Arc::new(connections.reader.clone().into()),
            reader: connections.reader,
            schema: Arc::new(schema),
            refusals: Arc::default(),
        })
    }

    /// The store for a runtime beside the one that it was opened in. Connections to PostgreSQL are
    /// sockets, which only their own runtime watches, so there they are new ones; SQLite has none
    /// and goes on with its single writer.
    pub async fn for_this_runtime(&self) -> Self {
        if matches!(*self.address, Address::Sqlite(_)) {
            return self.clone();
        }
        match connect::open(&self.address).await {
            Ok(connections) => Self {
                writer: connections.writer,
                committed: Arc::new(connections.reader.clone().into()),
                reader: connections.reader,
                ..self.clone()
            },
            Err(error) => {
                tracing::warn!(%error, "no connections of its own: device transactions take longer");
                self.clone()
            }
        }
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(super) const fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// What only reads.
    #[must_use]
    pub const fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// A view in which each change stands alone.
    #[must_use]
    pub fn alone(&self) -> Unit<'_> {
        self.writer.clone().into()
    }

    /// Reads what is committed. Each call sees the newest; nothing can be written.
    #[must_use]
    pub fn read(&self) -> &Unit<'_> {
        &self.committed
    }

    /// Begins a unit, once it is this one's turn. [`Store::transact`] is what most callers want.
    ///
    /// # Errors
    /// When the database cannot be reached, or its turn did not come within 30 seconds.
    pub async fn begin<'a>(&self) -> Result<Unit<'a>, StoreError> {
        let sqlite = self.writer.get_database_backend() == DbBackend::Sqlite;
        let transaction = self
            .writer
            .begin_with_options(TransactionOptions {
                isolation_level: (!sqlite).then_some(IsolationLevel::ReadCommitted),
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            })
            .await?;
        let unit = Unit::from(transaction);
        if !sqlite {
            unit.log().lock_head().await?;
        }
        Ok(unit)
    }

    /// Runs `work` in a unit and saves it; cancels it when `work` fails. Runs it again, from the
    /// beginning, when the database asks for that, so `work` must not do anything outside of the
    /// unit that it cannot do twice. It may borrow what outlives the call:
    ///
    /// ```
    /// # use hallway_evidence::PersonId;
    /// # use hallway_spine::store::{Store, StoreError};
    /// async fn call_her(store: &Store, id: PersonId, name: &str) -> Result<(), StoreError> {
    ///     store
    ///         .transact(|unit| Box::pin(async move { unit.people().rename(id, name).await }))
    ///         .await
    /// }
    /// ```
    ///
    /// # Errors
    /// What `work` returned, or what the database said when nothing helped.
    pub async fn transact<'a, T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'u> Fn(&'u Unit<'a>) -> Work<'u, T, E> + Send + Sync,
        T: Send,
        E: Transient,
    {
        let mut attempt = 1;
        loop {
            match self.attempt(&work).await {
                Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                    tracing::debug!(attempt, "running a unit again");
                    tokio::time::sleep(pause(attempt)).await;
                    attempt += 1;
                }
                done => return done,
            }
        }
    }

    #[tracing::instrument(level = "debug", name = "unit", skip_all)]
    async fn attempt<'a, T, E, F>(&self, work: &F) -> Result<T, E>
    where
        F: for<'u> Fn(&'u Unit<'a>) -> Work<'u, T, E> + Send + Sync,
        T: Send,
        E: Transient,
    {
        let unit = self.begin().await?;
        match work(&unit).await {
            Ok(value) => {
                unit.save().await?;
                tracing::debug!("committed");
                Ok(value)
            }
            Err(error) => {
                // Whatever becomes of the cancellation, the first error says why.
                let _ = unit.cancel().await;
                tracing::debug!("rolled back");
                Err(error)
            }
        }
    }

    /// Notes that a session was used and ends at `expires` now. This stands alone: it needs no
    /// unit, and must not be called by whoever holds one, because SQLite has one writer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_session(
        &self,
        token: &TokenHash,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        self.alone().sessions().touch(token, now, expires).await
    }

    /// Keeps a refusal, and forgets old ones now and then, so that there are never many more than
    /// [`MAX_REFUSALS`]. Stands alone, as [`Store::touch_session`] does.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_refusal(&self, refusal: &Refusal) -> Result<(), StoreError> {
        let unit = self.alone();
        unit.refusals().add(refusal).await?;
        if self.refusals.fetch_add(1, Ordering::Relaxed) % PRUNE_EVERY == PRUNE_EVERY - 1 {
            unit.refusals().prune(MAX_REFUSALS).await?;
        }
        Ok(())
    }

    /// Writes down how often refusals were repeated. Stands alone, as [`Store::touch_session`] does.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_refusals(&self, repeated: &[Repeated]) -> Result<(), StoreError> {
        self.alone().refusals().count(repeated).await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        Ok(self.reader.ping().await?)
    }

    /// Closes every connection, once what runs on them ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close(self) -> Result<(), StoreError> {
        self.reader.close().await?;
        Ok(self.writer.close().await?)
    }
}

/// How long to wait before a unit runs again: longer each time, and different for each gateway.
fn pause(attempt: u32) -> Duration {
    let mut random = [0; 1];
    // Without randomness the pauses are equal, which costs time and nothing else.
    let _ = getrandom::fill(&mut random);
    Duration::from_millis(u64::from(attempt) * (2 + u64::from(random[0]) / 16))
}
