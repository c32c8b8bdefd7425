//! `hallway log`: audit a log, keep a copy of it, or prove that it was rewritten.

mod cosigned;
mod export;
mod fork;
mod source;
mod verify;

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hallway_evidence::TrustFile;
use hallway_evidence::log::{CosignerKey, VerifierKey};

pub(crate) use source::Source;

/// The log of evidence: audit it, or copy it.
///
/// Exit codes: 0 the log is sound, 1 it is not or cannot be read, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct LogCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check every entry, every tile and the signed root over them.
    Verify(verify::Verify),
    /// Copy the log into a folder, to watch it or to audit it offline.
    Export(export::Export),
    /// Check a witness's proof that a log was rewritten.
    Fork(fork::CheckFork),
}

/// The log's key, and the witnesses whose cosignatures count.
struct Trusted {
    log: VerifierKey,
    witnesses: Vec<CosignerKey>,
}

/// Where the log's key is found.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Key {
    /// The realm's trust file (hallway trust export).
    #[arg(long, value_name = "FILE", env = "HALLWAY_TRUST")]
    trust: Option<PathBuf>,
    /// The log's verifier key: name+id+base64.
    #[arg(long, value_name = "KEY")]
    key: Option<VerifierKey>,
}

impl Key {
    fn read(&self) -> Result<Trusted, Box<dyn Error>> {
        match (&self.key, &self.trust) {
            (Some(key), _) => Ok(Trusted {
                log: key.clone(),
                witnesses: Vec::new(),
            }),
            (None, Some(path)) => {
                let json =
                    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
                let trust = TrustFile::from_json(&json)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                Ok(Trusted {
                    log: trust.log,
                    witnesses: trust.witnesses,
                })
            }
            (None, None) => Err("give --trust or --key".into()),
        }
    }
}

pub(crate) fn run(command: &LogCommand) -> Result<ExitCode, Box<dyn Error>> {
    match &command.action {
        Action::Verify(verify) => verify.run(),
        Action::Export(export) => export.run(),
        Action::Fork(fork) => fork.run(),
    }
}
