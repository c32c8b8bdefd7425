//! A transaction that alone fails must not hold up those behind it.
//!
//! When a transaction could not be sent, the device asks for its state. No answer: the network or
//! the gateway has failed, and all transactions wait. Any answer: only this one transaction fails,
//! so others are sent before it is tried again, later each time. A transaction that was refused, or
//! whose answer makes no sense, is set aside after some attempts. After a broken connection, or
//! when the gateway says "later", the device keeps trying.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use hallway_client::backoff::Backoff;
use hallway_evidence::Timestamp;

use super::{Agent, AgentError, Standing};
use crate::event::Event;
use crate::refused;
use crate::signer::Signer;

/// A transaction that alone fails this often is set aside.
const MAX_FAILURES: u32 = 6;

/// From this wait on, doubled with each failure, a transaction is put off, and a file that is to be
/// set aside.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// How long they are put off at most.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// A file that is to be set aside and could not be, as on a full disk.
#[derive(Debug)]
pub(super) struct Stuck {
    /// Why the file is not sent.
    why: String,
    failures: u32,
    /// When the agent tries again to set it aside.
    until: Timestamp,
}

/// A transaction that others are sent before.
#[derive(Debug, Clone, Copy)]
pub(super) struct PutOff {
    failures: u32,
    /// When the transaction is tried again.
    pub(super) until: Timestamp,
}

/// The likely cause of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The network or the gateway: too slow for a long file, for example, or without room for it.
    Way,
    /// The transaction itself, or a filter on the way that refuses it.
    Transaction,
}

/// A transaction that failed, while it is not known whether others fail too.
#[derive(Debug)]
pub(super) struct Suspicion {
    ticket: u64,
    cause: Cause,
    why: String,
}

impl<S: Signer> Agent<S> {
    /// Notes that a transaction failed; the next request finds out whether the gateway answers at
    /// all.
    pub(super) fn suspect(&mut self, ticket: u64, cause: Cause, why: String) {
        self.suspicion = Some(Suspicion { ticket, cause, why });
    }

    /// Drops the suspicion, when the gateway does not answer: the transaction may not be the cause.
    pub(super) fn acquit(&mut self) {
        self.suspicion = None;
    }

    /// Blames the suspected transaction, when the gateway answers and the device may send.
    pub(super) fn judge(&mut self) -> Result<(), AgentError> {
        let Some(Suspicion { ticket, cause, why }) = self.suspicion.take() else {
            return Ok(());
        };
        let (Some(entry), Standing::Registered) = (self.entry(ticket), self.standing) else {
            return Ok(());
        };
        let failures = self.failures(ticket) + 1;
        if failures >= MAX_FAILURES && cause == Cause::Transaction {
            return self.set_aside(ticket, &entry.file, &why);
        }
        self.put_off(ticket, wait_after(failures));
        self.trouble(format!("{} is tried again later: {why}", entry.file));
        Ok(())
    }

    /// Counts a failure of a transaction, and lets others go before it for a while.
    pub(super) fn put_off(&mut self, ticket: u64, wait: Duration) {
        let failures = self.failures(ticket) + 1;
        let until = self.clock.now().plus(wait);
        self.put_off.insert(ticket, PutOff { failures, until });
    }

    /// How often a transaction alone failed.
    pub(super) fn failures(&self, ticket: u64) -> u32 {
        self.put_off.get(&ticket).map_or(0, |off| off.failures)
    }

    /// Forgets the failures of a transaction that leaves the queue.
    pub(super) fn forget(&mut self, ticket: u64) {
        self.stale.remove(&ticket);
        self.put_off.remove(&ticket);
    }

    /// Takes a transaction out of the queue and sets its file aside.
    pub(super) fn set_aside(
        &mut self,
        ticket: u64,
        file: &str,
        why: &str,
    ) -> Result<(), AgentError> {
        self.move_aside(OsStr::new(file), why);
        self.forget(ticket);
        self.spool.drop_entry(ticket)?;
        Ok(())
    }

    /// Moves a file to those that are refused. If that fails, the file stays and is not sent, and
    /// is moved once that is possible, unless it changes before.
    pub(super) fn move_aside(&mut self, file: &OsStr, why: &str) {
        let moved = refused::set_aside(self.spool.watched(), file, why, self.now());
        let name = file.to_string_lossy().into_owned();
        let place = match moved {
            Ok(place) => {
                self.watcher.forget(file);
                self.stuck.remove(file);
                self.recount();
                Some(place)
            }
            Err(error) => {
                tracing::warn!(%error, file = name, "cannot be set aside");
                self.watcher.ignore(file);
                let failures = self.stuck.get(file).map_or(0, |stuck| stuck.failures) + 1;
                let stuck = Stuck {
                    why: why.to_owned(),
                    failures,
                    until: self.clock.now().plus(wait_after(failures)),
                };
                self.stuck.insert(file.to_owned(), stuck);
                if failures > 1 {
                    return;
                }
                // The same trouble for all files, so that it is told once.
                self.trouble(format!(
                    "files that are not sent cannot be set aside: {error}; they stay in the \
                     folder, and the agent tries again"
                ));
                None
            }
        };
        self.tell(&Event::Refused {
            file: name,
            why: why.to_owned(),
            set_aside: place,
        });
    }

    /// Tries again to set aside files that could not be.
    pub(super) fn move_stuck(&mut self) {
        let watcher = &self.watcher;
        self.stuck.retain(|file, _| watcher.ignores(file));
        let now = self.clock.now();
        let due = self.stuck.iter().filter(|(_, stuck)| stuck.until <= now);
        let due: Vec<(OsString, String)> = due
            .map(|(file, stuck)| (file.clone(), stuck.why.clone()))
            .collect();
        for (file, why) in due {
            self.move_aside(&file, &why);
        }
    }

    /// Tells of entries that an earlier agent wrote and this agent can't read, and of files that
    /// are set aside: somebody has to look at them.
    pub(super) fn tell_what_was_left(&mut self) {
        let count = refused::count(self.spool.watched());
        if count > 0 {
            let folder = self.spool.path_of(refused::FOLDER);
            let what = format!(
                "{count} set aside in {}, each with the reason beside it",
                folder.display()
            );
            self.tell(&Event::Trouble { what });
        }
        for (path, why) in self.spool.take_damaged() {
            self.tell(&Event::Trouble {
                what: format!(
                    "{} is damaged: {why}; the file that it is about is signed again",
                    path.display()
                ),
            });
        }
    }
}

/// How long to wait after this many failures.
fn wait_after(failures: u32) -> Duration {
    Backoff::new(FIRST_WAIT, MAX_WAIT).doubled(failures)
}
