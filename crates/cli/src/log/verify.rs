//! `hallway log verify`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hallway_evidence::Printable;
use hallway_evidence::log::{Audit, Checkpoint, CosignerKey, audit};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::Key;
use super::cosigned::Seen;
use super::source::Source;

/// Arguments of `hallway log verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The log: a gateway's URL, a log's URL, or a folder.
    place: String,
    #[command(flatten)]
    key: Key,
    /// A checkpoint that was kept earlier: the log must have grown out of it. By default, the last
    /// one that witnesses cosigned, if the log has one.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// The key of a witness whose cosignature counts, besides those in the trust file.
    #[arg(long = "witness", value_name = "KEY")]
    witnesses: Vec<CosignerKey>,
    /// Print what was found as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    audit: &'a Audit,
    /// The newest checkpoint that witnesses cosigned.
    cosigned: Option<&'a Seen>,
}

impl Verify {
    pub(super) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let mut trusted = self.key.read()?;
        trusted.witnesses.extend(self.witnesses.iter().cloned());
        let key = &trusted.log;
        let earlier = match &self.since {
            Some(path) => {
                let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
                let note = fs::read_to_string(path).map_err(|error| wrong(&error))?;
                Some(Checkpoint::open(&note, key).map_err(|error| wrong(&error))?)
            }
            None => None,
        };
        let mut source = Source::new(&self.place)?;
        let beside = Seen::beside(&mut source, &trusted)?;
        let kept = earlier.is_some();
        let earlier = earlier.or_else(|| Some(beside.as_ref()?.checkpoint.clone()));
        let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
            "{bar:30} {pos} of {len} entries, {eta} left",
        )?);
        let found = audit(&mut source, key, earlier.as_ref(), &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        let found = found?;
        let seen = Seen::of(&found.checkpoint, &trusted)?.or(beside);
        if self.json {
            let printed = Printed {
                audit: &found,
                cosigned: seen.as_ref(),
            };
            println!("{}", serde_json::to_string_pretty(&printed)?);
        } else if found.is_sound() {
            println!(
                "✓ sound: {}, {} entries, {} tiles read",
                Printable(&found.origin),
                found.size,
                found.tiles
            );
            if let Some(earlier) = earlier.filter(|_| kept) {
                println!(
                    "  It grew out of the checkpoint at {} entries.",
                    earlier.size
                );
            }
            match &seen {
                Some(seen) => {
                    for cosigned in &seen.by {
                        let cosigned = cosigned.to_string();
                        println!(
                            "  Cosigned at {} entries by {}.",
                            seen.size,
                            Printable(&cosigned)
                        );
                    }
                }
                None if trusted.witnesses.is_empty() => {}
                None => println!("  None of the witnesses cosigned it yet."),
            }
        } else {
            println!(
                "✗ not sound: {}, {} faults",
                Printable(&found.origin),
                found.fault_count
            );
            for fault in &found.faults {
                println!("  {}", Printable(&fault.to_string()));
            }
            let untold = found.fault_count - found.faults.len() as u64;
            if untold > 0 {
                println!("  and {untold} more");
            }
        }
        Ok(if found.is_sound() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
