//! Signing files, when they appear and again when the gateway asks for it.

use std::io;
use std::time::Duration;

use bytes::Bytes as Body;
use hallway_api::device::{Question, State};
use hallway_evidence::statement::Act;
use hallway_evidence::statement::device::{self, Delivery, Payload};
use hallway_evidence::{Hash, Line, Statement, Timestamp};
use hallway_webauthn::wire::Base64Url;

use super::requests::{Request, Transaction};
use super::{Agent, AgentError, Freshness, Standing};
use crate::event::Event;
use crate::folder::{FileError, Folder};
use crate::media_type::media_type;
use crate::signer::{Signer, SignerError};
use crate::spool::{Entry, SpoolError};
use crate::watcher::{Found, Misfit};

/// Files younger than this are sent as live. Gateways accept files that are a few minutes old.
const LIVE_FOR: Duration = Duration::from_secs(60);

/// A file whose time is at most this long ago when it is seen got that time from this device's
/// clock.
const STAMPED_WITHIN: Duration = Duration::from_secs(10 * 60);

/// How a transaction is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signing {
    /// As live if it is live, else as queued.
    New,
    /// As queued: the gateway said that it is no longer live.
    Queued,
    /// Under a challenge of the gateway's, with the challenge's seal.
    Challenged(Hash, Base64Url),
}

impl<S: Signer> Agent<S> {
    /// Signs every file that is whole and was not signed yet. Returns whether the folder is done:
    /// nothing waits, and nothing is still being written.
    pub(super) fn look_and_sign(&mut self) -> Result<bool, AgentError> {
        self.move_stuck();
        if !self.may_sign() {
            return Ok(false);
        }
        let now = self.clock.now();
        let (watcher, spool) = (&mut self.watcher, &self.spool);
        let found = watcher
            .look(now, |name| spool.holds(name))
            .map_err(AgentError::Folder)?;
        for found in found {
            let read = found.and_then(|name| {
                let misfit = |why| Misfit {
                    name: name.clone().into(),
                    why,
                };
                self.watcher.read(&name, now).map_err(misfit)
            });
            match read {
                Ok(None) => {}
                Ok(Some(found)) => self.sign_new(&found)?,
                Err(Misfit { name, why }) => self.move_aside(&name, &why.to_string()),
            }
        }
        Ok(!self.watcher.expects_more() && self.spool.first().is_none())
    }

    /// Whether the device signs. It does once an owner has claimed it, with or without a network,
    /// but not when it was stolen or retired.
    fn may_sign(&self) -> bool {
        let taken = self
            .registration
            .as_ref()
            .is_some_and(|registration| registration.announced.is_none());
        taken
            && matches!(
                self.standing,
                Standing::Unknown | Standing::Registered | Standing::Barred(State::Suspended)
            )
    }

    fn sign_new(&mut self, found: &Found) -> Result<(), AgentError> {
        let Ok(file_name) = Line::new(found.name.as_str()) else {
            return Ok(());
        };
        let payload = Payload::of(
            &found.bytes,
            Line::nearest(media_type(&found.name, &found.bytes)),
            file_name,
        );
        let stamp = Stamp {
            modified: found.modified,
            by_our_clock: self.clock.now().distance(found.modified) <= STAMPED_WITHIN,
        };
        let entry = self.sign(payload, stamp, Signing::New)?;
        let (sequence, delivery) = (entry.sequence, delivery_of(&entry));
        match self.spool.push(entry) {
            Ok(_) => {
                self.watcher.forget(&found.name);
                self.tell(&Event::Signed {
                    file: found.name.clone(),
                    sequence,
                    delivery,
                });
                Ok(())
            }
            Err(full @ SpoolError::Full(_)) => {
                // The file is still there, so the next look finds it again.
                self.trouble(full.to_string());
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Signs a transaction with the next sequence number.
    fn sign(
        &mut self,
        payload: Payload,
        stamp: Stamp,
        signing: Signing,
    ) -> Result<Entry, AgentError> {
        let now = self.now();
        let taken = self.taken(stamp);
        let fresh = now.distance(taken) <= LIVE_FOR && self.online;
        let delivery = match self.standing {
            Standing::Registered if fresh && signing != Signing::Queued => Delivery::Live,
            _ => Delivery::Queued,
        };
        let registration = self.registration.as_mut().ok_or_else(unregistered)?;
        let credential = registration.credential_id().ok_or_else(unregistered)?;
        // Numbers never go back: they give the order in which files were signed, whenever their
        // bytes were taken.
        registration.sequence += 1;
        let sequence = registration.sequence;
        let (challenge, seal) = match signing {
            Signing::Challenged(challenge, seal) => (Some(challenge), Some(seal)),
            Signing::New | Signing::Queued => (None, None),
        };
        let (file, length) = (payload.file_name.as_str().to_owned(), payload.length);
        let media_type = payload.media_type.as_str().to_owned();
        let statement = Statement {
            realm: registration.realm.clone(),
            issued: now,
            nonce: nonce(),
            act: device::Transaction {
                sequence,
                taken,
                delivery,
                payload,
                challenge,
            }
            .into(),
        };
        let signed = self.signer.sign(&credential, &statement)?;
        self.key_failures = 0;
        Ok(Entry {
            file,
            length,
            sequence,
            taken_ms: taken,
            by_our_clock: stamp.by_our_clock,
            media_type,
            signed_statement: Base64Url(signed.encode()),
            seal,
        })
    }

    /// The request for the device's state.
    pub(super) fn question(&mut self) -> Result<Request, AgentError> {
        self.asked = self.clock.now();
        let set_aside = self.state_tally();
        let registration = self.registration.as_ref().ok_or_else(unregistered)?;
        let credential = registration.credential_id().ok_or_else(unregistered)?;
        let statement = Statement {
            realm: registration.realm.clone(),
            issued: self.now(),
            nonce: nonce(),
            act: device::Status {}.into(),
        };
        let signed = self.signer.sign(&credential, &statement)?;
        self.key_failures = 0;
        Ok(Request::Status(Question {
            signed_statement: Base64Url(signed.encode()),
            set_aside: Some(set_aside),
        }))
    }

    /// The first due transaction of the queue, if its file can be read back and still has the bytes
    /// that were signed.
    pub(super) fn next_transaction(&mut self) -> Result<Option<Request>, AgentError> {
        let now = self.clock.now();
        while let Some((ticket, entry)) = self.first_due(now) {
            let watched = self.spool.open_watched().map_err(AgentError::Folder)?;
            let read = match read_back(&watched, &entry) {
                Ok(read) => read,
                Err(why) => {
                    self.set_aside(ticket, &entry.file, &format!("it cannot be read: {why}"))?;
                    continue;
                }
            };
            let Some((payload, stamp, bytes)) = read else {
                // Gone or changed: nobody will ever have the bytes that were signed. A changed file
                // is signed as a new one.
                tracing::info!(file = entry.file, "is gone or changed since it was signed");
                self.forget(ticket);
                self.spool.drop_entry(ticket)?;
                continue;
            };
            let entry = match self.stale.get(&ticket).cloned() {
                None => entry,
                Some(signing) => match self.sign_again(ticket, payload, stamp, signing)? {
                    Some(entry) => entry,
                    None => return Ok(None),
                },
            };
            if self.settings.freshness == Freshness::Challenge
                && entry.seal.is_none()
                && delivery_of(&entry) == Delivery::Live
            {
                return Ok(Some(Request::Challenge(ticket)));
            }
            return Ok(Some(Request::Send(Transaction {
                ticket,
                signed_statement: entry.signed_statement.0,
                seal: entry.seal,
                media_type: entry.media_type,
                payload: bytes,
            })));
        }
        Ok(None)
    }

    /// Signs the transaction with this ticket under the gateway's challenge.
    pub(super) fn sign_challenged(
        &mut self,
        ticket: u64,
        challenge: Hash,
        seal: Base64Url,
    ) -> Result<(), AgentError> {
        let Some(entry) = self.entry(ticket) else {
            return Ok(());
        };
        // If the file can't be read now, it is read once more before it is sent.
        let watched = self.spool.open_watched().map_err(AgentError::Folder)?;
        if let Ok(Some((payload, stamp, _))) = read_back(&watched, &entry) {
            let signing = Signing::Challenged(challenge, seal);
            self.sign_again(ticket, payload, stamp, signing)?;
        }
        Ok(())
    }

    /// The first entry of the queue that was not put off.
    fn first_due(&self, now: Timestamp) -> Option<(u64, Entry)> {
        let mut queue = self.spool.queue();
        queue
            .find(|(ticket, _)| self.put_off.get(ticket).is_none_or(|off| off.until <= now))
            .map(|(ticket, entry)| (ticket, entry.clone()))
    }

    pub(super) fn entry(&self, ticket: u64) -> Option<Entry> {
        self.spool
            .queue()
            .find(|(at, _)| *at == ticket)
            .map(|(_, entry)| entry.clone())
    }

    /// Signs an entry again, with the next sequence number. `None` when the disk is full.
    fn sign_again(
        &mut self,
        ticket: u64,
        payload: Payload,
        stamp: Stamp,
        signing: Signing,
    ) -> Result<Option<Entry>, AgentError> {
        let entry = self.sign(payload, stamp, signing)?;
        match self.spool.replace(ticket, entry.clone()) {
            Ok(()) => {
                self.stale.remove(&ticket);
                Ok(Some(entry))
            }
            Err(full @ SpoolError::Full(_)) => {
                self.trouble(full.to_string());
                self.back_off(Duration::ZERO);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether an entry was signed as live, or so long ago that signing it again as queued makes a
    /// difference.
    pub(super) fn was_signed_before(&self, entry: &Entry) -> bool {
        let statement = entry.signed().and_then(|signed| signed.read_statement());
        let signed_just_now =
            statement.is_ok_and(|said| said.issued.distance(self.now()) <= LIVE_FOR);
        delivery_of(entry) == Delivery::Live || !signed_just_now
    }

    /// When a file's bytes were taken: its own time, and nothing else. Only a time from this
    /// device's clock is corrected as that clock was.
    fn taken(&self, stamp: Stamp) -> Timestamp {
        let offset = if stamp.by_our_clock {
            self.clock_offset_ms
        } else {
            0
        };
        Timestamp::from_ms(stamp.modified.as_ms().saturating_add_signed(offset))
    }
}

/// The time of a file.
#[derive(Debug, Clone, Copy)]
struct Stamp {
    /// The time that the file system has.
    modified: Timestamp,
    /// Whether the time comes from this device's clock, as it is now.
    by_our_clock: bool,
}

/// The payload that an entry describes, the file's time, and the bytes, if the file in the watched
/// folder still has them.
fn read_back(watched: &Folder, entry: &Entry) -> io::Result<Option<(Payload, Stamp, Body)>> {
    let content = match watched.read(&entry.file, entry.length) {
        Ok(content) => content,
        Err(FileError::Gone | FileError::NotAFile | FileError::TooLong(_)) => return Ok(None),
        Err(FileError::System(why)) => return Err(why),
    };
    let stamp = Stamp {
        modified: content.metadata.modified()?.into(),
        by_our_clock: entry.by_our_clock,
    };
    Ok(entry
        .payload()
        .filter(|payload| payload.matches(&content.bytes))
        .map(|payload| (payload, stamp, content.bytes.into())))
}

/// The delivery that an entry's statement says; queued if it cannot be read.
fn delivery_of(entry: &Entry) -> Delivery {
    let statement = entry.signed().and_then(|signed| signed.read_statement());
    match statement.map(|statement| statement.act) {
        Ok(Act::DeviceTransaction(terms)) => terms.delivery,
        _ => Delivery::Queued,
    }
}

/// 16 random bytes; the time when there is no randomness, which still makes statements differ.
fn nonce() -> [u8; 16] {
    let mut nonce = [0; 16];
    if getrandom::fill(&mut nonce).is_err() {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        nonce = since.map_or(0, |since| since.as_nanos()).to_be_bytes();
    }
    nonce
}

fn unregistered() -> AgentError {
    AgentError::Signer(SignerError::Unregistered)
}
