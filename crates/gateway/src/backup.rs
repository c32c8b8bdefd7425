//! Backing up a whole realm into one file, and restoring it: configuration, every table at one
//! moment, every payload.
//!
//! The file is encrypted under the operator key, which is not in it. It can be made while gateways
//! serve, from SQLite or PostgreSQL, and restored into either. Sessions and one-time links are not
//! in it: see [`hallway_spine::store`].

mod sealed_file;

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt;
use hallway_client::durable_file::Unfinished;
use hallway_spine::door::Doors;
use hallway_spine::operator_key::{FindError, OperatorKey, OperatorKeyError, WhereNone};
use hallway_spine::settings::Database;
use hallway_spine::store::{DumpError, Store, StoreError};
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt};

pub use self::sealed_file::SealedFileError;
use self::sealed_file::{SealedReader, SealedWriter};
use crate::config::{self, Config, ConfigError};

/// The longest record: a metadata BLOB is the longest thing in one row.
const MAX_RECORD_BYTES: u32 = 80 << 20;
/// Bytes of a payload in one record.
const CHUNK_BYTES: usize = 512 * 1024;

/// The kinds of records, by their first byte.
mod kind {
    /// The text of `hallway.toml`.
    pub(super) const CONFIG: u8 = 0;
    /// A record of [`hallway_spine::store`]'s dump.
    pub(super) const ROW: u8 = 1;
    /// The name of the payload whose bytes follow.
    pub(super) const PAYLOAD: u8 = 2;
    /// Bytes of a payload; none at its end.
    pub(super) const BYTES: u8 = 3;
}

/// Why a realm could not be backed up or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The operator's key.
    #[error(transparent)]
    OperatorKey(#[from] OperatorKeyError),
    /// There is no operator key.
    #[error(transparent)]
    NoOperatorKey(#[from] FindError),
    /// There is no realm in the folder.
    #[error("there is no realm in {0}: no hallway.toml")]
    NoRealm(PathBuf),
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// The path.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file exists.
    #[error("{0} is there already, and was left as it is; give the new backup another name")]
    Exists(PathBuf),
    /// The backup file.
    #[error(transparent)]
    Sealed(#[from] SealedFileError),
    /// The backup's content.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The payloads.
    #[error("the payloads: {0}")]
    Objects(#[from] object_store::Error),
    /// The folder for payloads is not empty.
    #[error("{0} holds payloads already; restore into an empty folder")]
    PayloadsNotEmpty(PathBuf),
    /// The backup lacks a part that it must have.
    #[error("the backup has no {0}; it was not made by this program")]
    Incomplete(&'static str),
}

impl From<io::Error> for BackupError {
    fn from(error: io::Error) -> Self {
        Self::Sealed(error.into())
    }
}

/// The place of a realm that is backed up or restored.
pub struct Realm {
    /// The data folder.
    pub folder: PathBuf,
    /// The database's address instead of that in `hallway.toml`.
    pub database: Option<Database>,
    /// The operator's key in base64; otherwise it is `operator.key` in the folder.
    pub operator_key: Option<zeroize::Zeroizing<String>>,
    /// The doors whose tables are part of the backup.
    pub doors: Doors,
}

/// The contents of a backup, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Rows of tables.
    pub rows: u64,
    /// Payloads.
    pub payloads: u64,
}

impl Realm {
    fn operator_key(&self) -> Result<OperatorKey, FindError> {
        let given = self.operator_key.as_ref().map(|text| text.as_str());
        OperatorKey::find(given, &self.folder, WhereNone::Refuse)
    }

    async fn store(&self, config: &Config) -> Result<Store, BackupError> {
        let database = self.database.as_ref().unwrap_or(&config.database);
        Ok(Store::connect(&database.address(&self.folder), self.doors.schema()).await?)
    }

    fn objects(&self, config: &Config) -> Result<(PathBuf, LocalFileSystem), BackupError> {
        let path = self.folder.join(&config.objects);
        fs::create_dir_all(&path).map_err(at(&path))?;
        let objects = LocalFileSystem::new_with_prefix(&path)?.with_fsync(true);
        Ok((path, objects))
    }

    /// Writes the realm into `file`, which must not exist. When this returns, the file is complete
    /// and on disk; after an error there is no file.
    ///
    /// # Errors
    /// [`BackupError`].
    pub async fn back_up(&self, file: &Path) -> Result<Summary, BackupError> {
        let operator = self.operator_key()?;
        let path = self.folder.join(config::FILE);
        if !path.exists() {
            return Err(BackupError::NoRealm(self.folder.clone()));
        }
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        let config = Config::load(&self.folder)?;
        if file.exists() {
            return Err(BackupError::Exists(file.to_owned()));
        }
        let mut unfinished = Unfinished::beside(file).map_err(at(file))?;
        let out = unfinished.file();
        let summary = self.write(out, &operator, &config, &text).await?;
        match unfinished.create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(BackupError::Exists(file.to_owned()))
            }
            other => other.map(|_| summary).map_err(at(file)),
        }
    }

    async fn write(
        &self,
        out: &mut File,
        operator: &OperatorKey,
        config: &Config,
        text: &str,
    ) -> Result<Summary, BackupError> {
        let store = self.store(config).await?;
        let mut out = SealedWriter::new(BufWriter::new(out), operator)?;
        write_record(&mut out, kind::CONFIG, text.as_bytes())?;
        let rows = store
            .dump(&mut |row| write_record(&mut out, kind::ROW, row))
            .await?;
        store.close().await?;
        // Payloads are only ever added, and before the rows that name them: those of now are at
        // least those of the moment that the rows are from.
        let (_, objects) = self.objects(config)?;
        let mut payloads = 0;
        let mut listed = objects.list(None);
        while let Some(object) = listed.try_next().await? {
            write_record(&mut out, kind::PAYLOAD, object.location.as_ref().as_bytes())?;
            let mut bytes = objects.get(&object.location).await?.into_stream();
            while let Some(bytes) = bytes.try_next().await? {
                for chunk in bytes.chunks(CHUNK_BYTES) {
                    write_record(&mut out, kind::BYTES, chunk)?;
                }
            }
            write_record(&mut out, kind::BYTES, &[])?;
            payloads += 1;
        }
        out.finish()?;
        Ok(Summary { rows, payloads })
    }

    /// Brings a realm back from `file` into an empty database and folder. The file is read to its
    /// end and found whole before a row is written; the database is filled at once, or not at all.
    ///
    /// # Errors
    /// [`BackupError`].
    pub async fn restore(&self, file: &Path) -> Result<Summary, BackupError> {
        let operator = self.operator_key()?;
        let open = || -> Result<_, BackupError> {
            let file = File::open(file).map_err(at(file))?;
            Ok(SealedReader::new(BufReader::new(file), &operator)?)
        };
        let config = self.configuration(read_record(&mut open()?)?)?;
        let store = self.store(&config).await?;
        store.is_unused().await?;
        let payloads = self.restore_payloads(&config, &mut open()?).await?;
        let mut source = open()?;
        let mut next = || loop {
            match read_record(&mut source)? {
                Some((kind::ROW, row)) => return Ok(Some(row)),
                Some(_) => {}
                None => return Ok(None),
            }
        };
        let rows = store.fill(&mut next).await?;
        store.close().await?;
        Ok(Summary { rows, payloads })
    }

    /// The folder's configuration; the backup's, if the folder has none.
    fn configuration(&self, first: Option<(u8, Vec<u8>)>) -> Result<Config, BackupError> {
        let Some((kind::CONFIG, text)) = first else {
            return Err(BackupError::Incomplete("configuration"));
        };
        let path = self.folder.join(config::FILE);
        if !path.exists() {
            fs::write(&path, text).map_err(at(&path))?;
        }
        Ok(Config::load(&self.folder)?)
    }

    async fn restore_payloads(
        &self,
        config: &Config,
        source: &mut impl Read,
    ) -> Result<u64, BackupError> {
        let (path, objects) = self.objects(config)?;
        if objects.list(None).try_next().await?.is_some() {
            return Err(BackupError::PayloadsNotEmpty(path));
        }
        let mut payloads = 0;
        while let Some((kind, name)) = read_record(source)? {
            if kind != kind::PAYLOAD {
                continue;
            }
            let name = String::from_utf8(name).map_err(|_| BackupError::Incomplete("names"))?;
            let location =
                object_store::path::Path::parse(&name).map_err(object_store::Error::from)?;
            let mut upload = objects.put_multipart(&location).await?;
            loop {
                match read_record(source)? {
                    Some((kind::BYTES, bytes)) if bytes.is_empty() => break,
                    Some((kind::BYTES, bytes)) => upload.put_part(bytes.into()).await?,
                    _ => return Err(BackupError::Incomplete("end of a payload")),
                }
            }
            upload.complete().await?;
            payloads += 1;
        }
        Ok(payloads)
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path, source }
}

fn write_record(out: &mut impl Write, kind: u8, content: &[u8]) -> io::Result<()> {
    let length = u32::try_from(content.len())
        .ok()
        .filter(|length| *length <= MAX_RECORD_BYTES)
        .ok_or_else(|| io::Error::other("a row is too long for a backup"))?;
    out.write_all(&[kind])?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(content)
}

fn read_record(source: &mut impl Read) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut kind = [0; 1];
    if source.read(&mut kind)? == 0 {
        return Ok(None);
    }
    let mut length = [0; 4];
    source.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > MAX_RECORD_BYTES {
        let message = "the backup is damaged: a record is too long";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut content = vec![0; length as usize];
    source.read_exact(&mut content)?;
    Ok(Some((kind[0], content)))
}
