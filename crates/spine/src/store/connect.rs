//! Opening a database: SQLite in a file, or PostgreSQL.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hallway_client::backoff::Backoff;
use hallway_client::without_user;
use sea_orm::{ConnectOptions, Database, DatabaseConnection};

use super::error::StoreError;

/// How long a unit waits for the database, or for its turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reading connections.
const READERS: u32 = 8;

/// Writing connections to PostgreSQL. Units take turns at the log's head, but sessions and
/// refusals are noted beside them.
const WRITERS: u32 = 8;

/// Where the data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// The path of an SQLite file.
    Sqlite(PathBuf),
    /// The URL of a PostgreSQL database.
    Postgres(String),
}

impl Address {
    /// Reads `postgres://…`, `sqlite://FILE`, `sqlite:FILE`, or the path of a file.
    ///
    /// # Errors
    /// [`StoreError::Address`].
    pub fn parse(address: &str) -> Result<Self, StoreError> {
        if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            // sea-orm knows only the shorter one of the two.
            return Ok(Self::Postgres(address.replacen(
                "postgresql://",
                "postgres://",
                1,
            )));
        }
        let path = address
            .strip_prefix("sqlite://")
            .or_else(|| address.strip_prefix("sqlite:"))
            .unwrap_or(address);
        if path.is_empty() || path.contains("://") || path.starts_with(':') {
            return Err(StoreError::Address(without_user(address)));
        }
        Ok(Self::Sqlite(path.into()))
    }
}

/// The connections of a store.
pub struct Connections {
    /// One connection of SQLite, `WRITERS` of PostgreSQL.
    pub writer: DatabaseConnection,
    pub(crate) reader: DatabaseConnection,
}

/// Connects to the database; creates the file of SQLite.
///
/// # Errors
/// The database cannot be reached, or is of another kind.
pub async fn open(address: &Address) -> Result<Connections, StoreError> {
    let (writer, reader) = match address {
        Address::Sqlite(path) => {
            let writer = sqlite(path, Access::Write);
            // The file must exist, in WAL mode, before it can be opened for reading only.
            let writer = connect(writer).await?;
            (writer, sqlite(path, Access::Read))
        }
        Address::Postgres(url) => {
            let writer = postgres(url, Access::Write);
            let writer = connect(writer).await?;
            (writer, postgres(url, Access::Read))
        }
    };
    let reader = connect(reader).await?;
    Ok(Connections { writer, reader })
}

/// Connects. Several gateways may switch a new SQLite file to WAL at the same moment. SQLite then reports
/// at once that the file is locked, whatever the busy timeout, so this is tried again.
async fn connect(options: ConnectOptions) -> Result<DatabaseConnection, StoreError> {
    let begun = Instant::now();
    let mut backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(250));
    loop {
        let connected = Database::connect(options.clone()).await;
        match connected.map_err(StoreError::Open) {
            Err(error) if error.is_transient() && begun.elapsed() < PATIENCE => {
                tokio::time::sleep(backoff.wait()).await;
            }
            other => return other,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

fn options(url: String, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        // Statements contain names and evidence, which do not belong in a log.
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    options
}

fn sqlite(path: &std::path::Path, access: Access) -> ConnectOptions {
    // One connection writes: SQLite has one writer anyway, and waiting in the pool is fair,
    // whereas waiting in SQLite is not.
    let connections = if access == Access::Read { READERS } else { 1 };
    // The path is given below, because some of its characters have a meaning in an address.
    let mut options = options("sqlite:hallway.db".to_owned(), connections);
    let path = path.to_owned();
    options
        // A connection lives as long as the store: each has its caches.
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .test_before_acquire(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .filename(&path)
                .create_if_missing(access == Access::Write)
                .read_only(access == Access::Read)
                .foreign_keys(true)
                .busy_timeout(PATIENCE)
                .pragma("journal_mode", "WAL")
                // What is committed survives a power cut.
                .pragma("synchronous", "FULL")
                .pragma("cache_size", "-65536")
                .pragma("wal_autocheckpoint", "16000")
                .pragma("journal_size_limit", "134217728")
                .statement_cache_capacity(256)
        });
    options
}

fn postgres(url: &str, access: Access) -> ConnectOptions {
    let connections = if access == Access::Read {
        READERS
    } else {
        WRITERS
    };
    let mut options = options(url.to_owned(), connections);
    options.map_sqlx_postgres_opts(move |postgres| {
        postgres
            .application_name("hallway")
            .statement_cache_capacity(256)
            .options([
                // What is committed survives a power cut, whatever the server's configuration.
                ("synchronous_commit", "on"),
                (
                    "default_transaction_read_only",
                    if access == Access::Read { "on" } else { "off" },
                ),
                ("lock_timeout", "30000"),
                // A gateway that lost its network while it had the log's head gives it back.
                ("idle_in_transaction_session_timeout", "30000"),
            ])
    });
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, path) in [
            ("sqlite:///var/lib/hallway.db", "/var/lib/hallway.db"),
            ("sqlite:hallway.db", "hallway.db"),
            ("./data/hallway.db", "./data/hallway.db"),
        ] {
            assert_eq!(Address::parse(text).unwrap(), Address::Sqlite(path.into()));
        }
        assert_eq!(
            Address::parse("postgresql://u@h/n").unwrap(),
            Address::Postgres("postgres://u@h/n".into())
        );
        for text in ["", "sqlite:", "mysql://u:secret@h/n", "sqlite::memory:"] {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
