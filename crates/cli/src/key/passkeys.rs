//! `hallway key passkeys`.

use std::fmt::Write;

use clap::Subcommand;
use hallway_client::{ClientError, Passkey, User};
use hallway_ctap::cose::PublicKey;
use hallway_ctap::status::Status;
use serde::Serialize;

use super::KeyCommandError;
use super::pin::OpenArguments;

/// Arguments of `hallway key passkeys`.
#[derive(clap::Args, Debug)]
pub(super) struct Passkeys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// List all passkeys.
    List {
        #[command(flatten)]
        key: OpenArguments,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Delete a passkey for good.
    Delete {
        #[command(flatten)]
        key: OpenArguments,
        /// Its credential id, as `list` prints it.
        #[arg(long)]
        id: String,
    },
    /// Change the account name of a passkey.
    Rename {
        #[command(flatten)]
        key: OpenArguments,
        /// Its credential id, as `list` prints it.
        #[arg(long)]
        id: String,
        /// The new name.
        #[arg(long)]
        name: String,
    },
}

/// What is printed about a passkey.
#[derive(Serialize)]
struct Account {
    id: String,
    relying_party: String,
    user: Option<String>,
    user_id: String,
    algorithm: Option<&'static str>,
    protection: u8,
}

impl From<Passkey> for Account {
    fn from(passkey: Passkey) -> Self {
        Self {
            id: hex(&passkey.credential_id),
            relying_party: passkey.rp_id,
            user: passkey.user.name.or(passkey.user.display_name),
            user_id: hex(&passkey.user.id),
            algorithm: PublicKey::decode(&passkey.public_key)
                .ok()
                .map(|key| key.algorithm().name()),
            protection: passkey.protection,
        }
    }
}

impl Passkeys {
    pub(super) fn run(&self) -> Result<(), KeyCommandError> {
        match &self.action {
            Action::List { key, json } => {
                let all = key.open()?.passkeys(&mut key.pin()?)?.list()?;
                let all: Vec<Account> = all.into_iter().map(Account::from).collect();
                if *json {
                    println!("{}", serde_json::to_string(&all)?);
                } else {
                    print(&all);
                }
                Ok(())
            }
            Action::Delete { key, id } => {
                let id = bytes(id)?;
                key.open()?.passkeys(&mut key.pin()?)?.delete(&id)?;
                eprintln!("The passkey is deleted.");
                Ok(())
            }
            Action::Rename { key, id, name } => rename(key, &bytes(id)?, name),
        }
    }
}

fn rename(key: &OpenArguments, id: &[u8], name: &str) -> Result<(), KeyCommandError> {
    let mut client = key.open()?;
    let mut store = client.passkeys(&mut key.pin()?)?;
    let all = store.list()?;
    let known = all
        .iter()
        .find(|passkey| passkey.credential_id == id)
        .ok_or(ClientError::Refused(Status::NoCredentials))?;
    let user = User {
        id: &known.user.id,
        name,
        display_name: known.user.display_name.as_deref().unwrap_or_default(),
    };
    store.rename(id, user)?;
    eprintln!("The passkey is renamed.");
    Ok(())
}

fn print(all: &[Account]) {
    if all.is_empty() {
        eprintln!("There are no passkeys on this key.");
    }
    for account in all {
        // Text that a website chose is quoted, so that it can't control the terminal.
        println!(
            "{:?}  {:?}  {}  {}",
            account.relying_party,
            account.user.as_deref().unwrap_or_default(),
            account.algorithm.unwrap_or("unknown algorithm"),
            account.id
        );
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn bytes(digits: &str) -> Result<Vec<u8>, KeyCommandError> {
    let wrong = || KeyCommandError::CredentialId(digits.into());
    let all_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !all_digits {
        return Err(wrong());
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong()))
        .collect()
}
