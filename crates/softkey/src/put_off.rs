//! A U2F message that was put off: the owner is asked while the client asks again and again.
//!
//! U2F has no keepalives. A key answers that it has to be touched first, and the client sends the
//! same message again and again until it was (U2F Raw Message Formats 1.2, sections 4.1, 5.1 and
//! 3.3). The owner is asked once and answers once: the question stands between those messages, and
//! the answer is kept for the next one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hallway_ctap::apdu::StatusWord;
use hallway_ctap::ctaphid::Channel;

use crate::consent::Job;

/// A client that still wants an answer asks again this soon: known clients do after 100 to 500 ms.
const ASKS_AGAIN_WITHIN: Duration = Duration::from_secs(3);
/// How long an answer is kept for the client that asks again.
const KEPT_FOR: Duration = Duration::from_secs(10);

/// A U2F message as it came.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct U2fMessage {
    pub(crate) channel: Channel,
    pub(crate) apdu: Vec<u8>,
}

/// A message that was answered with "not yet".
pub(crate) struct PutOff {
    message: U2fMessage,
    standing: Standing,
}

enum Standing {
    /// The owner is asked.
    Asked {
        /// The request's number.
        number: u64,
        job: Arc<Job>,
        /// When the client last asked.
        last: Instant,
    },
    /// The key has an answer.
    Answered { response: Vec<u8>, since: Instant },
}

/// The answer to a client that asks again.
pub(crate) enum Again {
    /// The owner has yet to answer.
    NotYet,
    /// The owner answered.
    Answer(Vec<u8>),
}

impl PutOff {
    /// Puts off the message whose request has this number.
    pub(crate) fn new(message: U2fMessage, number: u64, job: Arc<Job>, now: Instant) -> Self {
        Self {
            message,
            standing: Standing::Asked {
                number,
                job,
                last: now,
            },
        }
    }

    pub(crate) const fn channel(&self) -> Channel {
        self.message.channel
    }

    /// Whether `message` is the one that was put off, to the byte.
    pub(crate) fn is(&self, message: &U2fMessage) -> bool {
        self.message == *message
    }

    /// Keeps the answer if it is to this message's request; says whether it is.
    pub(crate) fn answer(&mut self, answered: u64, response: &[u8], now: Instant) -> bool {
        match self.standing {
            Standing::Asked { number, .. } if number == answered => {
                self.standing = Standing::Answered {
                    response: response.to_vec(),
                    since: now,
                };
                true
            }
            _ => false,
        }
    }

    /// Answers a client that asks again. A yes is given out once. A no is repeated as long as it is
    /// kept; only then the owner is asked again.
    pub(crate) fn again(mut self, now: Instant) -> (Again, Option<Self>) {
        match &mut self.standing {
            Standing::Asked { last, .. } => {
                *last = now;
                (Again::NotYet, Some(self))
            }
            Standing::Answered { response, .. } => {
                let response = response.clone();
                let agreed = response != StatusWord::ConditionsNotSatisfied.to_bytes();
                (Again::Answer(response), (!agreed).then_some(self))
            }
        }
    }

    /// Whether nobody asked again in time.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        match self.standing {
            Standing::Asked { last, .. } => now.duration_since(last) > ASKS_AGAIN_WITHIN,
            Standing::Answered { since, .. } => now.duration_since(since) > KEPT_FOR,
        }
    }

    /// Stops asking the owner.
    pub(crate) fn cancel(&self) {
        if let Standing::Asked { job, .. } = &self.standing {
            job.cancelled.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_off(now: Instant) -> (PutOff, Arc<Job>) {
        let job = Arc::new(Job::default());
        let message = U2fMessage {
            channel: Channel(1),
            apdu: vec![0, 1],
        };
        (PutOff::new(message, 7, Arc::clone(&job), now), job)
    }

    fn said(again: Again) -> Option<Vec<u8>> {
        match again {
            Again::NotYet => None,
            Again::Answer(response) => Some(response),
        }
    }

    #[test]
    fn a_yes_is_given_out_once() {
        let now = Instant::now();
        let (first, _) = put_off(now);
        let (again, asked) = first.again(now);
        assert_eq!(said(again), None);
        let mut asked = asked.unwrap();
        assert!(!asked.answer(6, &[0x90, 0], now));
        assert!(asked.answer(7, &[0x90, 0], now));
        assert!(!asked.answer(7, &[1], now));
        let (again, rest) = asked.again(now);
        assert_eq!(said(again), Some(vec![0x90, 0]));
        assert!(rest.is_none());
    }

    #[test]
    fn a_no_holds_for_a_while() {
        let now = Instant::now();
        let (mut asked, _) = put_off(now);
        assert!(asked.answer(7, &[0x69, 0x85], now));
        let (again, rest) = asked.again(now);
        assert_eq!(said(again), Some(vec![0x69, 0x85]));
        let rest = rest.unwrap();
        assert!(!rest.is_over(now + KEPT_FOR));
        assert!(rest.is_over(now + KEPT_FOR + Duration::from_millis(1)));
    }

    #[test]
    fn a_question_ends_when_the_client_stops_asking() {
        let now = Instant::now();
        let late = now + ASKS_AGAIN_WITHIN + Duration::from_millis(1);
        let (asked, job) = put_off(now);
        assert!(!asked.is_over(now + ASKS_AGAIN_WITHIN));
        assert!(asked.is_over(late));
        let (_, asked) = asked.again(late);
        let asked = asked.unwrap();
        assert!(!asked.is_over(late + ASKS_AGAIN_WITHIN));
        asked.cancel();
        assert!(job.cancelled.load(Ordering::Relaxed));
    }
}
