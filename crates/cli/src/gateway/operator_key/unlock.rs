//! The operator key: from a variable, from the folder, or unlocked with a touch.

use std::path::{Path, PathBuf};

use clap::Args;
use hallway_client::{Client, ClientError, Connection, DeriveSecret};
use hallway_ctap::status::Status;
use hallway_evidence::Printable;
use hallway_spine::operator_key::FILE;
use hallway_spine::operator_key::locked::{LockedKey, RP_ID};
use zeroize::Zeroizing;

use super::OperatorKeyCommandError;
use crate::key::pin::Typed;
use crate::person::{KeyChoice, PersonError};

/// Which security key unlocks the operator key, where it is locked.
#[derive(Debug, Args)]
pub(crate) struct UnlockArguments {
    /// The security key that unlocks the operator key: usb, usb:DEVICE, unix:PATH or
    /// udp:ADDRESS:PORT [default: usb]
    #[arg(long, value_name = "KEY", env = "HALLWAY_UNLOCK_WITH")]
    unlock_with: Option<KeyChoice>,
    /// Read that key's PIN from the first line of FILE.
    ///
    /// Otherwise it is taken from the variable HALLWAY_PIN, or asked for.
    #[arg(long, value_name = "FILE")]
    unlock_pin_file: Option<PathBuf>,
}

impl UnlockArguments {
    /// The operator key in base64, if it is in the variable, or locked in `folder`; `None` if it
    /// lies unlocked in the folder, or there is none yet.
    pub(crate) fn given(
        &self,
        folder: &Path,
    ) -> Result<Option<Zeroizing<String>>, OperatorKeyCommandError> {
        if let Ok(text) = std::env::var("HALLWAY_OPERATOR_KEY") {
            return Ok(Some(Zeroizing::new(text)));
        }
        if folder.join(FILE).exists() {
            return Ok(None);
        }
        match LockedKey::read(folder)? {
            Some(locked) => self.unlock(&locked, folder).map(Some),
            None => Ok(None),
        }
    }

    /// Unlocks the operator key with a touch, even if it is to be had without one.
    pub(super) fn unlock(
        &self,
        locked: &LockedKey,
        folder: &Path,
    ) -> Result<Zeroizing<String>, OperatorKeyCommandError> {
        let mut key = open(self.unlock_with.as_ref()).map_err(naming_the_flag)?;
        let mut pin = Typed::from_file(self.unlock_pin_file.as_deref())?;
        let known: Vec<Vec<u8>> = locked
            .keys()
            .iter()
            .map(|key| key.credential.0.clone())
            .collect();
        let asked = DeriveSecret {
            rp_id: RP_ID,
            allow: &known,
            salt: &locked.salt(),
        };
        let labels: Vec<&str> = locked.keys().iter().map(|key| key.label.as_str()).collect();
        let derived = loop {
            eprintln!(
                "Touch your security key ({}): unlock the operator key in {}",
                Printable(&labels.join(" or ")),
                crate::terminal::path(folder)
            );
            match key.derive_secret(&asked, &mut pin) {
                // A gateway that starts waits until somebody comes to touch the key.
                Err(error) if is_unattended(&error) => {}
                other => break other.map_err(|error| refused(error, folder))?,
            }
        };
        Ok(locked.unlock(&derived.credential_id, &derived.secret)?)
    }
}

/// Opens a key that is not a file: a file beside what it locks would lock nothing.
pub(super) fn open(
    choice: Option<&KeyChoice>,
) -> Result<Client<Box<dyn Connection>>, OperatorKeyCommandError> {
    let choice = choice.cloned().unwrap_or_default();
    let connection = choice.connect()?.ok_or(OperatorKeyCommandError::KeyFile)?;
    // No website is involved.
    Ok(Client::new(connection, RP_ID))
}

/// Other commands' errors name the flag `--key`; here it is called `--unlock-with`.
fn naming_the_flag(error: OperatorKeyCommandError) -> OperatorKeyCommandError {
    match error {
        OperatorKeyCommandError::Unreachable(PersonError::NoKey) => OperatorKeyCommandError::NoKey,
        OperatorKeyCommandError::Unreachable(PersonError::ManyKeys(keys)) => {
            OperatorKeyCommandError::ManyKeys(keys)
        }
        other => other,
    }
}

fn is_unattended(error: &ClientError) -> bool {
    matches!(
        error.status(),
        Some(Status::UserActionTimeout | Status::ActionTimeout)
    )
}

fn refused(error: ClientError, folder: &Path) -> OperatorKeyCommandError {
    match error.status() {
        Some(Status::NoCredentials) => OperatorKeyCommandError::OtherKey(folder.to_owned()),
        _ => error.into(),
    }
}
