//! `hallway operator-key`: lock the key that encrypts a realm's secrets under security keys.

mod unlock;

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::{Args, Subcommand};
use hallway_client::{ClientError, DeriveSecret, HidKey, User, durable_file};
use hallway_evidence::Printable;
use hallway_spine::operator_key::locked::{FILE as LOCKED_FILE, LockedKey, LockedKeyError, RP_ID};
use hallway_spine::operator_key::{FILE, FindError, OperatorKey, WhereNone};
use serde_json::json;
pub(crate) use unlock::UnlockArguments;
use zeroize::Zeroizing;

use crate::key::KeyCommandError;
use crate::key::pin::Typed;
use crate::person::{KeyChoice, PersonError};
use crate::terminal;

/// Lock the operator key under security keys, so that a gateway starts only after a touch.
///
/// The operator key encrypts every secret that a gateway keeps. Locked, it is of no use to a thief
/// who takes the data folder. Lock it under two security keys at least, keep operator.key in a
/// safe, then remove it from the folder.
///
/// Exit codes: 0 done, 1 it failed, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct OperatorKeyCommand {
    #[command(subcommand)]
    action: Action,
    /// The data folder.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "hallway-data",
        env = "HALLWAY_DATA"
    )]
    data: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Let one more security key unlock the operator key: two touches, and its PIN.
    Lock(Lock),
    /// List the security keys that unlock it.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let a security key no longer unlock it. A person who has that key and an older copy of the
    /// folder still can.
    Forget {
        /// What the key is called.
        label: String,
    },
    /// Remove operator.key from the folder, once a touch has shown that it can be unlocked.
    RemoveFile(UnlockArguments),
    /// Unlock with a touch, and write operator.key into the folder again.
    WriteFile(UnlockArguments),
}

#[derive(Debug, Args)]
struct Lock {
    /// What to call the security key.
    #[arg(long, default_value = "security key")]
    label: String,
    /// The security key: usb, usb:DEVICE, unix:PATH or udp:ADDRESS:PORT [default: usb]
    #[arg(long, value_name = "KEY", env = "HALLWAY_SECURITY_KEY")]
    key: Option<KeyChoice>,
    /// Read its PIN from the first line of FILE.
    ///
    /// Otherwise it is taken from the variable HALLWAY_PIN, or asked for.
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    #[command(flatten)]
    unlock: UnlockArguments,
}

/// Why a command on the operator key did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperatorKeyCommandError {
    /// The locked key.
    #[error(transparent)]
    Locked(#[from] LockedKeyError),
    /// The key that lies unlocked in the folder.
    #[error(transparent)]
    Open(#[from] FindError),
    /// It is not locked.
    #[error("the operator key in {} is not locked; run hallway operator-key lock", .0.display())]
    NotLocked(PathBuf),
    /// The security key can't be reached.
    #[error(transparent)]
    Unreachable(#[from] PersonError),
    /// No security key is plugged in.
    #[error(
        "no security key is plugged in: plug in one of those that unlock the operator key, or name \
         another with --unlock-with"
    )]
    NoKey,
    /// Several security keys are plugged in.
    #[error("several security keys are plugged in; name one with --unlock-with: {}", listed(.0))]
    ManyKeys(Vec<HidKey>),
    /// The security key said no.
    #[error(transparent)]
    Key(#[from] ClientError),
    /// The security key's PIN.
    #[error(transparent)]
    Pin(#[from] KeyCommandError),
    /// The security key is not one that unlocks the operator key.
    #[error(
        "this security key does not unlock {}; hallway operator-key list names those that do",
        .0.join(LOCKED_FILE).display()
    )]
    OtherKey(PathBuf),
    /// A key in a file.
    #[error(
        "a key file beside the data folder would lock nothing; name a security key on USB or \
         behind a socket"
    )]
    KeyFile,
    /// A file.
    #[error("{}: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
}

pub(crate) fn run(command: &OperatorKeyCommand) -> Result<(), OperatorKeyCommandError> {
    let data = &command.data;
    match &command.action {
        Action::Lock(lock) => lock.run(data),
        Action::List { json } => list(data, *json),
        Action::Forget { label } => {
            let mut locked = locked(data)?;
            locked.forget(label)?;
            locked.write(data)?;
            println!(
                "\"{}\" no longer unlocks the operator key",
                Printable(label)
            );
            Ok(())
        }
        Action::RemoveFile(unlock) => remove_file(data, unlock),
        Action::WriteFile(unlock) => {
            let text = unlock.unlock(&locked(data)?, data)?;
            let path = data.join(FILE);
            durable_file::write(&path, text.as_bytes()).map_err(failed(&path))?;
            println!("{} is back", terminal::path(&path));
            Ok(())
        }
    }
}

impl Lock {
    fn run(&self, data: &Path) -> Result<(), OperatorKeyCommandError> {
        let text = match self.unlock.given(data)? {
            Some(text) => text,
            None => read(data)?,
        };
        // Only a valid key may be locked: a mistake would show when it is too late.
        OperatorKey::find(Some(&text), data, WhereNone::Refuse)?;
        let mut locked = match LockedKey::read(data)? {
            Some(locked) => locked,
            None => LockedKey::new()?,
        };
        // Before anybody touches a key in vain.
        locked.may_add(&self.label)?;
        let mut key = unlock::open(self.key.as_ref())?;
        let mut pin = Typed::from_file(self.pin_file.as_deref())?;
        eprintln!(
            "Touch your security key: make a credential that unlocks the operator key in {}",
            terminal::path(data)
        );
        let user = User {
            id: b"operator",
            name: "operator",
            display_name: "The operator of a gateway",
        };
        let credential = key.make_secret_credential(RP_ID, &user, &mut pin)?;
        eprintln!("Touch it once more: derive the secret that the operator key is locked under");
        let asked = DeriveSecret {
            rp_id: RP_ID,
            allow: std::slice::from_ref(&credential),
            salt: &locked.salt(),
        };
        let derived = key.derive_secret(&asked, &mut pin)?;
        locked.add(&self.label, &credential, &derived.secret, text.trim())?;
        locked.write(data)?;
        println!(
            "\"{}\" unlocks the operator key from now on",
            Printable(&self.label)
        );
        if data.join(FILE).exists() {
            println!(
                "{} still lies open beside it: copy it to a safe place, then run \
                 hallway operator-key remove-file",
                terminal::path(&data.join(FILE))
            );
        }
        if locked.keys().len() == 1 {
            println!("Only this key unlocks it: lock it under another, and keep that elsewhere");
        }
        Ok(())
    }
}

fn locked(data: &Path) -> Result<LockedKey, OperatorKeyCommandError> {
    LockedKey::read(data)?.ok_or_else(|| OperatorKeyCommandError::NotLocked(data.to_owned()))
}

/// The key that lies unlocked in the folder.
fn read(data: &Path) -> Result<Zeroizing<String>, OperatorKeyCommandError> {
    OperatorKey::find(None, data, WhereNone::Refuse)?;
    let path = data.join(FILE);
    let text = fs::read_to_string(&path).map_err(failed(&path))?;
    Ok(Zeroizing::new(text))
}

fn list(data: &Path, json: bool) -> Result<(), OperatorKeyCommandError> {
    let locked = LockedKey::read(data)?;
    let keys = locked.as_ref().map_or(&[][..], LockedKey::keys);
    let lies_open = data.join(FILE).exists();
    if json {
        let labels: Vec<&str> = keys.iter().map(|key| key.label.as_str()).collect();
        println!("{}", json!({ "keys": labels, "file": lies_open }));
        return Ok(());
    }
    for key in keys {
        println!("{}", Printable(&key.label));
    }
    if lies_open {
        println!(
            "(and {}, which is not locked)",
            terminal::path(&data.join(FILE))
        );
    }
    Ok(())
}

fn remove_file(data: &Path, unlock: &UnlockArguments) -> Result<(), OperatorKeyCommandError> {
    let path = data.join(FILE);
    let text = read(data)?;
    let unlocked = unlock.unlock(&locked(data)?, data)?;
    if unlocked.as_bytes() != text.trim().as_bytes() {
        return Err(LockedKeyError::Wrong.into());
    }
    fs::remove_file(&path).map_err(failed(&path))?;
    println!(
        "{} is removed: from now on a touch unlocks the operator key",
        terminal::path(&path)
    );
    Ok(())
}

fn listed(keys: &[HidKey]) -> String {
    let one = |key: &HidKey| format!("usb:{} ({})", key.path.display(), key.name);
    keys.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> OperatorKeyCommandError {
    let path = path.to_owned();
    move |source| OperatorKeyCommandError::File { path, source }
}
