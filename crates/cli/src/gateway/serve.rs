//! `hallway serve`: the gateway.

use std::error::Error;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use hallway_door_hall::HallsOf;
use hallway_evidence::{Origin, RealmName};
use hallway_gateway::config::Config;
use hallway_gateway::{Ready, Start, SystemClock, configuration};
use hallway_spine::settings::{BlobAddress, Database, MetadataConfig, Tls};
use serde::Serialize;

use super::data_folder::DataFolder;
use super::operator_key::UnlockArguments;
use crate::logging::{self, Form};
use crate::terminal;

/// Serve a realm: doors, log, console and API.
///
/// The first start makes the data folder: configuration, operator key, log key, certificate
/// authority and database. It keeps its flags in hallway.toml, so that later starts need none, and
/// prints a one-time link that makes the first owner.
#[derive(Debug, Args)]
pub(crate) struct ServeCommand {
    #[command(flatten)]
    data: DataFolder,
    #[command(flatten)]
    overrides: Overrides,
    #[command(flatten)]
    unlock: UnlockArguments,
    /// Write logs as JSON lines.
    #[arg(long)]
    log_json: bool,
    /// Print one line of JSON instead of sentences, once the gateway serves.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints once the gateway serves. Logs go to standard error.
#[derive(Serialize)]
struct Serving<'a> {
    /// `serving`.
    event: &'static str,
    /// Relying party id and trust domain.
    realm: &'a str,
    /// Where people and devices reach it.
    origin: &'a str,
    /// Makes the first owner, once, within a day; `null` when there is one.
    setup_link: Option<&'a str>,
    /// `HOST:PORT` of the hall listener; `null` without one.
    halls: Option<&'a str>,
}

/// Flags that take precedence over `hallway.toml`.
#[derive(Debug, Default, Args)]
struct Overrides {
    /// The realm: relying party id and trust domain, a domain name.
    #[arg(long, value_name = "NAME", env = "HALLWAY_REALM")]
    realm: Option<RealmName>,
    /// Where to listen; for port 0, the system picks one.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "HALLWAY_LISTEN",
        value_parser = socket_address
    )]
    listen: Option<SocketAddr>,
    /// Where Prometheus gets metrics, over plain HTTP; by default nowhere.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "HALLWAY_METRICS_LISTEN",
        value_parser = socket_address
    )]
    metrics_listen: Option<SocketAddr>,
    /// How people and devices reach the gateway.
    #[arg(long, value_name = "URL", env = "HALLWAY_PUBLIC_URL")]
    public_url: Option<Origin>,
    /// The database: sqlite:FILE, or postgres://USER@HOST/NAME for many gateways.
    #[arg(long, value_name = "ADDRESS", env = "HALLWAY_DATABASE")]
    database: Option<String>,
    /// The server certificate chain, PEM.
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        env = "HALLWAY_TLS_CERTIFICATE"
    )]
    tls_certificate: Option<PathBuf>,
    /// The server certificate's key, PEM.
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_certificate",
        env = "HALLWAY_TLS_KEY"
    )]
    tls_key: Option<PathBuf>,
    /// Where a FIDO metadata BLOB is fetched from; without it nothing is fetched.
    #[arg(long, value_name = "URL", env = "HALLWAY_METADATA_URL")]
    metadata_url: Option<String>,
    /// A FIDO metadata BLOB in a file.
    #[arg(long, value_name = "FILE", env = "HALLWAY_METADATA_FILE")]
    metadata_file: Option<PathBuf>,
    /// Root certificates to trust for the BLOB instead of the FIDO Alliance's, PEM.
    #[arg(long, value_name = "FILE", env = "HALLWAY_METADATA_ROOT")]
    metadata_root: Option<PathBuf>,
    /// A folder of local metadata statements.
    #[arg(long, value_name = "DIR", env = "HALLWAY_METADATA_STATEMENTS")]
    metadata_statements: Option<PathBuf>,
}

impl Overrides {
    fn apply(self, config: Config) -> Result<Config, Box<dyn Error>> {
        // These may hold passwords, which clap would repeat in its error messages.
        let database: Option<Database> =
            read("--database (HALLWAY_DATABASE)", self.database.as_deref())?;
        let blob: Option<BlobAddress> = read(
            "--metadata-url (HALLWAY_METADATA_URL)",
            self.metadata_url.as_deref(),
        )?;
        // Paths in the configuration start in its folder; those of flags in the working folder.
        let absolute = std::path::absolute::<PathBuf>;
        let tls = match (self.tls_certificate, self.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls {
                certificate: absolute(certificate)?,
                key: absolute(key)?,
            }),
            _ => config.tls,
        };
        let or_absolute = |path: Option<PathBuf>, configured: Option<PathBuf>| match path {
            Some(path) => absolute(path).map(Some),
            None => Ok(configured),
        };
        let metadata = MetadataConfig {
            url: blob.or(config.metadata.url),
            file: or_absolute(self.metadata_file, config.metadata.file)?,
            root: or_absolute(self.metadata_root, config.metadata.root)?,
            statements: or_absolute(self.metadata_statements, config.metadata.statements)?,
            ..config.metadata
        };
        Ok(Config {
            realm: self.realm.unwrap_or(config.realm),
            listen: self.listen.unwrap_or(config.listen),
            metrics_listen: self.metrics_listen.or(config.metrics_listen),
            public_url: self.public_url.or(config.public_url),
            database: database.unwrap_or(config.database),
            tls,
            metadata,
            ..config
        })
    }
}

fn socket_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "it must be an IP address and a port, such as 127.0.0.1:8080")
}

/// A flag's value. The error does not repeat it.
fn read<T: FromStr<Err: Display>>(flag: &str, value: Option<&str>) -> Result<Option<T>, String> {
    let value = value.map(str::parse).transpose();
    value.map_err(|error| format!("{flag}: {error}"))
}

pub(crate) fn run(command: ServeCommand) -> Result<(), Box<dyn Error>> {
    let _logging = logging::start(if command.log_json {
        Form::Json
    } else {
        Form::Text
    });
    let config = command
        .overrides
        .apply(configuration(&command.data.path)?)?;
    let has_password = config.database.without_password().is_some();
    let operator_key = command.unlock.given(&command.data.path)?;
    let start = Start {
        folder: command.data.path,
        config,
        operator_key,
        clock: Arc::new(SystemClock),
        doors: hallway_gateway::doors::ALL,
    };
    let runtime = crate::runtime()?;
    let told: Result<Told, Box<dyn Error>> = runtime.block_on(async {
        let stop = crate::told_to_stop();
        tokio::pin!(stop);
        let ready = tokio::select! {
            ready = start.ready() => ready?,
            () = stop.as_mut() => return Ok(Told::BeforeItServed),
        };
        if command.json {
            announce_as_json(&ready)?;
        } else {
            announce(&ready, has_password);
        }
        ready.serve(stop).await;
        Ok(Told::WhileItServed)
    });
    if matches!(told, Ok(Told::BeforeItServed)) {
        // Ends at once, even if the system is still looking up a database's host.
        runtime.shutdown_background();
    }
    told.map(drop)
}

/// When the gateway was told to stop.
enum Told {
    /// Nothing is waited for.
    BeforeItServed,
    /// Requests that were under way were finished.
    WhileItServed,
}

fn announce_as_json(ready: &Ready) -> serde_json::Result<()> {
    let serving = Serving {
        event: "serving",
        realm: &ready.gateway.rp.id,
        origin: &ready.gateway.origin,
        setup_link: ready.setup_link.as_deref(),
        halls: ready.gateway.halls().address.as_deref(),
    };
    terminal::announce(serde_json::to_string(&serving)?);
    Ok(())
}

fn announce(ready: &Ready, has_password: bool) {
    terminal::announce(format_args!(
        "Hallway serves {} at {}",
        ready.gateway.rp.id, ready.gateway.origin
    ));
    if let Some(file) = &ready.written {
        let without = if has_password {
            ", without the database's password: give it again at each start"
        } else {
            ""
        };
        terminal::announce(format_args!(
            "These settings are now in {}{without}",
            terminal::path(file)
        ));
    }
    if let Some(link) = &ready.setup_link {
        terminal::announce(format_args!(
            "Set up the first owner, once, within a day: {link}"
        ));
    }
    if let Some(address) = &ready.gateway.halls().address {
        terminal::announce(format_args!("Halls open at {address}"));
    }
}
