//! `hallway hall agent`: offers stores and services from where it runs, without an open port there.

mod config;
mod identity;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use hallway_evidence::Printable;
use hallway_hall::client::ClientError;
use hallway_hall::{Agent, AgentEvent};
use serde_json::json;
use tokio_rustls::rustls::ClientConfig;

use super::HallCommandError;
use crate::terminal;
use config::Configuration;
use identity::Identity;

/// The pause after a failed renewal.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Run an agent: it dials out to the gateway and offers the stores and services that its
/// configuration lists, and nothing else.
///
/// The first time, give it the link that `hallway hall invite-agent` printed. Its key is made here
/// and stays here, in a file of mode 600 beside the configuration; its certificate renews itself.
/// An agent that was offline for more than a day needs a new link.
///
/// Exit codes: 0 stopped by Ctrl-C or SIGTERM, 1 refused for good or not set up, 2 the command line
/// is wrong.
#[derive(Debug, Args)]
pub(crate) struct AgentCommand {
    /// What it offers: `[[stores]]` and `[[services]]`, TOML.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Join a hall by a one-time link.
    #[arg(long, value_name = "LINK")]
    join: Option<String>,
    /// Where its key and certificate are kept [default: the configuration's name with .identity]
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// A certificate authority to trust for TLS besides the system's when joining, PEM.
    #[arg(long, value_name = "FILE", env = "HALLWAY_CA")]
    ca: Option<PathBuf>,
    /// Print what happens on standard output as JSON lines.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: AgentCommand) -> Result<(), HallCommandError> {
    super::run(serve(command))
}

async fn serve(command: AgentCommand) -> Result<(), HallCommandError> {
    let configuration = Configuration::read(&command.config)?;
    let provided = configuration.provided()?;
    let path = match command.identity {
        Some(path) => path,
        None => command.config.with_extension("identity"),
    };
    if let Some(link) = &command.join {
        Identity::check_place(&path)?;
        Identity::join(link, command.ca.as_deref())
            .await?
            .write(&path)?;
    }
    // Not earlier: until here, Ctrl-C ends the program, also while a gateway does not answer.
    let stopped = crate::told_to_stop();
    let identity = Identity::read(&path)?;
    let tell = move |what: &str, detail: String| tell(command.json, what, &detail);
    tell("joined", format!("{} in {}", identity.agent, identity.hall));

    let current = Arc::new(RwLock::new(identity.client_config()?));
    let address = identity.address.clone();
    let shown = Arc::clone(&current);
    let agent = Agent::new(
        &address,
        move || Arc::clone(&shown.read().unwrap_or_else(PoisonError::into_inner)),
        provided,
        move |event: AgentEvent| {
            let what = match event {
                AgentEvent::Connected => "connected",
                AgentEvent::Lost { .. } => "lost",
                AgentEvent::Failed { .. } => "failed",
            };
            tell(what, event.to_string());
        },
    );
    let ended = tokio::select! {
        ended = agent.run(stopped) => ended.map_err(HallCommandError::from),
        error = keep_renewed(identity, &path, &current) => Err(error),
    };
    ended.map_err(|error| match command.join {
        Some(_) => HallCommandError::Joined(Box::new(error)),
        None => error,
    })
}

/// Renews the certificate whenever a third of its time is left.
async fn keep_renewed(
    mut identity: Identity,
    path: &std::path::Path,
    current: &RwLock<Arc<ClientConfig>>,
) -> HallCommandError {
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let ends = Duration::from_millis(identity.certificate_ends_ms);
        let left = ends.saturating_sub(now.unwrap_or_default());
        tokio::time::sleep(left * 2 / 3).await;
        let renewed = match identity.renewed().await {
            Ok(renewed) => renewed,
            Err(HallCommandError::Client(error)) if is_refusal(&error) => return error.into(),
            Err(error) => {
                tracing::warn!(%error, "the certificate could not be renewed yet");
                tokio::time::sleep(RETRY_AFTER).await;
                continue;
            }
        };
        // Written before it is used: no certificate may outlast the one on the disk.
        let config = match renewed.write(path).and_then(|()| renewed.client_config()) {
            Ok(config) => config,
            Err(error) => return error,
        };
        *current.write().unwrap_or_else(PoisonError::into_inner) = config;
        identity = renewed;
    }
}

fn is_refusal(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { .. })
        || matches!(error, ClientError::Problem(problem) if matches!(problem.status, 401 | 403 | 410))
}

fn tell(as_json: bool, what: &str, detail: &str) {
    if as_json {
        // A reader that went away is no reason to stop.
        terminal::announce(json!({ "event": what, "detail": detail }));
    } else {
        eprintln!("{}", Printable(detail));
    }
}
