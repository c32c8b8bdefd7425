//! `hallway join`, `sign-in` and `sign-out`.

use clap::Args;
use hallway_api::session::Person;
use hallway_evidence::Line;
use serde::Serialize;

use crate::person::{
    Caller, KeyChoice, KeyToRegister, LinkKind, OneTimeLink, PersonArguments, PersonError,
    SETTINGS_FILE, Settings,
};
use crate::terminal;

/// Register a security key by a one-time link, and sign in with it.
///
/// The link says which gateway.
///
/// Exit codes: 0 done, 1 it failed, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct JoinCommand {
    /// The link, as it was sent to you.
    link: String,
    /// Your name, if the link does not say it: the first owner's link does not.
    #[arg(long)]
    name: Option<String>,
    /// What to call the key [default: "software key" for a file, "security key" for others]
    #[arg(long)]
    label: Option<String>,
    /// Print who you are as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    person: PersonArguments,
}

/// Sign in with a touch. Commands that need a session do so by themselves.
///
/// The session is kept below XDG_STATE_HOME for the commands that follow.
///
/// Exit codes: 0 done, 1 it failed, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct SignInCommand {
    /// Print who you are as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    person: PersonArguments,
}

/// End the session that commands share.
#[derive(Debug, Args)]
pub(crate) struct SignOutCommand {
    #[command(flatten)]
    person: PersonArguments,
}

pub(crate) fn join(command: &JoinCommand) -> Result<(), PersonError> {
    let link = OneTimeLink::read(LinkKind::Join, &command.link)?;
    let settings = command.person.settings_at(&link.gateway)?;
    let label = command.label.as_deref().unwrap_or(settings.key.kind());
    let label = line("label", label)?;
    let mut caller = Caller::anew(&command.person, settings)?;
    let name = command.name.as_deref().map(|name| line("name", name));
    let new = KeyToRegister {
        link,
        name: name.transpose()?,
        label,
    };
    let who = crate::runtime()?.block_on(caller.join(&new))?;
    tell(&who, caller.settings(), command.json)?;
    if !command.json {
        let Settings {
            gateway,
            key,
            folders,
            ..
        } = caller.settings();
        // Relative paths in the file start in its folder.
        let key = match key {
            KeyChoice::File(path) => {
                KeyChoice::File(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
            }
            other => other.clone(),
        };
        eprintln!(
            "Later commands find this gateway and this key by --gateway {gateway} and --key {key}, \
             by HALLWAY_GATEWAY and HALLWAY_SECURITY_KEY, or by these two lines in {}:\n\
             gateway = \"{gateway}\"\nkey = \"{key}\"",
            terminal::path(&folders.configuration.join(SETTINGS_FILE)),
        );
    }
    Ok(())
}

/// Reads a line of text that a person gave, as a gateway does.
fn line(what: &'static str, text: &str) -> Result<Line, PersonError> {
    Line::new(text.trim()).map_err(|error| PersonError::Name { what, error })
}

pub(crate) fn sign_in(command: &SignInCommand) -> Result<(), PersonError> {
    let mut caller = Caller::anew(&command.person, command.person.settings()?)?;
    let who = crate::runtime()?.block_on(caller.sign_in())?;
    tell(&who, caller.settings(), command.json)
}

pub(crate) fn sign_out(command: &SignOutCommand) -> Result<(), PersonError> {
    let mut caller = Caller::leaving(&command.person)?;
    crate::runtime()?.block_on(caller.sign_out())
}

/// What `--json` prints.
#[derive(Serialize)]
struct SignedInAt<'a> {
    gateway: String,
    person: &'a Person,
}

fn tell(person: &Person, settings: &Settings, json: bool) -> Result<(), PersonError> {
    if json {
        let signed_in = SignedInAt {
            gateway: settings.gateway.origin(),
            person,
        };
        println!("{}", serde_json::to_string(&signed_in)?);
    } else {
        println!(
            "Signed in at {} as {} (person {})",
            settings.gateway, person.name, person.id
        );
    }
    Ok(())
}
