//! `hallway join`, `sign-in` and `sign-out`.

use clap::Args;
use serde_json::{Value, json};

use super::{PersonArguments, PersonError, Settings, Visitor};

/// Register a security key by a one-time link, and sign in with it.
///
/// The gateway is the one that the link is of.
///
/// Exit codes: 0 done, 1 it failed, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct JoinCommand {
    /// The link, as whoever invited you sent it.
    link: String,
    /// Your name, where the link does not say it: that of the first owner.
    #[arg(long)]
    name: Option<String>,
    /// What to call the key.
    #[arg(long, default_value = "security key")]
    label: String,
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
    let (gateway, token) = split(&command.link)?;
    let settings = command.person.settings_at(gateway)?;
    let mut visitor = Visitor::at(&command.person, settings)?;
    let joining = visitor.join(token, command.name.as_deref(), &command.label);
    let who = crate::runtime()?.block_on(joining)?;
    tell(&who, visitor.settings(), command.json);
    Ok(())
}

/// A one-time link is `ORIGIN/join#TOKEN`.
fn split(link: &str) -> Result<(&str, &str), PersonError> {
    let (address, token) = link.split_once('#').ok_or(PersonError::NotALink)?;
    let gateway = address.strip_suffix("/join").ok_or(PersonError::NotALink)?;
    Ok((gateway, token))
}

pub(crate) fn sign_in(command: &SignInCommand) -> Result<(), PersonError> {
    let mut visitor = Visitor::new(&command.person)?;
    let who = crate::runtime()?.block_on(visitor.sign_in())?;
    tell(&who, visitor.settings(), command.json);
    Ok(())
}

pub(crate) fn sign_out(command: &SignOutCommand) -> Result<(), PersonError> {
    let mut visitor = Visitor::new(&command.person)?;
    crate::runtime()?.block_on(visitor.sign_out())
}

fn tell(who: &Value, settings: &Settings, json: bool) {
    if json {
        println!("{}", json!({ "gateway": settings.gateway, "person": who }));
    } else {
        let name = who["name"].as_str().unwrap_or_default();
        println!("Signed in at {} as {name}", settings.gateway);
    }
}
