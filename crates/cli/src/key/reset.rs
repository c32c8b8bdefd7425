//! `hallway key reset`.

use std::io::{self, BufRead, Write};

use super::KeyCommandError;
use super::pin::OpenArguments;

/// Arguments of `hallway key reset`.
#[derive(clap::Args, Debug)]
pub(super) struct Reset {
    #[command(flatten)]
    key: OpenArguments,
    /// Do not ask for confirmation.
    #[arg(long)]
    yes: bool,
}

impl Reset {
    pub(super) fn run(&self) -> Result<(), KeyCommandError> {
        if !self.yes && !confirmed() {
            return Err(KeyCommandError::NotConfirmed);
        }
        self.key.open()?.reset()?;
        eprintln!("Everything on the key is erased.");
        Ok(())
    }
}

/// Asks for confirmation. If that fails, the answer is no.
fn confirmed() -> bool {
    eprint!("Every credential on this key will be gone for good. Type \"erase\" to go on: ");
    let mut line = String::new();
    io::stderr().flush().is_ok()
        && io::stdin().lock().read_line(&mut line).is_ok()
        && line.trim() == "erase"
}
