//! Handles the gateway's answers.

use std::time::Duration;

use bytes::Bytes as Body;
use hallway_api::{Code, Problem};
use hallway_evidence::{Receipt, Timestamp};

use super::enrolling::ENROL_RETRY;
use super::keeping::NotKept;
use super::obstacles::Cause;
use super::requests::Answer;
use super::signing::Signing;
use super::{Agent, AgentError, Standing};
use crate::event::Event;
use crate::gateway::GatewayError;
use crate::signer::Signer;

impl<S: Signer> Agent<S> {
    /// Acts on an answer.
    pub(super) fn settle(&mut self, answer: Answer) -> Result<(), AgentError> {
        match answer {
            Answer::Statement(Ok(given)) => {
                self.works();
                self.sign_enrolment(&given)
            }
            Answer::Enrolled(Ok(announced)) => {
                self.works();
                self.announced(announced)
            }
            Answer::Status(Ok(status)) => {
                self.works();
                self.tally.on_record = status.set_aside;
                self.stands(*status)?;
                self.judge()
            }
            Answer::Challenge(ticket, Ok(given)) => {
                self.works();
                match given.challenge.0.try_into() {
                    Ok(challenge) => self.sign_challenged(ticket, challenge, given.seal),
                    Err(_) => {
                        self.trouble("the gateway's challenge is not 32 bytes long".to_owned());
                        self.back_off(Duration::ZERO);
                        Ok(())
                    }
                }
            }
            Answer::Sent(ticket, payload, Ok(receipt)) => self.receive(ticket, payload, &receipt),
            Answer::Sent(ticket, _, Err(GatewayError::Refused { status, problem })) => {
                self.refused(ticket, status, &problem)
            }
            Answer::Status(Err(GatewayError::Refused { problem, .. })) => {
                self.acquit();
                self.question_refused(&problem)
            }
            Answer::Statement(Err(error)) | Answer::Enrolled(Err(error)) => {
                self.failed(&error, ENROL_RETRY);
                Ok(())
            }
            Answer::Sent(ticket, _, Err(error)) => {
                match &error {
                    GatewayError::Unintelligible(_) | GatewayError::Unexplained { .. } => {
                        self.suspect(ticket, Cause::Transaction, error.to_string());
                        self.back_off(Duration::ZERO);
                    }
                    _ => {
                        self.suspect(ticket, Cause::Way, error.to_string());
                        self.failed(&error, Duration::ZERO);
                    }
                }
                Ok(())
            }
            Answer::Status(Err(error)) | Answer::Challenge(_, Err(error)) => {
                self.acquit();
                self.failed(&error, Duration::ZERO);
                Ok(())
            }
        }
    }

    /// Notes that a request worked: the next failure is told again.
    fn works(&mut self) {
        self.backoff.reset();
        self.last_trouble.clear();
        if !self.online {
            self.online = true;
            self.tell(&Event::Online);
        }
    }

    /// Handles a missing or useless answer: the agent tries again later.
    fn failed(&mut self, error: &GatewayError, refused_wait: Duration) {
        let wait = match error {
            GatewayError::Unreachable(_) => Duration::ZERO,
            GatewayError::Busy { retry_after, .. }
            | GatewayError::Unexplained { retry_after, .. } => *retry_after,
            _ => refused_wait,
        };
        match error {
            GatewayError::Unreachable(_)
            | GatewayError::Busy { .. }
            | GatewayError::Unexplained { .. } => {
                if self.online {
                    self.online = false;
                    let why = error.to_string();
                    self.tell(&Event::Offline { why });
                }
            }
            _ => self.trouble(error.to_string()),
        }
        self.back_off(wait);
    }

    /// Takes a receipt. If it is for the transaction that was sent and its log proof is valid, the
    /// local file is removed.
    fn receive(&mut self, ticket: u64, payload: Body, receipt: &Receipt) -> Result<(), AgentError> {
        let Some(entry) = self.entry(ticket) else {
            return Ok(());
        };
        let Some(trust) = self
            .registration
            .as_ref()
            .and_then(|registration| registration.trust.as_ref())
        else {
            // Nothing is ever sent without a trust file: ask again for the device's state.
            self.standing = Standing::Unknown;
            return Ok(());
        };
        let checked = if receipt.evidence.signed.encode() == entry.signed_statement.0 {
            receipt
                .proof
                .verify(&receipt.evidence.hash(), &trust.log)
                .map_err(|error| error.to_string())
        } else {
            Err("it is for another transaction".to_owned())
        };
        let head = match checked {
            Ok(head) => head,
            Err(why) => {
                let what = format!("the gateway's receipt for it is invalid: {why}");
                self.trouble(format!("{}: {what}; the file is kept", entry.file));
                self.suspect(ticket, Cause::Transaction, what);
                return Ok(());
            }
        };
        self.works();
        tracing::debug!(file = entry.file, size = head.size, "receipt verified");
        let kept = match self.keep(&entry, &payload, receipt) {
            Ok(kept) => kept,
            Err(why @ (NotKept::Folder(_) | NotKept::Misplaced(_))) => {
                self.trouble(format!(
                    "the signed copy of {} was not kept: {why}",
                    entry.file
                ));
                self.back_off(Duration::ZERO);
                return Ok(());
            }
            Err(NotKept::File(why)) => {
                let index = receipt.proof.index();
                let why = format!(
                    "it was accepted as entry {index} of the log, but no signed copy can be kept: \
                     {why}"
                );
                return self.set_aside(ticket, &entry.file, &why);
            }
        };
        // The last entry is the only other place with the sequence number, and is removed now.
        if let (None, Some(registration)) = (self.spool.queue().nth(1), &self.registration) {
            registration.save(&self.spool)?;
        }
        self.forget(ticket);
        self.spool.finish(ticket)?;
        self.tell(&Event::Accepted {
            file: entry.file,
            sequence: entry.sequence,
            log_index: receipt.proof.index(),
            kept,
        });
        Ok(())
    }

    /// The gateway refused a transaction and said why.
    fn refused(&mut self, ticket: u64, status: u16, problem: &Problem) -> Result<(), AgentError> {
        let Some(entry) = self.entry(ticket) else {
            return Ok(());
        };
        let detail = problem.detail.as_str();
        match problem.known() {
            Some(Code::OutOfOrder) => match problem.member("last_sequence") {
                Some(last) => {
                    self.counted_to(last);
                    self.sign_this_again(ticket, Signing::New);
                }
                // A gateway that wants times in order refuses its time, and it has no other.
                None => self.set_aside(ticket, &entry.file, detail)?,
            },
            Some(Code::ExpiredChallenge | Code::ForeignChallenge) => {
                self.sign_this_again(ticket, Signing::New);
            }
            Some(Code::Stale | Code::ClockSkew) if self.disagrees(problem) => {
                self.correct_clock(problem);
                self.stale.insert(ticket, Signing::New);
            }
            // It can be signed again at another time; the time when its bytes were taken is fixed.
            Some(Code::Stale | Code::ClockSkew)
                if entry.taken_ms <= self.now() && self.was_signed_before(&entry) =>
            {
                self.sign_this_again(ticket, Signing::Queued);
            }
            // Our clocks agree: the file is too old, or comes from the future.
            Some(Code::Stale | Code::ClockSkew) => self.set_aside(ticket, &entry.file, detail)?,
            Some(
                Code::Suspended
                | Code::Stolen
                | Code::Released
                | Code::Retired
                | Code::NotRegistered
                | Code::UnknownCredential,
            ) => {
                self.standing = Standing::Unknown;
                self.back_off(Duration::ZERO);
            }
            Some(Code::HashMismatch) => {
                let why = format!("it was damaged on the way: {detail}");
                self.suspect(ticket, Cause::Transaction, why);
            }
            Some(Code::TooLarge) => self.set_aside(ticket, &entry.file, detail)?,
            _ if matches!(status, 400 | 413 | 415 | 422) => {
                self.set_aside(ticket, &entry.file, detail)?;
            }
            // About the device, its owner or its model: other files would be refused too.
            _ if matches!(status, 401 | 403) => {
                let code = &problem.code;
                self.trouble(format!(
                    "the gateway refuses {}: {code}: {detail}",
                    entry.file
                ));
                self.back_off(Duration::from_secs(10));
            }
            _ => {
                let code = &problem.code;
                let why = format!("the gateway refuses it: {code}: {detail}");
                self.suspect(ticket, Cause::Transaction, why);
            }
        }
        Ok(())
    }

    fn question_refused(&mut self, problem: &Problem) -> Result<(), AgentError> {
        match problem.known() {
            Some(Code::UnknownCredential) => {
                self.works();
                self.unknown()
            }
            Some(Code::ClockSkew) => {
                self.correct_clock(problem);
                self.asked = Timestamp::default();
                Ok(())
            }
            _ => {
                let code = &problem.code;
                self.trouble(format!(
                    "the gateway refuses to tell the device's state: {code}: {}",
                    problem.detail
                ));
                self.back_off(Duration::from_secs(10));
                Ok(())
            }
        }
    }

    /// Lets one transaction be signed again before it is sent. The others are sent first as they
    /// are, because one of them may have been accepted without our knowing: its receipt comes only
    /// for the statement that was signed.
    fn sign_this_again(&mut self, ticket: u64, signing: Signing) {
        self.stale.insert(ticket, signing);
        // A gateway that never agrees must not keep the device busy.
        self.back_off(Duration::ZERO);
    }

    /// Lets all waiting transactions be signed again before they are sent, in their order, except
    /// those that may have been accepted without our knowing.
    fn sign_all_again(&mut self) {
        let tickets = self.spool.queue().map(|(ticket, _)| ticket);
        let never_failed = tickets.filter(|ticket| self.failures(*ticket) == 0);
        self.stale = never_failed.map(|ticket| (ticket, Signing::New)).collect();
        self.back_off(Duration::ZERO);
    }

    /// Whether the gateway's clock shows another time than ours.
    fn disagrees(&self, problem: &Problem) -> bool {
        problem.member("now_ms").is_some_and(|theirs| {
            self.now().distance(Timestamp::from_ms(theirs)) > Duration::from_secs(60)
        })
    }

    /// Corrects the device's time by the gateway's, when the gateway says that the device's clock
    /// is wrong.
    fn correct_clock(&mut self, problem: &Problem) {
        let Some(theirs) = problem.member("now_ms").map(Timestamp::from_ms) else {
            self.trouble(format!("the clock is wrong: {}", problem.detail));
            self.back_off(Duration::from_secs(10));
            return;
        };
        // Both are before the year 10000.
        let offset = theirs.as_ms() as i64 - self.clock.now().as_ms() as i64;
        self.clock_offset_ms = offset;
        self.trouble(format!(
            "this device's clock is {} s {} the gateway's; its times are corrected from now on",
            offset.unsigned_abs() / 1000,
            if offset > 0 { "behind" } else { "ahead of" }
        ));
        self.sign_all_again();
    }
}
