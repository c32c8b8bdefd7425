//! Becoming known to a gateway, and finding out how the device stands.

use std::time::Duration;

use hallway_evidence::statement::{Act, Device};
use hallway_evidence::{Statement, TrustFile};

use super::{Agent, AgentError, Standing};
use crate::event::Event;
use crate::protocol::{Announced, Bytes, Enrolment, EnrolmentStatement, State, Status};
use crate::registration::Registration;
use crate::signer::Signer;

/// How long to wait before enrolling again when the gateway refused.
pub(super) const ENROL_AGAIN: Duration = Duration::from_secs(30);

impl<S: Signer> Agent<S> {
    /// Signs the gateway's statement, if it is one to enrol with and for a realm that the
    /// gateway's address may speak for.
    pub(super) fn sign_enrolment(&mut self, given: &EnrolmentStatement) -> Result<(), AgentError> {
        let statement = match Statement::decode(&given.statement.0) {
            Ok(statement) if statement.act == Act::Device(Device::Enrol) => statement,
            Ok(statement) => {
                let asked = statement.sentence();
                self.trouble(format!("asked to enrol, the gateway wants signed: {asked}"));
                self.back_off(ENROL_AGAIN);
                return Ok(());
            }
            Err(error) => {
                self.trouble(format!("the gateway's statement to enrol with: {error}"));
                self.back_off(ENROL_AGAIN);
                return Ok(());
            }
        };
        if !may_speak_for(&self.gateway.origin(), &statement.realm) {
            self.trouble(format!(
                "the gateway at {} speaks for {}, which is not its domain",
                self.gateway.origin(),
                statement.realm
            ));
            self.back_off(ENROL_AGAIN);
            return Ok(());
        }
        let signed = self.signer.register(&statement)?;
        self.registration = Some(Registration {
            gateway: self.gateway.origin(),
            realm: statement.realm,
            credential: Bytes(signed.credential_id.as_bytes().to_vec()),
            announced: None,
            trust: self.settings.trust.clone(),
            grounds: None,
            sequence: 0,
            taken_ms: hallway_evidence::Timestamp::default(),
        });
        self.enrolment = Some(Enrolment {
            signed_statement: Bytes(signed.encode()),
            seal: given.seal.clone(),
        });
        Ok(())
    }

    /// The gateway took the enrolment: show the code.
    pub(super) fn announced(&mut self, announced: Announced) -> Result<(), AgentError> {
        self.tell_code(&announced);
        if let Some(registration) = &mut self.registration {
            registration.announced = Some(announced);
            registration.save(&self.spool)?;
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

    /// The answer to the question how the device stands.
    pub(super) fn stands(&mut self, status: Status) -> Result<(), AgentError> {
        let Some(registration) = &mut self.registration else {
            return Ok(());
        };
        registration.sequence = registration.sequence.max(status.last_sequence);
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
                if let Some(registration) = &mut self.registration {
                    registration.announced = None;
                    registration.grounds = status.receipts.or(registration.grounds.take());
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
                // What its owner did not send is not for the next one to see.
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

    /// The gateway does not know the credential: the code expired, or the registration was erased.
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

    /// Keeps whom to trust: anybody at first, never another log key later.
    fn trust(&mut self, offered: TrustFile) -> Result<(), AgentError> {
        let Some(registration) = &mut self.registration else {
            return Ok(());
        };
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

/// Whether a page at `origin` may use `realm` as its relying party id (WebAuthn Level 3, 5.1.3):
/// it is the host or a domain above it.
fn may_speak_for(origin: &str, realm: &str) -> bool {
    let Some((_, rest)) = origin.split_once("://") else {
        return false;
    };
    // Behind the last colon stands the port; hosts with colons of their own are in brackets.
    let host = match rest.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => rest,
    };
    host == realm
        || (realm.contains('.')
            && host
                .strip_suffix(realm)
                .is_some_and(|above| above.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::may_speak_for;

    #[test]
    fn a_gateway_speaks_for_its_own_domain_only() {
        for (origin, realm) in [
            ("https://gate.example", "gate.example"),
            ("https://gate.example:8443", "gate.example"),
            ("https://a.gate.example", "gate.example"),
            ("http://localhost:8080", "localhost"),
        ] {
            assert!(may_speak_for(origin, realm), "{origin} {realm}");
        }
        for (origin, realm) in [
            ("https://gate.example", "bank.example"),
            ("https://gate.example", "example"),
            ("https://evilgate.example", "gate.example"),
            ("https://gate.example", "a.gate.example"),
            ("gate.example", "gate.example"),
        ] {
            assert!(!may_speak_for(origin, realm), "{origin} {realm}");
        }
    }
}
