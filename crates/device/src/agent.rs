//! The agent: enrols the device, signs what appears in a folder, and sends it until there is a
//! receipt.
//!
//! One loop looks at the folder, and has at most one request to the gateway under way. So signing
//! continues while the network is slow or away, and everything is sent in the order in which it was
//! signed. A file that alone fails does not hold up others: they are sent before it, and in the end
//! it is set aside.

mod agreement;
mod answers;
mod enrolling;
mod keeping;
mod obstacles;
mod requests;
mod signing;
mod tally;

use std::collections::HashMap;
use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hallway_api::device::{Enrolment, State};
use hallway_client::backoff::Backoff;
use hallway_evidence::{Timestamp, TrustFile};
pub use keeping::Misplaced;
use obstacles::{PutOff, Stuck, Suspicion};
use requests::{Answer, Request};
use signing::Signing;
use tally::Tally;

use crate::clock::Clock;
use crate::event::Event;
use crate::gateway::Gateway;
use crate::refused;
use crate::registration::Registration;
use crate::signer::{Signer, SignerError};
use crate::spool::{Spool, SpoolError};
use crate::watcher::Watcher;

/// The longest file that is sent unless the settings say otherwise, in bytes.
pub const LARGEST_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// How often a device that sends nothing asks for its state.
const HEARTBEAT: Duration = Duration::from_secs(15 * 60);

/// How often a device that may not send asks whether it may again.
const BARRED_RETRY: Duration = Duration::from_secs(60);

/// How a transaction is proved to be fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Freshness {
    /// By the device's clock and its sequence numbers: one round trip.
    #[default]
    DeviceClock,
    /// By a challenge of the gateway's: two round trips. Queued transactions have no challenge.
    Challenge,
}

/// When the agent ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Until {
    /// Never.
    #[default]
    Stopped,
    /// When every file in the folder has been accepted or refused.
    Drained,
}

/// How the agent works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder that is watched.
    pub folder: PathBuf,
    /// Where signed copies go, if they are kept: not the watched folder, nor the agent's own in it.
    pub keep: Option<PathBuf>,
    /// The realm's trust file, if it is known before the device enrols.
    pub trust: Option<TrustFile>,
    /// How transactions are proved to be fresh.
    pub freshness: Freshness,
    /// When to end.
    pub until: Until,
    /// The longest file that is sent, in bytes.
    pub largest: u64,
    /// How often the folder is looked at.
    pub poll: Duration,
}

/// How often in a row an agent that is to end by itself tries a key that does not sign: for about a
/// minute.
const MAX_KEY_FAILURES: u32 = 6;

impl Settings {
    /// The usual settings for a folder.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            keep: None,
            trust: None,
            freshness: Freshness::DeviceClock,
            until: Until::Stopped,
            largest: LARGEST_FILE_BYTES,
            poll: Duration::from_millis(500),
        }
    }
}

/// Why the agent ended without being told to.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The folder cannot be read.
    #[error("the folder cannot be read: {0}")]
    Folder(std::io::Error),
    /// Signed copies would be kept where the agent signs files or keeps its own.
    #[error(transparent)]
    Keep(#[from] Misplaced),
    /// The key does not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The device is registered with another gateway.
    #[error(
        "this folder belongs to a device registered with {registered}, not with {asked}; \
         use another folder, or release the device there first"
    )]
    OtherGateway {
        /// The gateway in `registration.json`.
        registered: String,
        /// The gateway that the agent was started for.
        asked: String,
    },
    /// The gateway or the trust file belongs to another realm.
    #[error(
        "this device belongs to the realm {registered}, but the gateway or the trust file belongs \
         to {shown}; nothing is sent until somebody finds out why"
    )]
    OtherRealm {
        /// The realm in `registration.json`.
        registered: String,
        /// The realm in the trust file.
        shown: String,
    },
    /// The gateway's log has another key.
    #[error(
        "the gateway now shows another log key than when this device was claimed; \
         nothing is sent until somebody finds out why"
    )]
    LogKey,
}

/// The device's state, as far as the agent knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The agent has to ask the gateway.
    Unknown,
    /// The device has no credential that the gateway knows.
    Enrolling,
    /// The device waits for an owner to type its code.
    Announced,
    /// The device sends.
    Registered,
    /// The device may not send.
    Barred(State),
}

/// A device's agent.
pub struct Agent<S> {
    settings: Settings,
    gateway: Gateway,
    signer: S,
    clock: Arc<dyn Clock>,
    tell: Box<dyn FnMut(&Event) + Send>,
    spool: Spool,
    watcher: Watcher,
    registration: Option<Registration>,
    standing: Standing,
    /// An enrolment that was signed and has to be handed in.
    enrolment: Option<Enrolment>,
    /// When the device last asked for its state.
    asked: Timestamp,
    backoff: Backoff,
    /// No request is sent before this time.
    not_before: Timestamp,
    online: bool,
    /// The last trouble that was told, so that it is not repeated every minute.
    last_trouble: String,
    /// How often in a row the key did not sign.
    key_failures: u32,
    /// How far the gateway's clock is ahead of ours, in milliseconds; 0 until the gateway
    /// complains.
    clock_offset_ms: i64,
    /// Tickets whose statement has to be signed again before it is sent, and how.
    stale: HashMap<u64, Signing>,
    /// Files that are to be set aside and could not be.
    stuck: HashMap<OsString, Stuck>,
    /// Tickets that others are sent before.
    put_off: HashMap<u64, PutOff>,
    /// The transaction that failed last, until it is known whether others fail too.
    suspicion: Option<Suspicion>,
    tally: Tally,
}

impl<S: Signer> Agent<S> {
    /// Opens the folder's spool, and continues where an earlier agent ended.
    ///
    /// # Errors
    /// [`AgentError`] when another agent runs, the spool is damaged, copies are to be kept where
    /// the agent would find them, or the folder belongs to a device of another gateway.
    pub fn open(
        settings: Settings,
        gateway: Gateway,
        signer: S,
        clock: Arc<dyn Clock>,
        tell: impl FnMut(&Event) + Send + 'static,
    ) -> Result<Self, AgentError> {
        let spool = Spool::open(&settings.folder)?;
        if let Some(keep) = &settings.keep {
            keeping::prepare(&settings.folder, keep)?;
        }
        if let Err(error) = refused::sweep(&settings.folder) {
            tracing::warn!(%error, "unfinished files in the folder refused were not removed");
        }
        let mut registration = Registration::load(&spool)?;
        if let Some(found) = &mut registration {
            if found.gateway != gateway.origin() {
                return Err(AgentError::OtherGateway {
                    registered: found.gateway.clone(),
                    asked: gateway.origin(),
                });
            }
            let pinned = settings.trust.as_ref().map(|trust| trust.realm.as_str());
            if let Some(shown) = pinned.filter(|realm| *realm != found.realm.as_str()) {
                return Err(AgentError::OtherRealm {
                    registered: found.realm.to_string(),
                    shown: shown.to_owned(),
                });
            }
            for (_, entry) in spool.queue() {
                found.sequence = found.sequence.max(entry.sequence);
            }
        }
        let standing = match registration {
            Some(_) => Standing::Unknown,
            None => Standing::Enrolling,
        };
        let mut agent = Self {
            watcher: Watcher::new(&settings.folder, settings.largest),
            settings,
            gateway,
            signer,
            clock,
            tell: Box::new(tell),
            spool,
            registration,
            standing,
            enrolment: None,
            asked: Timestamp::default(),
            backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(60)),
            not_before: Timestamp::default(),
            online: true,
            last_trouble: String::new(),
            key_failures: 0,
            clock_offset_ms: 0,
            stale: HashMap::new(),
            stuck: HashMap::new(),
            put_off: HashMap::new(),
            suspicion: None,
            tally: Tally::default(),
        };
        agent.tell_what_was_left();
        Ok(agent)
    }

    /// Works until `stop` is ready, or as long as the settings say. A request that is under way
    /// when it stops is abandoned; the next start finds out whether it arrived.
    ///
    /// # Errors
    /// [`AgentError`] when continuing makes no sense: another log key, a damaged spool, or a key
    /// that does not sign for a while when the agent is to end by itself. Lost networks, full
    /// disks, missing keys and refusals are told as [`Event`]s otherwise, and tried again.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), AgentError> {
        let mut stop = std::pin::pin!(stop);
        let mut under_way: Option<Pin<Box<dyn Future<Output = Answer> + Send>>> = None;
        loop {
            let looked = self.look_and_sign();
            let settled = self.endure(looked)?;
            if under_way.is_none() {
                let request = self.next_request();
                let request = self.endure(request)?;
                if request.is_none() && settled && self.may_end() {
                    return Ok(());
                }
                under_way = request.map(|request| {
                    let gateway = self.gateway.clone();
                    Box::pin(async move { request.perform(&gateway).await }) as Pin<Box<_>>
                });
            }
            let wait = self.clock.sleep(self.settings.poll);
            let answer = async {
                match &mut under_way {
                    Some(request) => request.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => return Ok(()),
                answer = answer => {
                    under_way = None;
                    let settled = self.settle(answer);
                    self.endure(settled)?;
                }
                () = wait => {}
            }
        }
    }

    /// Tells an error that may pass as trouble: a full disk, a card that was pulled out, a key that
    /// is away. Nothing is lost, and the next round tries again.
    fn endure<T: Default>(&mut self, result: Result<T, AgentError>) -> Result<T, AgentError> {
        match result {
            // An agent that is to end by itself does not wait for ever for a key to sign.
            Err(AgentError::Signer(error))
                if self.settings.until == Until::Drained
                    && self.key_failures == MAX_KEY_FAILURES =>
            {
                Err(AgentError::Signer(error))
            }
            Err(
                error @ (AgentError::Signer(_)
                | AgentError::Folder(_)
                | AgentError::Spool(
                    SpoolError::Full(_) | SpoolError::Io { .. } | SpoolError::NotAFolder(_),
                )),
            ) => {
                self.key_failures += u32::from(matches!(error, AgentError::Signer(_)));
                self.trouble(error.to_string());
                self.back_off(Duration::ZERO);
                Ok(T::default())
            }
            result => result,
        }
    }

    fn may_end(&self) -> bool {
        self.settings.until == Until::Drained && self.standing == Standing::Registered
    }

    /// The device's time, corrected when the gateway complained about it.
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(
            self.clock
                .now()
                .as_ms()
                .saturating_add_signed(self.clock_offset_ms),
        )
    }

    /// The next request to the gateway, if one is due now.
    fn next_request(&mut self) -> Result<Option<Request>, AgentError> {
        let now = self.clock.now();
        if now < self.not_before {
            return Ok(None);
        }
        let since_asked = now.distance(self.asked);
        let owes_tally = self.owes_tally(since_asked);
        match self.standing {
            Standing::Enrolling => Ok(Some(match self.enrolment.take() {
                Some(enrolment) => Request::Enrol(enrolment),
                None => Request::Statement,
            })),
            Standing::Unknown => self.question().map(Some),
            Standing::Announced => {
                let interval = self
                    .registration
                    .as_ref()
                    .and_then(|registration| registration.announced.as_ref())
                    .map_or(1000, |announced| announced.interval_ms.clamp(200, 60_000));
                if since_asked >= Duration::from_millis(interval) {
                    self.question().map(Some)
                } else {
                    Ok(None)
                }
            }
            Standing::Barred(_) if since_asked >= BARRED_RETRY => self.question().map(Some),
            Standing::Barred(_) => Ok(None),
            Standing::Registered if self.suspicion.is_some() || owes_tally => {
                self.question().map(Some)
            }
            Standing::Registered => match self.next_transaction()? {
                None if since_asked >= HEARTBEAT => self.question().map(Some),
                request => Ok(request),
            },
        }
    }

    fn tell(&mut self, event: &Event) {
        (self.tell)(event);
    }

    /// Tells a trouble, but not again until something has worked.
    fn trouble(&mut self, what: String) {
        if self.last_trouble != what {
            self.tell(&Event::Trouble { what: what.clone() });
            self.last_trouble = what;
        }
    }

    /// Waits before the next request, longer after each failure.
    fn back_off(&mut self, at_least: Duration) {
        let wait = self.backoff.jittered_wait(at_least);
        self.not_before = self.clock.now().plus(wait);
    }
}
