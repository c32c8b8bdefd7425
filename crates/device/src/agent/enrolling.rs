//! Enrols with a gateway, and follows the device's state.

use std::time::Duration;

use hallway_api::device::{Announced, Enrolment, EnrolmentStatement, State, Status};
use hallway_evidence::{Bundle, Statement, TrustFile};
use hallway_webauthn::wire::Base64Url;

use super::agreement::{self, MAX_SEQUENCE};
use super::{Agent, AgentError, Standing};
use crate::event::Event;
use crate::registration::{KnownRealm, Registration};
use crate::signer::Signer;

/// How long to wait before enrolling again when the gateway refused.
pub(super) const ENROL_RETRY: Duration = Duration::from_secs(30);

impl<S: Signer> Agent<S> {
    /// Signs the gateway's statement if it enrols the device, in the realm that is on record and
    /// for which the gateway's address may speak.
    pub(super) fn sign_enrolment(&mut self, given: &EnrolmentStatement) -> Result<(), AgentError> {
        let statement = match Statement::decode(&given.statement.0) {
            Ok(statement) => statement,
            Err(error) => {
                self.trouble(format!(
                    "the gateway's statement to enrol with cannot be read: {error}"
                ));
                self.back_off(ENROL_RETRY);
                return Ok(());
            }
        };
        let known = match &self.settings.trust {
            Some(trust) => Some(trust.realm.clone()),
            None => KnownRealm::load(&self.spool, &self.gateway.origin())?,
        };
        let known = known.as_deref();
        if let Err(why) = agreement::to_enrol(&statement, self.gateway.address(), known) {
            self.trouble(why.to_string());
            self.back_off(ENROL_RETRY);
            return Ok(());
        }
        let signed = self.signer.register(&statement)?;
        self.key_failures = 0;
        self.registration = Some(Registration {
            gateway: self.gateway.origin(),
            realm: statement.realm,
            credential: signed.credential_id.as_bytes().into(),
            announced: None,
            trust: self.settings.trust.clone(),
            grounds: None,
            sequence: 0,
        });
        self.enrolment = Some(Enrolment {
            signed_statement: Base64Url(signed.encode()),
            seal: given.seal.clone(),
        });
        Ok(())
    }

    /// Shows the code, when the gateway has accepted the enrolment.
    pub(super) fn announced(&mut self, announced: Announced) -> Result<(), AgentError> {
        self.tell_code(&announced);
        if let Some(registration) = &mut self.registration {
            registration.announced = Some(announced);
            registration.save(&self.spool)?;
            KnownRealm::of(registration).save(&self.spool)?;
        }
        self.standing = Standing::Announced;
        self.asked = self.clock.now();
        Ok(())
    }

    fn tell_code(&mut self, announced: &Announced) {
        self.tell(&Event::Code {
            code: announced.user_code.clone(),
            console: announced.console.clone(),
            expires_ms: announced.expires_ms,
        });
    }

    /// Follows the device's state, as the gateway tells it.
    pub(super) fn stands(&mut self, status: Status) -> Result<(), AgentError> {
        self.counted_to(status.last_sequence);
        let Some(registration) = &mut self.registration else {
            return Ok(());
        };
        let before = self.standing;
        match status.state {
            State::Announced | State::Claimed => {
                let code = registration.announced.clone();
                self.standing = Standing::Announced;
                // After a restart the code has to be shown again.
                if let (Some(code), Standing::Unknown) = (code, before) {
                    self.tell_code(&code);
                }
            }
            State::Registered => {
                self.trust(status.trust)?;
                let grounds = self.ours(status.receipts, &status.serial);
                if let Some(registration) = &mut self.registration {
                    registration.announced = None;
                    registration.grounds = grounds.or(registration.grounds.take());
                    registration.save(&self.spool)?;
                }
                self.standing = Standing::Registered;
                if before != Standing::Registered {
                    self.tell(&Event::Registered {
                        serial: status.serial,
                        owner: status.owner,
                    });
                }
            }
            State::Released => {
                // The next owner must not see files that the last owner did not send.
                let waiting: Vec<(u64, String)> = self
                    .spool
                    .queue()
                    .map(|(ticket, entry)| (ticket, entry.file.clone()))
                    .collect();
                for (ticket, file) in waiting {
                    self.set_aside(ticket, &file, "the device was released before it was sent")?;
                }
                self.tell(&Event::Barred {
                    state: State::Released,
                });
                self.start_over()?;
            }
            State::Unknown => self.unknown()?,
            state @ (State::Suspended | State::Stolen | State::Retired) => {
                self.standing = Standing::Barred(state);
                if before != self.standing {
                    self.tell(&Event::Barred { state });
                }
            }
        }
        Ok(())
    }

    /// The receipts, if they are about this device. Others must not be kept beside its files.
    fn ours(&mut self, receipts: Option<Base64Url>, serial: &str) -> Option<Base64Url> {
        let receipts = receipts?;
        let registration = self.registration.as_ref()?;
        let credential = registration.credential_id()?;
        let grounds = Bundle::decode(&receipts.0).ok();
        let is_ours = grounds.is_some_and(|grounds| {
            agreement::is_about(&grounds, &credential, &registration.realm, serial)
        });
        if !is_ours {
            self.trouble("the gateway gives receipts that are not about this device".to_owned());
        }
        is_ours.then_some(receipts)
    }

    /// Notes the last sequence number that the gateway has of this device.
    pub(super) fn counted_to(&mut self, last: u64) {
        if last > MAX_SEQUENCE {
            self.trouble(format!(
                "the gateway says that this device has counted to {last}"
            ));
        } else if let Some(registration) = &mut self.registration {
            registration.sequence = registration.sequence.max(last);
        }
    }

    /// Enrols again when the gateway does not know the credential: the code expired, or the
    /// registration was erased.
    pub(super) fn unknown(&mut self) -> Result<(), AgentError> {
        let was_taken = self
            .registration
            .as_ref()
            .is_some_and(|registration| registration.announced.is_none());
        if was_taken {
            self.tell(&Event::Barred {
                state: State::Unknown,
            });
        }
        // The files are still there, and are signed again with the next credential.
        let tickets: Vec<u64> = self.spool.queue().map(|(ticket, _)| ticket).collect();
        for ticket in tickets {
            self.forget(ticket);
            self.spool.drop_entry(ticket)?;
        }
        self.start_over()
    }

    fn start_over(&mut self) -> Result<(), AgentError> {
        Registration::forget(&self.spool)?;
        self.registration = None;
        self.enrolment = None;
        self.stale.clear();
        self.standing = Standing::Enrolling;
        Ok(())
    }

    /// Keeps the realm's trust file: any one at first, never one with another log key later.
    fn trust(&mut self, offered: TrustFile) -> Result<(), AgentError> {
        let Some(registration) = &mut self.registration else {
            return Ok(());
        };
        if offered.realm.as_str() != registration.realm.as_str() {
            return Err(AgentError::OtherRealm {
                registered: registration.realm.to_string(),
                shown: offered.realm.to_string(),
            });
        }
        match &registration.trust {
            Some(pinned) if pinned.log != offered.log || pinned.realm != offered.realm => {
                Err(AgentError::LogKey)
            }
            _ => {
                registration.trust = Some(offered);
                Ok(())
            }
        }
    }
}
