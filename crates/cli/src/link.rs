//! `hallway link`: the one-time links by which keys are registered and people sign in.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::person::{PersonArguments, PersonError, Visitor};

/// One-time links: make one for yourself.
///
/// Exit codes: 0 done, 1 it failed, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct LinkCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Let yourself register a further key, with a touch of one that you have.
    ///
    /// Prints a link, good for a quarter of an hour: give it to "hallway join" with the new key, or
    /// open it in a browser on the computer or phone where that key is.
    AddKey {
        #[command(flatten)]
        how: How,
    },
    /// Sign in elsewhere without a key, once, with a touch of one here.
    ///
    /// Prints a link to open in a browser within a quarter of an hour.
    SignIn {
        #[command(flatten)]
        how: How,
    },
}

/// How every one of them goes.
#[derive(Debug, Args)]
struct How {
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    person: PersonArguments,
}

pub(crate) fn run(command: LinkCommand) -> Result<(), PersonError> {
    match command.action {
        Action::AddKey { how } => make(
            &how,
            "add_key",
            "Register the new key by this link, within a quarter of an hour:",
        ),
        Action::SignIn { how } => make(
            &how,
            "sign_in_link",
            "Open this link in a browser, within a quarter of an hour:",
        ),
    }
}

fn make(how: &How, kind: &str, what_to_do: &str) -> Result<(), PersonError> {
    let made = act(how, json!({ "kind": kind }))?;
    if how.json {
        println!("{made}");
    } else {
        eprintln!("{what_to_do}");
        println!("{}", made["link"].as_str().unwrap_or_default());
    }
    Ok(())
}

fn act(how: &How, act: Value) -> Result<Value, PersonError> {
    let mut visitor = Visitor::new(&how.person)?;
    crate::runtime()?.block_on(visitor.act(act))
}
