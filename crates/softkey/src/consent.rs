//! The owner's consent: asked for, or decided beforehand.

pub(crate) mod command;
pub(crate) mod desktop;
pub(crate) mod policy;
mod program;
pub(crate) mod sentence;
pub(crate) mod terminal;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hallway_authenticator::{Answer, Presence, Question};

/// How long the owner has to answer by default (CTAP 2.3, section 6.1.2: "about 30 seconds").
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How the owner's consent is obtained.
pub enum Consent {
    /// Everything is confirmed: for devices, where having the file is the consent.
    Always,
    /// Nothing is confirmed: only silent assertions work.
    Never,
    /// The owner, or a program or policy in the owner's place, is asked each time.
    Ask {
        /// Asks the owner, or decides in the owner's place.
        asker: Box<dyn Asker>,
        /// How long to wait for the answer; usually [`ANSWER_WITHIN`].
        within: Duration,
    },
}

/// Asks the owner.
pub trait Asker: Send {
    /// Asks, and returns when there is an answer or `wait` is over.
    fn ask(&mut self, question: &Question<'_>, wait: &Wait) -> Answer;
}

/// How long to wait for the owner.
pub struct Wait {
    deadline: Instant,
    job: Arc<Job>,
}

impl Wait {
    /// Why the wait is over, once it is: the time ran out, or the client cancelled.
    pub fn over(&self) -> Option<Answer> {
        if self.job.cancelled.load(Ordering::Relaxed) {
            Some(Answer::Cancelled)
        } else if Instant::now() >= self.deadline {
            Some(Answer::TimedOut)
        } else {
            None
        }
    }

    /// The time that is left.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// One request, as seen by the transport that brought it.
#[derive(Default)]
pub(crate) struct Job {
    /// The client cancelled.
    pub(crate) cancelled: AtomicBool,
    /// The owner is being asked.
    pub(crate) asking: AtomicBool,
    /// Called each time the owner is asked.
    pub(crate) on_asking: Option<Box<dyn Fn() + Send + Sync>>,
}

/// The [`Presence`] of a software key.
pub(crate) struct Owner {
    pub(crate) consent: Consent,
    pub(crate) job: Arc<Job>,
}

impl Presence for Owner {
    fn confirm(&mut self, question: &Question<'_>) -> Answer {
        // The owner is not asked about a request that was cancelled before.
        if self.job.cancelled.load(Ordering::Relaxed) {
            return Answer::Cancelled;
        }
        self.job.asking.store(true, Ordering::Relaxed);
        if let Some(tell) = &self.job.on_asking {
            tell();
        }
        let answer = match &mut self.consent {
            Consent::Always => Answer::Granted,
            Consent::Never => Answer::Denied,
            Consent::Ask { asker, within } => {
                let wait = Wait {
                    deadline: Instant::now() + *within,
                    job: Arc::clone(&self.job),
                };
                asker.ask(question, &wait)
            }
        };
        self.job.asking.store(false, Ordering::Relaxed);
        // A yes that comes after the client cancelled does not count.
        match (answer, self.job.cancelled.load(Ordering::Relaxed)) {
            (Answer::Granted, true) => Answer::Cancelled,
            (answer, _) => answer,
        }
    }
}

#[cfg(test)]
pub(crate) fn patient() -> (Wait, Arc<Job>) {
    let job = Arc::new(Job::default());
    let wait = Wait {
        deadline: Instant::now() + Duration::from_secs(60),
        job: Arc::clone(&job),
    };
    (wait, job)
}
