//! `hallway hall list`, `show`, `grants` and `approvals`: tables for people.

use hallway_evidence::RealmName;
use hallway_hall::HallName;
use serde_json::Value;

use super::HallCommandError;
use super::manage::How;
use crate::person::Caller;
use crate::table::{self, Column, text};

const HALLS: [Column; 4] = [
    (&["name"], "HALL"),
    (&["rights"], "YOU MAY"),
    (&["inside"], "INSIDE"),
    (&["title"], "TITLE"),
];

const GRANTS: [Column; 8] = [
    (&["id"], "GRANT"),
    (&["state"], "STATE"),
    (&["ended_ms", "ends_ms"], "UNTIL"),
    (&["host"], "AT"),
    (&["hall"], "HALL"),
    (&["rights"], "MAY"),
    (&["name", "person"], "WHOSE"),
    (&["home"], "FROM"),
];

const APPROVALS: [Column; 6] = [
    (&["id"], "GRANT"),
    (&["approve_until_ms"], "APPROVE BY"),
    (&["ends_ms"], "OPEN UNTIL"),
    (&["hall"], "HALL"),
    (&["rights"], "MAY"),
    (&["name", "person"], "WHOSE"),
];

/// The lists of a hall, each with its columns.
const PARTS: [(&str, &[Column]); 5] = [
    (
        "demands",
        &[
            (&["rights"], "TO"),
            (&["needs"], "YOU NEED TO ENTER"),
            (&["missing"], "WHAT YOU LACK NOW"),
        ],
    ),
    ("stores", &[(&["name"], "STORE"), (&["agent"], "BY AGENT")]),
    (
        "services",
        &[(&["name"], "SERVICE"), (&["agent"], "BY AGENT")],
    ),
    (
        "guests",
        &[
            (&["guest"], "GUEST"),
            (&["rights"], "MAY"),
            (&["admitted_ms"], "SINCE"),
            (&["needs"], "DEMANDED"),
        ],
    ),
    (
        "agents",
        &[
            (&["name"], "AGENT"),
            (&["stores"], "STORES"),
            (&["services"], "SERVICES"),
            (&["invited_ms"], "INVITED"),
            (&["joined_ms"], "JOINED"),
            (&["presence"], "NOW"),
        ],
    ),
];

/// The halls here, or those of a partner.
pub(super) fn halls(how: &How, at: Option<&RealmName>) -> Result<(), HallCommandError> {
    let path = match at {
        None => "/api/halls".to_owned(),
        Some(realm) => format!("/api/partners/{realm}/halls"),
    };
    show(how, &path, |found| table::print(found, &HALLS, "No halls."))
}

/// One hall, with its lists.
pub(super) fn hall(how: &How, name: &HallName) -> Result<(), HallCommandError> {
    show(how, &format!("/api/halls/{name}"), |found| {
        println!("{:<10}{}", "hall", text("name", &found["name"]));
        println!("{:<10}{}", "title", text("title", &found["title"]));
        println!("{:<10}{}", "you may", text("rights", &found["rights"]));
        println!("{:<10}{}", "inside", text("inside", &found["inside"]));
        for (name, columns) in PARTS {
            let rows = found[name].as_array().map_or(&[][..], Vec::as_slice);
            let lines = table::lines(rows, columns);
            if !lines.is_empty() {
                println!("\n{}", lines.join("\n"));
            }
        }
    })
}

/// Grants that are open, or were.
pub(super) fn grants(how: &How) -> Result<(), HallCommandError> {
    show(how, "/api/grants", |found| {
        table::print(found, &GRANTS, "No grants.")
    })
}

/// Openings that wait for an approval.
pub(super) fn approvals(how: &How) -> Result<(), HallCommandError> {
    show(how, "/api/approvals", |found| {
        table::print(found, &APPROVALS, "Nothing waits for an approval.")
    })
}

fn show(how: &How, path: &str, print: impl FnOnce(&Value)) -> Result<(), HallCommandError> {
    let mut caller = Caller::new(&how.person)?;
    let found: Value = super::run(async { Ok(caller.get(path).await?) })?;
    if how.json {
        println!("{found}");
    } else {
        print(&found);
    }
    Ok(())
}
