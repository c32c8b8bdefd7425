//! `hallway key restore`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use hallway_softkey::{KeyFile, NewKey, Seed, ask_passphrase};
use serde_json::json;
use zeroize::Zeroizing;

use super::KeyCommandError;
use super::consented::ConsentedKey;
use super::error::failed;
use super::new::backup_leave;
use super::protection::{BackupPassphrase, Prompt, ProtectionArguments};

/// Arguments of `hallway key restore`.
#[derive(clap::Args, Debug)]
pub(super) struct Restore {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Make a new key file with the seed in 24 words.
    ///
    /// Every credential that is not a passkey works again; there is no PIN yet.
    Words {
        #[command(flatten)]
        new: NewFile,
        /// Read the words from FILE. Otherwise they are asked for.
        #[arg(long, value_name = "FILE")]
        words_file: Option<PathBuf>,
    },
    /// Make a new key file with the seed that shares restore.
    ///
    /// Every credential that is not a passkey works again; there is no PIN yet.
    Shares {
        #[command(flatten)]
        new: NewFile,
        /// Read the shares from FILE, one per line, with or without their numbers in front.
        /// Otherwise they are asked for, until an empty line.
        #[arg(long, value_name = "FILE")]
        shares_file: Option<PathBuf>,
    },
    /// Add the passkeys of a backup to a key. An account that has a passkey there keeps its own.
    Passkeys {
        #[command(flatten)]
        key: ConsentedKey,
        /// The backup.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        #[command(flatten)]
        passphrase: BackupPassphrase,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// The key file that is made.
#[derive(clap::Args, Debug)]
struct NewFile {
    /// The file to create; it must not exist yet.
    file: PathBuf,
    #[command(flatten)]
    protection: ProtectionArguments,
    /// Allow `hallway key backup` on it.
    #[arg(long)]
    allow_backup: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// How much is read of a file with words or shares, which take less.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

impl Restore {
    pub(super) fn run(&self) -> Result<(), KeyCommandError> {
        match &self.action {
            Action::Words { new, words_file } => {
                let words = match words_file {
                    Some(path) => text(path)?,
                    None => ask_passphrase("The 24 words (not shown): ")
                        .map_err(failed("the words cannot be asked for; use --words-file"))?,
                };
                new.make(Seed::from_words(&words)?)
            }
            Action::Shares { new, shares_file } => {
                let shares = match shares_file {
                    Some(path) => text(path)?,
                    None => ask_for_shares()?,
                };
                let shares: Vec<&str> = shares.lines().filter_map(share).collect();
                new.make(Seed::from_shares(&shares)?)
            }
            Action::Passkeys {
                key,
                from,
                passphrase,
                json,
            } => {
                let mut client = key.open()?;
                let protection = passphrase.read(Prompt::Once)?;
                let outcome = client
                    .connection_mut()
                    .restore_passkeys(from, &protection)?;
                if *json {
                    println!(
                        "{}",
                        json!({ "added": outcome.added, "kept": outcome.kept })
                    );
                } else {
                    eprintln!(
                        "{} passkeys are added; {} accounts had one here and keep it.",
                        outcome.added, outcome.kept
                    );
                }
                Ok(())
            }
        }
    }
}

impl NewFile {
    fn make(&self, seed: Seed) -> Result<(), KeyCommandError> {
        let new = NewKey {
            backup: backup_leave(self.allow_backup),
            seed: Some(seed),
            ..NewKey::personal()
        };
        let protection = self.protection.read(Prompt::Twice)?;
        KeyFile::create(&self.file, &protection, &new)?;
        if self.json {
            println!("{}", json!({ "file": self.file }));
        } else {
            println!("{}", crate::terminal::path(&self.file));
            eprintln!("Made a software key with this seed. It has no PIN yet.");
        }
        Ok(())
    }
}

/// A line's share, without the number that `hallway key backup shares` put before it.
fn share(line: &str) -> Option<&str> {
    let words = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
    Some(words.trim()).filter(|words| !words.is_empty())
}

/// Asks for shares one after the other, and returns one per line.
fn ask_for_shares() -> Result<Zeroizing<String>, KeyCommandError> {
    let mut all = Zeroizing::new(String::new());
    loop {
        let typed = ask_passphrase("One more share (not shown; empty to end): ")
            .map_err(failed("the shares cannot be asked for; use --shares-file"))?;
        if typed.trim().is_empty() {
            return Ok(all);
        }
        all.push_str(&typed);
        all.push('\n');
    }
}

/// Reads a small file that holds a secret.
fn text(path: &Path) -> Result<Zeroizing<String>, KeyCommandError> {
    use std::io::Read;

    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_SECRET_BYTES).read_to_string(&mut text))
        .map_err(|error| KeyCommandError::File {
            path: path.into(),
            error,
        })?;
    Ok(text)
}
