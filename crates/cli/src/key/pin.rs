//! `hallway key pin`, and where PINs come from.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use hallway_client::{Client, ClientError, PinPrompt, PinRequest};
use hallway_ctap::status::Status;
use hallway_softkey::{Consent, SoftKey, ask_passphrase};
use zeroize::Zeroizing;

use super::KeyCommandError;
use super::key_file::KeyFileArguments;
use super::protection::first_line;

/// Arguments of `hallway key pin`.
#[derive(clap::Args, Debug)]
pub(super) struct PinCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Set the first PIN.
    Set(Change),
    /// Change the PIN.
    Change(Change),
}

#[derive(clap::Args, Debug)]
struct Change {
    #[command(flatten)]
    key: OpenArguments,
    /// Read the new PIN from the first line of FILE. Otherwise it is asked for.
    #[arg(long, value_name = "FILE")]
    new_pin_file: Option<PathBuf>,
}

/// A key file that is opened in process. Having it and its passphrase is the owner's consent.
#[derive(clap::Args, Debug)]
pub(super) struct OpenArguments {
    #[command(flatten)]
    key: KeyFileArguments,
    /// Read the key's PIN from the first line of FILE.
    ///
    /// Otherwise it is taken from the variable HALLWAY_PIN, or asked for.
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
}

impl OpenArguments {
    /// Opens the key. No website is involved, so there is no origin.
    pub(super) fn open(&self) -> Result<Client<SoftKey>, KeyCommandError> {
        self.open_with(Consent::Always)
    }

    /// Opens the key for an operation that `consent` has to confirm.
    pub(super) fn open_with(&self, consent: Consent) -> Result<Client<SoftKey>, KeyCommandError> {
        Ok(Client::new(self.key.open(consent)?, ""))
    }

    /// The PIN from a file or variable, or a prompt that asks when it is needed.
    pub(super) fn pin(&self) -> Result<Typed, KeyCommandError> {
        Typed::from_file(self.pin_file.as_deref())
    }
}

/// A PIN that is known, or typed when it is needed.
pub(crate) struct Typed(Option<Zeroizing<String>>);

impl Typed {
    /// The first line of a file, or the value of HALLWAY_PIN; without either it is asked for.
    pub(crate) fn from_file(path: Option<&Path>) -> Result<Self, KeyCommandError> {
        Ok(Self(match path {
            Some(path) => Some(first_line(path)?),
            None => std::env::var("HALLWAY_PIN").ok().map(Zeroizing::new),
        }))
    }
}

impl PinPrompt for Typed {
    fn pin(&mut self, request: &PinRequest) -> Option<Zeroizing<String>> {
        if let Some(pin) = &self.0 {
            return Some(pin.clone());
        }
        let tries = if request.retries == 1 { "try" } else { "tries" };
        let prompt = format!("PIN of the key ({} {tries} left): ", request.retries);
        ask_passphrase(&prompt).ok().filter(|pin| !pin.is_empty())
    }
}

impl PinCommand {
    pub(super) fn run(&self) -> Result<(), KeyCommandError> {
        match &self.action {
            Action::Set(change) => {
                let set = change.key.open()?.set_pin(&change.new_pin()?);
                set.map_err(|error| match error.status() {
                    Some(Status::PinAuthInvalid) => KeyCommandError::PinIsSet,
                    _ => error.into(),
                })?;
            }
            Action::Change(change) => {
                let mut client = change.key.open()?;
                let retries = client.pin_retries()?;
                let current = change
                    .key
                    .pin()?
                    .pin(&PinRequest { retries })
                    .ok_or(ClientError::PinNotGiven)?;
                client.change_pin(&current, &change.new_pin()?)?;
            }
        }
        eprintln!("The PIN is set. Eight wrong ones in a row block it for good.");
        Ok(())
    }
}

impl Change {
    fn new_pin(&self) -> Result<Zeroizing<String>, KeyCommandError> {
        if let Some(path) = &self.new_pin_file {
            return first_line(path);
        }
        let ask = |text: &str| {
            ask_passphrase(text).map_err(|error| KeyCommandError::Io {
                what: "the PIN cannot be asked for; use --new-pin-file".into(),
                error,
            })
        };
        let pin = ask("New PIN, 4 to 63 characters: ")?;
        if *ask("The same again: ")? != *pin {
            return Err(KeyCommandError::PinsDiffer);
        }
        Ok(pin)
    }
}
