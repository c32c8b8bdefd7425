//! `hallway backup` and `hallway restore`: a whole realm in one file, and back.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use hallway_gateway::backup::{Realm, Summary};
use hallway_spine::settings::Database;
use serde::Serialize;

use super::data_folder::DataFolder;
use super::operator_key::UnlockArguments;
use crate::logging::{self, Form};

/// Back up a whole realm into one file: configuration, database, log and payloads.
///
/// Gateways may keep serving: the backup holds the database as it was at one moment. The file is
/// encrypted under the operator key and does not contain it: keep that key elsewhere. Sessions and
/// one-time links are left out too. An existing file is not overwritten.
#[derive(Debug, Args)]
pub(crate) struct BackupCommand {
    /// The file to create.
    file: PathBuf,
    #[command(flatten)]
    place: RealmArguments,
}

/// Restore a realm from a backup, into an empty folder and database.
///
/// Put the realm's operator.key into the folder first. A hallway.toml in the folder is kept;
/// without one, the backup's is used. The backup may be from SQLite and the database PostgreSQL, or
/// the other way round.
#[derive(Debug, Args)]
pub(crate) struct RestoreCommand {
    /// The backup.
    file: PathBuf,
    #[command(flatten)]
    place: RealmArguments,
}

/// Where the realm is.
#[derive(Debug, Args)]
struct RealmArguments {
    #[command(flatten)]
    data: DataFolder,
    /// The database, instead of the one in hallway.toml.
    #[arg(long, value_name = "ADDRESS", env = "HALLWAY_DATABASE")]
    database: Option<String>,
    #[command(flatten)]
    unlock: UnlockArguments,
    /// Print what was done as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Done {
    rows: u64,
    payloads: u64,
}

impl RealmArguments {
    fn realm(&self) -> Result<Realm, Box<dyn Error>> {
        // It may hold a password, which clap would repeat in its error message.
        let database = self.database.as_deref().map(str::parse::<Database>);
        let database = database.transpose();
        Ok(Realm {
            folder: self.data.path.clone(),
            database: database.map_err(|error| format!("--database: {error}"))?,
            operator_key: self.unlock.given(&self.data.path)?,
            doors: hallway_gateway::doors::ALL,
        })
    }

    fn tell(&self, what: &str, done: Summary) -> serde_json::Result<()> {
        let Summary { rows, payloads } = done;
        if self.json {
            println!("{}", serde_json::to_string(&Done { rows, payloads })?);
        } else {
            println!("{what}: {rows} rows, {payloads} payloads");
        }
        Ok(())
    }
}

pub(crate) fn back_up(command: &BackupCommand) -> Result<(), Box<dyn Error>> {
    let _logging = logging::start(Form::Text);
    let realm = command.place.realm()?;
    let done = crate::runtime()?.block_on(realm.back_up(&command.file))?;
    let what = format!("Backed up into {}", crate::terminal::path(&command.file));
    Ok(command.place.tell(&what, done)?)
}

pub(crate) fn restore(command: &RestoreCommand) -> Result<(), Box<dyn Error>> {
    let _logging = logging::start(Form::Text);
    let realm = command.place.realm()?;
    let done = crate::runtime()?.block_on(realm.restore(&command.file))?;
    let what = format!("Restored from {}", crate::terminal::path(&command.file));
    Ok(command.place.tell(&what, done)?)
}
