//! What the tour proved, at its end.

use std::path::{Path, PathBuf};

use hallway_evidence::Printable;
use serde::Serialize;

/// The account of a tour. It is printed only when every step held.
#[derive(Debug, Serialize)]
pub(crate) struct Account {
    /// Whether every step held.
    pub(crate) held: bool,
    /// What held, in order.
    pub(crate) steps: Vec<String>,
    /// The signed photographs.
    pub(crate) photographs: Vec<Photograph>,
    /// The trust file that checks them.
    pub(crate) trust: PathBuf,
    /// A one-time link that signs in to the console.
    pub(crate) console: String,
}

/// What becomes of the gateway when the tour is over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterwards {
    Stay,
    End,
}

/// A signed photograph.
#[derive(Debug, Serialize)]
pub(crate) struct Photograph {
    /// The file, evidence inside.
    pub(crate) file: PathBuf,
    /// Its place in the log.
    pub(crate) log_index: u64,
    /// What its evidence shows.
    pub(crate) shows: Vec<String>,
}

impl Account {
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            held: true,
            steps: Vec::new(),
            photographs: Vec::new(),
            trust: data.join("trust.json"),
            console: String::new(),
        }
    }

    pub(crate) fn held(&mut self, what: String) {
        self.steps.push(what);
    }

    /// Prints the account, and returns whether everything held. The console is there only while the
    /// gateway stays.
    pub(crate) fn print(&self, json: bool, afterwards: Afterwards) -> serde_json::Result<bool> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(self.held);
        }
        println!("\nWhat the first photograph shows, to anybody, offline:");
        if let Some(first) = self.photographs.first() {
            for sentence in &first.shows {
                println!("  {}", Printable(sentence));
            }
            println!("\nCheck it yourself:");
            println!(
                "  hallway verify {} --trust {}",
                crate::terminal::path(&first.file),
                crate::terminal::path(&self.trust)
            );
        }
        if afterwards == Afterwards::Stay {
            println!(
                "\nOpen the console, once, within a quarter of an hour:\n  {}",
                self.console
            );
        }
        Ok(self.held)
    }
}
