//! `hallway log fork`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hallway_evidence::Printable;
use hallway_evidence::log::Fork;
use serde_json::json;

use super::Key;

/// Arguments of `hallway log fork`.
///
/// A witness that saw a log's past change keeps two checkpoints under the log's own signature that
/// exclude one another (`fork` in its /api/witness). Anybody can check them with the log's key.
#[derive(Debug, Args)]
pub(super) struct CheckFork {
    /// The proof, JSON.
    file: PathBuf,
    #[command(flatten)]
    key: Key,
    /// Print what was found as JSON.
    #[arg(long)]
    json: bool,
}

impl CheckFork {
    pub(super) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let log = self.key.read()?.log;
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", self.file.display());
        let json = fs::read(&self.file).map_err(|error| wrong(&error))?;
        let fork: Fork = serde_json::from_slice(&json).map_err(|error| wrong(&error))?;
        let found = fork.verify(&log);
        if self.json {
            let printed = match &found {
                Ok(forked) => json!({
                    "log": log.name(), "proved": true,
                    "first": forked.first, "second": forked.second,
                }),
                Err(why) => json!({ "log": log.name(), "proved": false, "why": why.to_string() }),
            };
            println!("{printed}");
        } else {
            match &found {
                Ok(forked) => println!(
                    "✓ proved: {} was rewritten. It signed two logs, one at {} entries and one at \
                     {}, of which neither grew out of the other.",
                    log.name(),
                    forked.first,
                    forked.second
                ),
                Err(why) => println!("✗ not proved: {}", Printable(&why.to_string())),
            }
        }
        Ok(if found.is_ok() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
