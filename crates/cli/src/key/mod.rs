//! `hallway key`: a security key in a file.

mod backup;
mod config;
mod consent;
mod consented;
mod enterprise;
mod error;
mod info;
mod key_file;
mod new;
mod passkeys;
pub(crate) mod pin;
pub(crate) mod protection;
mod reset;
mod restore;
mod serve;

use clap::Subcommand;

pub(crate) use error::{KeyCommandError, with_advice};

/// A FIDO2 security key in an encrypted file.
///
/// Exit codes: 0 done; 1 it failed, the reason is on standard error; 2 the command line is
/// wrong; 3 the passphrase or operator's key does not open the file; 4 the file is in use; 5 the
/// PIN is wrong or was not given; 6 it is an older copy than its witness has seen.
#[derive(clap::Args, Debug)]
pub(crate) struct KeyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Make a new key file.
    New(new::New),
    /// Show what a key is and holds.
    Info(info::Info),
    /// Serve a key to other programs, until Ctrl-C.
    Serve(serve::Serve),
    /// Set or change the PIN.
    Pin(pin::PinCommand),
    /// List, rename and delete passkeys.
    Passkeys(passkeys::Passkeys),
    /// Configure a key.
    Config(config::Config),
    /// Back up the seed or the passkeys of a key that allows it.
    Backup(backup::Backup),
    /// Make a key from a seed, or add passkeys from a backup.
    Restore(restore::Restore),
    /// Erase everything on a key but its attestation.
    Reset(reset::Reset),
}

/// Carries out a `hallway key` command.
pub(crate) fn run(command: KeyCommand) -> Result<(), KeyCommandError> {
    match command.action {
        Action::New(new) => new.run(),
        Action::Info(info) => info.run(),
        Action::Serve(serve) => serve.run(),
        Action::Pin(pin) => pin.run(),
        Action::Passkeys(passkeys) => passkeys.run(),
        Action::Config(config) => config.run(),
        Action::Backup(backup) => backup.run(),
        Action::Restore(restore) => restore.run(),
        Action::Reset(reset) => reset.run(),
    }
}
