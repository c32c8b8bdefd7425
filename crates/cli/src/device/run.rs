//! `hallway device run`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use hallway_client::GatewayAddress;
use hallway_device::{Agent, Event, Freshness, Gateway, KeySigner, Settings, SystemClock, Until};
use hallway_evidence::TrustFile;
use hallway_softkey::{Consent, SoftKey};

use crate::key::protection::{Prompt, ProtectionArguments};
use crate::terminal;

/// Arguments of `hallway device run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The folder to watch. Files in it are removed once their receipts have arrived.
    folder: PathBuf,
    /// The device's key file (hallway device provision).
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    protection: ProtectionArguments,
    /// The gateway, such as `https://gate.example`.
    #[arg(long, value_name = "URL", env = "HALLWAY_GATEWAY")]
    gateway: GatewayAddress,
    /// Keep a signed copy of each file in this folder, which must not be the watched one. Pictures
    /// carry their evidence inside; other files, and pictures that others signed as a whole (C2PA),
    /// have it in a file beside them.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// The realm's trust file. Without it, the device trusts from then on the log key that the
    /// gateway shows when the device is claimed.
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// A certificate authority to trust for TLS besides the system's, PEM.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Ask the gateway for a challenge before each live transaction: two round trips, and no need
    /// to trust the device's clock.
    #[arg(long)]
    challenge: bool,
    /// End once every file in the folder has been accepted or refused.
    #[arg(long)]
    once: bool,
    /// The longest file that is sent, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = hallway_device::agent::LARGEST_FILE_BYTES)]
    largest: u64,
    /// Print what happens on standard output as JSON lines.
    #[arg(long)]
    json: bool,
}

impl Run {
    pub(super) fn run(&self) -> Result<(), Box<dyn Error>> {
        let read =
            |path: &PathBuf| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        let authority = self.ca.as_ref().map(read).transpose()?;
        let gateway = Gateway::new(self.gateway.clone(), authority.as_deref())?;
        let trust = match &self.trust {
            Some(path) => Some(
                TrustFile::from_json(&read(path)?)
                    .map_err(|error| format!("{}: {error}", path.display()))?,
            ),
            None => None,
        };
        let settings = Settings {
            keep: self.keep.clone(),
            trust,
            freshness: if self.challenge {
                Freshness::Challenge
            } else {
                Freshness::DeviceClock
            },
            until: if self.once {
                Until::Drained
            } else {
                Until::Stopped
            },
            largest: self.largest,
            ..Settings::new(self.folder.clone())
        };
        let protection = self.protection.read(Prompt::Once)?;
        // Having the file and its passphrase is the device's consent.
        let key = SoftKey::open(&self.key, &protection, Consent::Always)?;
        let signer = KeySigner::new(key, &gateway.origin());
        let tell: fn(&Event) = if self.json { tell_program } else { tell_person };
        let agent = Agent::open(settings, gateway, signer, Arc::new(SystemClock), tell)?;
        crate::runtime()?.block_on(async { agent.run(crate::told_to_stop()).await })?;
        Ok(())
    }
}

fn tell_person(event: &Event) {
    eprintln!("{event}");
}

fn tell_program(event: &Event) {
    // A reader that went away is no reason to stop signing.
    if let Ok(json) = serde_json::to_string(event) {
        terminal::announce(json);
    }
}
