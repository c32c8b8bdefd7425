//! `hallway key info`.

use std::path::PathBuf;

use hallway_evidence::Printable;
use hallway_softkey::{Attestation, Consent};
use serde::Serialize;

use super::KeyCommandError;
use super::key_file::KeyFileArguments;

/// Arguments of `hallway key info`.
#[derive(clap::Args, Debug)]
pub(super) struct Info {
    #[command(flatten)]
    key: KeyFileArguments,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// What is printed about a key.
#[derive(Serialize)]
struct Account {
    file: PathBuf,
    versions: Vec<String>,
    aaguid: String,
    attestation: &'static str,
    pin_set: bool,
    pin_tries_left: u8,
    min_pin_length: u64,
    always_uv: bool,
    backup_allowed: bool,
    credentials: usize,
    credentials_left: u64,
    extensions: Vec<String>,
    torn_bytes_dropped: u64,
}

impl Info {
    pub(super) fn run(&self) -> Result<(), KeyCommandError> {
        let mut key = self.key.open(Consent::Never)?;
        let info = key.info();
        let account = Account {
            file: self.key.file.clone(),
            aaguid: info.aaguid.to_string(),
            attestation: match key.attestation() {
                Attestation::None => "none",
                Attestation::SelfSigned => "self",
                Attestation::Certified { .. } => "certified",
                Attestation::Enterprise(_) => "enterprise",
            },
            pin_set: info.option("clientPin") == Some(true),
            pin_tries_left: key.pin_retries(),
            min_pin_length: info.min_pin_length.unwrap_or(4),
            always_uv: info.option("alwaysUv") == Some(true),
            backup_allowed: key.backup_allowed()?,
            credentials: key.discoverable_credentials(),
            credentials_left: info.remaining_discoverable_credentials.unwrap_or(0),
            versions: info.versions,
            extensions: info.extensions,
            torn_bytes_dropped: key.dropped_bytes(),
        };
        if self.json {
            println!("{}", serde_json::to_string(&account)?);
        } else {
            account.print();
        }
        Ok(())
    }
}

impl Account {
    fn print(&self) {
        let pin = if self.pin_set {
            format!("set, {} tries left", self.pin_tries_left)
        } else {
            "not set".into()
        };
        for (name, value) in [
            ("file", self.file.display().to_string()),
            ("versions", self.versions.join(", ")),
            ("model (AAGUID)", self.aaguid.clone()),
            ("attestation", self.attestation.into()),
            ("PIN", pin),
            (
                "PIN policy",
                format!(
                    "at least {} characters, {}",
                    self.min_pin_length,
                    match self.always_uv {
                        true => "always asked for",
                        false => "asked for when a site wants it",
                    }
                ),
            ),
            (
                "passkeys",
                format!(
                    "{}, room for {} more",
                    self.credentials, self.credentials_left
                ),
            ),
            (
                "backup",
                match self.backup_allowed {
                    true => "allowed".into(),
                    false => "never".into(),
                },
            ),
            ("extensions", self.extensions.join(", ")),
        ] {
            println!("{name:<16}{}", Printable(&value));
        }
        if self.torn_bytes_dropped > 0 {
            eprintln!(
                "A write was cut short; its {} bytes, which were never acknowledged, were dropped.",
                self.torn_bytes_dropped
            );
        }
    }
}
