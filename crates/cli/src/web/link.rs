//! `hallway link`: the one-time links by which keys are registered and people sign in.

use clap::{Args, Subcommand};
use hallway_evidence::Printable;
use serde_json::Value;

use crate::person::{ActRequest, Caller, LinkId, PersonArguments, PersonError};
use crate::table::{self, Column};

/// One-time links: make one for yourself, see which are open, and withdraw them.
///
/// Exit codes: 0 done, 1 it failed, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct LinkCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Allow yourself to register another key, with a touch of one that you have.
    ///
    /// Prints a link, valid for a quarter of an hour: give it to "hallway join" with the new key,
    /// or open it in a browser on the computer or phone where that key is.
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
    /// List the links that are open: your own, and everybody's for an owner.
    List {
        #[command(flatten)]
        how: How,
    },
    /// Withdraw a link, with a touch: it no longer works.
    Withdraw {
        /// The link's id, or enough of its first letters to tell it from the others.
        link: String,
        #[command(flatten)]
        how: How,
    },
}

/// What a list of links shows.
const COLUMNS: &[Column] = &[
    (&["id"], "ID"),
    (&["name"], "FOR"),
    (&["purpose"], "OPENS"),
    (&["role"], "ROLE"),
    (&["made_by"], "MADE BY"),
    (&["expires_ms"], "UNTIL"),
];

/// The arguments of every `hallway link` command.
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
            &ActRequest::AddKey,
            "Register the new key by this link, within a quarter of an hour:",
        ),
        Action::SignIn { how } => make(
            &how,
            &ActRequest::SignInLink,
            "Open this link in a browser, within a quarter of an hour:",
        ),
        Action::List { how } => {
            let links = list(&how)?;
            if how.json {
                println!("{links}");
            } else {
                table::print(&links, COLUMNS, "No links are open.");
            }
            Ok(())
        }
        Action::Withdraw { link, how } => {
            let link = one_of(&list(&how)?, &link)?;
            let done = act(&how, &ActRequest::WithdrawLink { link })?;
            if how.json {
                println!("{done}");
            } else {
                eprintln!("The link no longer works.");
            }
            Ok(())
        }
    }
}

fn make(how: &How, request: &ActRequest, what_to_do: &str) -> Result<(), PersonError> {
    let made = act(how, request)?;
    if how.json {
        println!("{made}");
    } else {
        eprintln!("{what_to_do}");
        println!("{}", Printable(made["link"].as_str().unwrap_or_default()));
    }
    Ok(())
}

fn act(how: &How, request: &ActRequest) -> Result<Value, PersonError> {
    let mut caller = Caller::new(&how.person)?;
    let done = crate::runtime()?.block_on(caller.act(request))?;
    Ok(done.outcome)
}

fn list(how: &How) -> Result<Value, PersonError> {
    let mut caller = Caller::new(&how.person)?;
    crate::runtime()?.block_on(caller.get("/api/links"))
}

/// The id of the one link whose id begins with `start`.
fn one_of(links: &Value, start: &str) -> Result<LinkId, PersonError> {
    let all = links.as_array().into_iter().flatten();
    let ids: Vec<&str> = all
        .filter_map(|link| link["id"].as_str())
        .filter(|id| !start.is_empty() && id.starts_with(start))
        .collect();
    match ids.as_slice() {
        [one] => {
            let mut hash = [0; 32];
            hex::decode_to_slice(one, &mut hash)
                .map_err(|_| PersonError::NoSuchLink(start.to_owned()))?;
            Ok(LinkId(hash))
        }
        [] => Err(PersonError::NoSuchLink(start.to_owned())),
        _ => Err(PersonError::ManyLinks(start.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_link_is_named_by_its_first_letters() {
        let [a, b, c] = ["ab12", "ab34", "cd56"].map(|start| format!("{start:0<64}"));
        let links = json!([{ "id": a }, { "id": b }, { "id": c }]);
        assert_eq!(one_of(&links, "c").unwrap().to_string(), c);
        assert_eq!(one_of(&links, "ab34").unwrap().to_string(), b);
        for (start, expected) in [
            ("ab", "several"),
            ("x", "no open link"),
            ("", "no open link"),
        ] {
            let refused = one_of(&links, start).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
