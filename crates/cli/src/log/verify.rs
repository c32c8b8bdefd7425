//! `hallway log verify`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hallway_evidence::log::{Checkpoint, audit};
use indicatif::{ProgressBar, ProgressStyle};

use super::Key;
use super::source::Source;

/// Arguments of `hallway log verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The log: a gateway's URL, a log's URL, or a folder.
    place: String,
    #[command(flatten)]
    key: Key,
    /// A checkpoint that was kept earlier: the log must have grown out of it.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// Print what was found as JSON.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(&self) -> Result<ExitCode, Box<dyn Error>> {
        let key = self.key.read()?;
        let earlier = match &self.since {
            Some(path) => {
                let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
                let note = fs::read_to_string(path).map_err(|error| wrong(&error))?;
                Some(Checkpoint::open(&note, &key).map_err(|error| wrong(&error))?)
            }
            None => None,
        };
        let mut source = Source::new(&self.place)?;
        let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
            "{bar:30} {pos} of {len} entries, {eta} left",
        )?);
        let found = audit(&mut source, &key, earlier.as_ref(), &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        let found = found?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&found)?);
        } else if found.is_sound() {
            println!(
                "✓ sound: {}, {} entries, {} tiles read",
                found.origin, found.size, found.tiles
            );
            if let Some(earlier) = earlier {
                println!(
                    "  It grew out of the checkpoint at {} entries.",
                    earlier.size
                );
            }
        } else {
            println!(
                "✗ not sound: {}, {} faults",
                found.origin, found.fault_count
            );
            for fault in &found.faults {
                println!("  {fault}");
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
