//! `hallway key backup`.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::KeyCommandError;
use super::consented::ConsentedKey;
use super::protection::{BackupPassphrase, Prompt};

/// Arguments of `hallway key backup`.
#[derive(clap::Args, Debug)]
pub(super) struct Backup {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Print the seed as 24 words (BIP-39).
    ///
    /// A person who has these words has every credential of this key that is not a passkey.
    Words {
        #[command(flatten)]
        key: ConsentedKey,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the seed as shares (SLIP-0039): enough of them restore it, and fewer reveal nothing.
    Shares {
        #[command(flatten)]
        key: ConsentedKey,
        /// How many shares to make: 2 to 16.
        #[arg(long, value_name = "N")]
        shares: u8,
        /// How many of them restore the seed: 2 or more.
        #[arg(long, value_name = "N")]
        threshold: u8,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write all passkeys to a file, encrypted under a passphrase of its own.
    ///
    /// Large blobs that websites stored, the PIN and the policy stay behind.
    Passkeys {
        #[command(flatten)]
        key: ConsentedKey,
        /// The file to create; it must not exist yet.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        #[command(flatten)]
        passphrase: BackupPassphrase,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Backup {
    pub(super) fn run(&self) -> Result<(), KeyCommandError> {
        match &self.action {
            Action::Words { key, json } => {
                let mut client = key.open()?;
                let words = client.connection_mut().backup_seed()?.words()?;
                if *json {
                    let words: Vec<&str> = words.split(' ').collect();
                    println!("{}", json!({ "words": words }));
                } else {
                    print_words(&words);
                    eprintln!("Write them down, and keep them where you would keep the key.");
                }
            }
            Action::Shares {
                key,
                shares,
                threshold,
                json,
            } => {
                let mut client = key.open()?;
                let seed = client.connection_mut().backup_seed()?;
                let shares = seed.shares(*threshold, *shares)?;
                if *json {
                    println!("{}", json!({ "threshold": threshold, "shares": *shares }));
                } else {
                    for (number, share) in (1..).zip(shares.iter()) {
                        println!("{number}: {share}");
                    }
                    eprintln!(
                        "Any {threshold} of them restore the seed: keep each in a different place."
                    );
                }
            }
            Action::Passkeys {
                key,
                to,
                passphrase,
                json,
            } => {
                let mut client = key.open()?;
                let protection = passphrase.read(Prompt::Twice)?;
                let count = client.connection_mut().backup_passkeys(to, &protection)?;
                if *json {
                    println!("{}", json!({ "file": to, "passkeys": count }));
                } else {
                    println!("{}", crate::terminal::path(to));
                    eprintln!("The backup holds {count} passkeys.");
                }
            }
        }
        Ok(())
    }
}

/// Six words a line.
fn print_words(words: &str) {
    let words: Vec<&str> = words.split(' ').collect();
    for line in words.chunks(6) {
        println!("{}", line.join(" "));
    }
}
