//! What can go wrong between the gateway and its database.

use hallway_evidence::{DeviceId, PersonId};
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlErr, SqlxError};

/// Why the store did not do what it was asked. Nothing of a unit that ended so is kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The address of the database is not one that this program knows.
    #[error(
        "{0:?} is not a database address; give a file path, sqlite://FILE or postgres://USER@HOST/NAME"
    )]
    Address(String),
    /// The database did not open.
    #[error("the database did not open: {}", not_open(.0))]
    Open(DbErr),
    /// The tables are those of a version that this one does not come after.
    #[error(
        "this database was made by another version of Hallway: start that version, or restore a backup"
    )]
    OtherVersion,
    /// The tables could not be brought up to date.
    #[error("the database's tables could not be brought up to date: {0}")]
    Migrate(#[source] DbErr),
    /// Something with this name, number or hash is there already.
    #[error("there already is such a {what}: {detail}")]
    Exists {
        /// Which kind of record.
        what: &'static str,
        /// What the database says.
        detail: String,
    },
    /// The record that was to be changed is not there.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// The last key of a person would go.
    #[error(
        "this is the last key of person {0}; register another one first, or remove it in so many words"
    )]
    LastKey(PersonId),
    /// The last active owner would go.
    #[error("this is the last active owner; make somebody else an owner first")]
    LastOwner,
    /// A person holds as many keys as the store keeps for one.
    #[error("person {0} has {max} keys, as many as a person may have; remove one first", max = super::credential::MAX_KEYS)]
    TooManyKeys(PersonId),
    /// The store has the most of these records that it keeps.
    #[error("there are {max} {what}, as many as there may be; remove one first")]
    TooMany {
        /// The kind of record.
        what: &'static str,
        /// The most that it keeps.
        max: u64,
    },
    /// The device may not go from its state to that one.
    #[error("device {device} is {from} and cannot become {to}")]
    Transition {
        /// Which device.
        device: DeviceId,
        /// The state it is in.
        from: &'static str,
        /// The state that was asked for.
        to: &'static str,
    },
    /// Another gateway moved the log's head meanwhile; the whole unit runs again.
    #[error("another gateway moved the head of the log; try again")]
    HeadMoved,
    /// Another gateway moved the record of a witnessed log meanwhile; the whole unit runs again.
    #[error("another gateway cosigned a checkpoint of that log; try again")]
    WitnessMoved,
    /// A metadata BLOB with a higher number is in use.
    #[error("the metadata BLOB has number {found}, but number {in_use} is in use already")]
    OlderMetadata {
        /// The number of the one that was offered.
        found: u64,
        /// The number of the one in use.
        in_use: u64,
    },
    /// A partner's trust bundle with a higher sequence number is in use.
    #[error(
        "the trust bundle has {}, but {} is in use already",
        sequence(*.found), sequence(*.in_use)
    )]
    OlderBundle {
        /// The number of the one that was offered.
        found: Option<u64>,
        /// The number of the one in use.
        in_use: Option<u64>,
    },
    /// A number is larger than the database keeps (2^63 - 1).
    #[error("{0} is too large a number to be kept")]
    TooLarge(&'static str),
    /// A row does not hold what this program wrote.
    #[error("the database holds a {table} whose {column} is not valid; restore it from a backup")]
    Corrupt {
        /// Which table.
        table: &'static str,
        /// Which column.
        column: &'static str,
    },
    /// Any other error of the database.
    #[error("the database failed: {0}")]
    Database(#[source] DbErr),
}

impl StoreError {
    /// Whether running the whole unit again may succeed: the database asked for it (SQLSTATE
    /// 40001 serialization failure, 40P01 deadlock; SQLite's BUSY and LOCKED), or the head moved.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::HeadMoved | Self::WitnessMoved => true,
            Self::Database(error) | Self::Open(error) | Self::Migrate(error) => sqlstate(error)
                .is_some_and(|code| {
                    matches!(code.as_str(), "40001" | "40P01")
                        || matches!(sqlite_primary(&code), Some(5 | 6))
                }),
            _ => false,
        }
    }

    /// Whether the disk of the database is full or fails (SQLSTATE 53100 disk_full; SQLite's FULL,
    /// and IOERR, which is what it makes of a quota). What was committed is there.
    #[must_use]
    pub fn is_of_the_disk(&self) -> bool {
        match self {
            Self::Database(error) | Self::Open(error) | Self::Migrate(error) => sqlstate(error)
                .is_some_and(|code| {
                    code == "53100" || matches!(sqlite_primary(&code), Some(10 | 13))
                }),
            _ => false,
        }
    }

    /// Whether the reason may be what was written, and not the database: another record could be kept
    /// (SQLSTATE classes 22 data exception and 23 integrity constraint violation; SQLite's TOOBIG,
    /// CONSTRAINT and MISMATCH).
    #[must_use]
    pub fn may_be_of_a_record(&self) -> bool {
        match self {
            Self::TooLarge(_) | Self::Exists { .. } => true,
            Self::Database(error) => sqlstate(error).is_some_and(|code| {
                matches!(sqlite_primary(&code), Some(18..=20))
                    || (code.len() == 5 && (code.starts_with("22") || code.starts_with("23")))
            }),
            _ => false,
        }
    }

    /// Names the record whose uniqueness an insertion broke.
    pub fn inserting(what: &'static str) -> impl FnOnce(DbErr) -> Self {
        move |error| match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(detail)) => Self::Exists { what, detail },
            _ => Self::Database(error),
        }
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

/// Why a database did not open, in words of our own where it is not the database that speaks.
fn not_open(error: &DbErr) -> String {
    const SILENT: &str = "it does not answer; is it running, and is this its address?";
    let error = match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => return SILENT.to_owned(),
        DbErr::Conn(RuntimeErr::SqlxError(error)) => error,
        other => return other.to_string(),
    };
    match &**error {
        SqlxError::PoolTimedOut => SILENT.to_owned(),
        SqlxError::Io(error) => format!("it cannot be reached: {error}"),
        SqlxError::Tls(error) => format!("its TLS is not accepted: {error}"),
        SqlxError::Configuration(error) => format!("its address is not understood: {error}"),
        SqlxError::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}

fn sequence(number: Option<u64>) -> String {
    number.map_or_else(
        || "no sequence number".to_owned(),
        |number| format!("the sequence number {number}"),
    )
}

/// SQLite's extended result codes keep the primary one in the low byte. A SQLSTATE has five letters.
fn sqlite_primary(code: &str) -> Option<u32> {
    let code: u32 = (code.len() < 5).then(|| code.parse().ok())??;
    Some(code & 0xff)
}

fn sqlstate(error: &DbErr) -> Option<String> {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return None;
    };
    Some(error.as_database_error()?.code()?.into_owned())
}
