//! What `hallway open` prints: lines of JSON for programs, a page and a live line for people.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;

use hallway_api::hall::Waits;
use hallway_evidence::{Printable, Timestamp};
use hallway_hall::{Flow, Right, ServiceName, StoreName};
use indicatif::{HumanBytes, HumanDuration, ProgressBar};
use serde::Serialize;

use super::super::admission::USER;
use super::super::path::HallPlace;
use super::super::waiting::Announcement;
use crate::terminal;

/// Something that happened.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub(super) enum Event {
    /// Somebody else has to approve it first.
    Waiting {
        /// The grant's id, for `hallway hall approve`.
        grant: String,
        /// Who can, and until when.
        #[serde(flatten)]
        waits: Waits,
    },
    /// The certificate was renewed.
    Renewed {
        /// Until when it is valid, unix milliseconds.
        certificate_ends_ms: u64,
    },
    /// Something does not work, and is tried again.
    Problem { detail: String },
    /// The hall is closed.
    Ended { reason: String },
}

/// What is open, and where.
#[derive(Debug, Serialize)]
#[serde(rename = "open", tag = "event")]
pub(super) struct Doors<'a> {
    pub(super) hall: &'a HallPlace,
    pub(super) grant: String,
    pub(super) evidence: &'a str,
    pub(super) rights: &'a [Right],
    pub(super) ends_ms: u64,
    /// The Unix socket that the other commands use.
    pub(super) socket: String,
    pub(super) webdav: WebDav<'a>,
    pub(super) services: BTreeMap<ServiceName, String>,
}

/// The local WebDAV port.
#[derive(Debug, Serialize)]
pub(super) struct WebDav<'a> {
    url: String,
    user: &'static str,
    password: &'a str,
    stores: BTreeSet<StoreName>,
}

impl<'a> WebDav<'a> {
    pub(super) fn new(address: &str, password: &'a str, rights: &[Right]) -> Self {
        Self {
            url: format!("http://{address}/files/"),
            user: USER,
            password,
            stores: rights.iter().filter_map(Right::store).cloned().collect(),
        }
    }
}

/// Prints for a program or a person.
pub(super) struct Display {
    json: bool,
    live: ProgressBar,
}

impl Display {
    pub(super) fn new(json: bool) -> Self {
        let live = if json || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::new_spinner()
        };
        Self { json, live }
    }

    /// Prints what the opening waits for.
    pub(super) fn wait(&self, what: &Announcement<'_>) {
        if self.json {
            return print(&Event::Waiting {
                grant: what.grant.to_string(),
                waits: what.waits.clone(),
            });
        }
        eprintln!("{what}");
    }

    /// Prints what is open, and where.
    pub(super) fn open(&self, doors: &Doors<'_>) {
        if self.json {
            return print(doors);
        }
        let ends = Timestamp::from_ms(doors.ends_ms);
        println!("{} is open until {ends}", doors.hall);
        for store in &doors.webdav.stores {
            println!("  {store:<12} {}{store}/", doors.webdav.url);
        }
        if !doors.webdav.stores.is_empty() {
            println!(
                "  {:<12} user {USER}, password {}",
                "", doors.webdav.password
            );
        }
        for (service, address) in &doors.services {
            println!("  {service:<12} {}", Printable(address));
        }
        eprintln!("Ctrl-C closes it.");
    }

    /// Prints what happened.
    pub(super) fn tell(&self, event: &Event) {
        if self.json {
            return print(event);
        }
        let line = match event {
            Event::Waiting { .. } | Event::Renewed { .. } => return,
            Event::Problem { detail } => Printable(detail).to_string(),
            Event::Ended { reason } => format!("The hall is closed: {}", Printable(reason)),
        };
        self.live.suspend(|| eprintln!("{line}"));
    }

    /// Prints what happened, for programs only: people read it elsewhere.
    pub(super) fn tell_programs(&self, event: &Event) {
        if self.json {
            print(event);
        }
    }

    /// Updates the live line.
    pub(super) fn state(&self, flow: &Flow, ends_ms: u64) {
        let left = super::until(ends_ms);
        self.live.set_message(format!(
            "{} sent, {} received, {} left",
            HumanBytes(flow.received()),
            HumanBytes(flow.sent()),
            HumanDuration(left)
        ));
        self.live.tick();
    }
}

/// Prints one line. A reader that went away is no reason to close the hall.
fn print(what: &impl Serialize) {
    if let Ok(json) = serde_json::to_string(what) {
        terminal::announce(json);
    }
}
