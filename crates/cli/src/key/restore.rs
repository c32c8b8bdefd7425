//! `hallway key restore`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use hallway_softkey::{KeyFile, NewKey, Seed, ask_passphrase};
use serde_json::json;
use zeroize::Zeroizing;

use super::KeyCommandError;
use super::consent::ConsentArguments;
use super::error::failed;
use super::new::backup_leave;
use super::pin::OpenArguments;
use super::protection::{BackupPassphrase, Prompt, ProtectionArguments};

/// Arguments of `hallway key restore`.
#[derive(clap::Args, Debug)]
pub(super) struct Restore {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Make a new key file with the seed that 24 words say.
    ///
    /// Every credential that is not a passkey works again; there is no PIN yet.
    Words {
        #[command(flatten)]
        new: NewFile,
        /// Read the words from FILE. Otherwise they are asked for.
        #[arg(long, value_name = "FILE")]
        words_file: Option<PathBuf>,
    },
    /// Add the passkeys of a backup to a key. An account that has a passkey there keeps that one.
    Passkeys {
        #[command(flatten)]
        key: OpenArguments,
        #[command(flatten)]
        consent: ConsentArguments,
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
    /// The file to make; there must be none of this name.
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

/// Words take less than this.
const MAX_WORDS_FILE: u64 = 64 * 1024;

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
            Action::Passkeys {
                key,
                consent,
                from,
                passphrase,
                json,
            } => {
                let mut client = key.open_verified(consent.choose()?)?;
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
            println!("{}", self.file.display());
            eprintln!("Made a security key with this seed. It has no PIN yet.");
        }
        Ok(())
    }
}

/// A small file that holds a secret.
fn text(path: &Path) -> Result<Zeroizing<String>, KeyCommandError> {
    use std::io::Read;

    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_WORDS_FILE).read_to_string(&mut text))
        .map_err(|error| KeyCommandError::File {
            path: path.into(),
            error,
        })?;
    Ok(text)
}
