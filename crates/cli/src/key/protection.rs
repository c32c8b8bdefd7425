//! The passphrase or the operator's key: from a file, a variable, or a prompt.

use std::path::{Path, PathBuf};

use hallway_softkey::{Protection, ask_passphrase};
use zeroize::Zeroizing;

use super::KeyCommandError;

/// What opens the key file.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ProtectionArguments {
    /// Read the passphrase from the first line of FILE.
    ///
    /// Otherwise it is taken from the variable HALLWAY_PASSPHRASE, or asked for.
    #[arg(long, value_name = "FILE", conflicts_with = "operator_key")]
    passphrase_file: Option<PathBuf>,
    /// Use the operator's key in FILE (32 bytes, or 64 hexadecimal digits) in place of a
    /// passphrase.
    #[arg(long, value_name = "FILE")]
    operator_key: Option<PathBuf>,
}

/// Whether a passphrase is asked for once or, for a new file, twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prompt {
    Once,
    Twice,
}

impl ProtectionArguments {
    /// Finds the passphrase or the key.
    pub(crate) fn read(&self, prompt: Prompt) -> Result<Protection, KeyCommandError> {
        if let Some(path) = &self.operator_key {
            return operator_key(path).map(Protection::OperatorKey);
        }
        let passphrase = match &self.passphrase_file {
            Some(path) => first_line(path)?,
            None => match std::env::var("HALLWAY_PASSPHRASE") {
                Ok(passphrase) => Zeroizing::new(passphrase),
                Err(_) => ask(prompt, "--passphrase-file or HALLWAY_PASSPHRASE")?,
            },
        };
        if passphrase.is_empty() {
            return Err(KeyCommandError::EmptyPassphrase);
        }
        Ok(Protection::Passphrase(passphrase))
    }
}

/// What a backup of passkeys is encrypted under.
#[derive(clap::Args, Debug)]
pub(super) struct BackupPassphrase {
    /// Read the backup's passphrase from the first line of FILE.
    ///
    /// Otherwise it is taken from the variable HALLWAY_BACKUP_PASSPHRASE, or asked for. It need not
    /// be the key file's.
    #[arg(long, value_name = "FILE")]
    backup_passphrase_file: Option<PathBuf>,
}

impl BackupPassphrase {
    /// Finds the passphrase.
    pub(super) fn read(&self, prompt: Prompt) -> Result<Protection, KeyCommandError> {
        let passphrase = match &self.backup_passphrase_file {
            Some(path) => first_line(path)?,
            None => match std::env::var("HALLWAY_BACKUP_PASSPHRASE") {
                Ok(passphrase) => Zeroizing::new(passphrase),
                Err(_) => {
                    eprintln!("For the backup:");
                    ask(
                        prompt,
                        "--backup-passphrase-file or HALLWAY_BACKUP_PASSPHRASE",
                    )?
                }
            },
        };
        if passphrase.is_empty() {
            return Err(KeyCommandError::EmptyPassphrase);
        }
        Ok(Protection::Passphrase(passphrase))
    }
}

/// Asks for a passphrase. If nobody can be asked, the error names the `other` ways to give it.
fn ask(prompt: Prompt, other: &str) -> Result<Zeroizing<String>, KeyCommandError> {
    let ask = |text: &str| {
        ask_passphrase(text).map_err(|error| KeyCommandError::Io {
            what: format!("the passphrase cannot be asked for; use {other}"),
            error,
        })
    };
    let passphrase = ask("Passphrase: ")?;
    if prompt == Prompt::Twice && *ask("The same again: ")? != *passphrase {
        return Err(KeyCommandError::PassphrasesDiffer);
    }
    Ok(passphrase)
}

/// The first line of a file that holds a secret.
pub(super) fn first_line(path: &Path) -> Result<Zeroizing<String>, KeyCommandError> {
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| KeyCommandError::File {
            path: path.into(),
            error,
        })?;
    Ok(Zeroizing::new(
        text.lines().next().unwrap_or_default().into(),
    ))
}

fn operator_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyCommandError> {
    let bytes = std::fs::read(path)
        .map(Zeroizing::new)
        .map_err(|error| KeyCommandError::File {
            path: path.into(),
            error,
        })?;
    let mut key = Zeroizing::new([0; 32]);
    if bytes.len() == 32 {
        key.copy_from_slice(&bytes);
        return Ok(key);
    }
    let digits = bytes.trim_ascii();
    if digits.len() != 64 {
        return Err(KeyCommandError::OperatorKey(path.into()));
    }
    for (byte, pair) in key.iter_mut().zip(digits.chunks(2)) {
        *byte = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            .ok_or_else(|| KeyCommandError::OperatorKey(path.into()))?;
    }
    Ok(key)
}
