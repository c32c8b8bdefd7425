//! Signing files, when they appear and again when the gateway asks for it.

use std::fs;
use std::io;
use std::time::Duration;

use bytes::Bytes as Body;
use hallway_evidence::statement::device::{Delivery, Payload, Transaction as Terms};
use hallway_evidence::statement::{Act, Device};
use hallway_evidence::{Hash, Line, Statement, Timestamp};

use super::requests::{Request, Transaction};
use super::{Agent, AgentError, Freshness, Standing};
use crate::event::Event;
use crate::protocol::{Bytes, Question, State};
use crate::signer::{Signer, SignerError};
use crate::spool::{Entry, SpoolError};
use crate::watcher::{Found, media_type};

/// What is younger than this is sent as live. Gateways take what is a few minutes old.
const LIVE: Duration = Duration::from_secs(60);

/// How a transaction is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signing {
    /// As live if it is, else as queued.
    New,
    /// As queued: the gateway said that it is not live any more.
    Queued,
    /// Under a challenge of the gateway's, with the challenge's seal.
    Challenged(Hash, Bytes),
}

impl<S: Signer> Agent<S> {
    /// Signs every file that is whole and was not signed yet. Tells whether the folder is done with:
    /// nothing waits, and nothing is still being written.
    pub(super) fn look_and_sign(&mut self) -> Result<bool, AgentError> {
        if !self.may_sign() {
            return Ok(false);
        }
        let now = self.clock.now();
        let (watcher, spool) = (&mut self.watcher, &self.spool);
        let found = watcher
            .look(now, |name| spool.holds(name))
            .map_err(AgentError::Folder)?;
        for found in found {
            let read = match found {
                Ok(name) => self.watcher.read(&name, now).map_err(|why| (name, why)),
                Err((name, why)) => Err((name, why)),
            };
            match read {
                Ok(None) => {}
                Ok(Some(found)) => self.sign_new(&found)?,
                Err((file, why)) => self.tell(&Event::Refused {
                    file,
                    why: why.to_string(),
                }),
            }
        }
        Ok(!self.watcher.expects_more() && self.spool.first().is_none())
    }

    /// A device that was taken by an owner signs, with or without a network; not when it was
    /// stolen or retired.
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
            Line::nearest(media_type(&found.name)),
            file_name,
        );
        let taken = self.corrected(found.modified);
        let entry = self.sign(payload, taken, Signing::New)?;
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
        taken: Timestamp,
        signing: Signing,
    ) -> Result<Entry, AgentError> {
        let now = self.now();
        let fresh = now.distance(taken) <= LIVE && self.online;
        let delivery = match self.standing {
            Standing::Registered if fresh && signing != Signing::Queued => Delivery::Live,
            _ => Delivery::Queued,
        };
        let registration = self.registration.as_mut().ok_or_else(unregistered)?;
        let credential = registration.credential_id().ok_or_else(unregistered)?;
        // Neither numbers nor times go back, whatever the clock does.
        registration.sequence += 1;
        registration.taken_ms = registration.taken_ms.max(taken);
        let (sequence, taken) = (registration.sequence, registration.taken_ms);
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
            act: Device::Transaction(Terms {
                sequence,
                taken,
                delivery,
                payload,
                challenge,
            })
            .into(),
        };
        let signed = self.signer.sign(&credential, &statement)?;
        self.key_failures = 0;
        Ok(Entry {
            file,
            length,
            sequence,
            taken_ms: taken,
            media_type,
            signed_statement: Bytes(signed.encode()),
            seal,
        })
    }

    /// The question how the device stands.
    pub(super) fn question(&mut self) -> Result<Request, AgentError> {
        self.asked = self.clock.now();
        let registration = self.registration.as_ref().ok_or_else(unregistered)?;
        let credential = registration.credential_id().ok_or_else(unregistered)?;
        let statement = Statement {
            realm: registration.realm.clone(),
            issued: self.now(),
            nonce: nonce(),
            act: Device::Status.into(),
        };
        let signed = self.signer.sign(&credential, &statement)?;
        self.key_failures = 0;
        Ok(Request::Status(Question {
            signed_statement: Bytes(signed.encode()),
        }))
    }

    /// The first transaction of the queue, once its file was read back and is still what was
    /// signed.
    pub(super) fn next_transaction(&mut self) -> Result<Option<Request>, AgentError> {
        while let Some((ticket, entry)) = self.spool.first() {
            let entry = entry.clone();
            let Some((payload, taken, bytes)) = self.read_back(&entry)? else {
                // Gone or changed: nobody will ever have the bytes that were signed. What is there
                // now is signed as a new file.
                tracing::info!(file = entry.file, "is gone or changed since it was signed");
                self.stale.remove(&ticket);
                self.spool.drop_entry(ticket)?;
                continue;
            };
            let entry = match self.stale.get(&ticket).cloned() {
                None => entry,
                Some(signing) => match self.sign_again(ticket, payload, taken, signing)? {
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
        seal: Bytes,
    ) -> Result<(), AgentError> {
        let Some(entry) = self.entry(ticket) else {
            return Ok(());
        };
        if let Some((payload, taken, _)) = self.read_back(&entry)? {
            let signing = Signing::Challenged(challenge, seal);
            self.sign_again(ticket, payload, taken, signing)?;
        }
        Ok(())
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
        taken: Timestamp,
        signing: Signing,
    ) -> Result<Option<Entry>, AgentError> {
        let entry = self.sign(payload, taken, signing)?;
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

    /// What an entry describes, when the file was written, and the bytes themselves, if the file
    /// still has them.
    fn read_back(&self, entry: &Entry) -> Result<Option<(Payload, Timestamp, Body)>, AgentError> {
        let path = self.spool.path_of(&entry.file);
        let modified = match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => metadata.modified(),
            _ => return Ok(None),
        };
        let taken = modified.map_or(entry.taken_ms, |modified| self.corrected(modified.into()));
        match fs::read(&path) {
            Ok(bytes) => Ok(entry
                .payload()
                .filter(|payload| payload.matches(&bytes))
                .map(|payload| (payload, taken, bytes.into()))),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(AgentError::Folder(why)),
        }
    }

    /// A time that the file system tells, by the clock as it was corrected since; never later
    /// than now.
    fn corrected(&self, modified: Timestamp) -> Timestamp {
        let corrected = modified.as_ms().saturating_add_signed(self.clock_offset_ms);
        Timestamp::from_ms(corrected).min(self.now())
    }
}

/// Whether an entry's statement says that it is live.
pub(super) fn delivery_of(entry: &Entry) -> Delivery {
    let statement = entry.signed().and_then(|signed| signed.read_statement());
    match statement.map(|statement| statement.act) {
        Ok(Act::Device(Device::Transaction(terms))) => terms.delivery,
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
    AgentError::Signer(SignerError::CredentialId(
        hallway_evidence::CredentialIdError(0),
    ))
}
