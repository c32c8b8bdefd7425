//! What all transports do with reports.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use hallway_authenticator::{Caller, HidAction, HidDevice, KeepaliveStatus, RequestKind};
use hallway_ctap::ctaphid::{Channel, Report};

use crate::consent::Job;
use crate::worker::{Request, Worker};

/// CTAPHID wants a keepalive at least every 100 ms (CTAP 2.3, section 11.2.9.1.7).
const KEEPALIVE_EVERY: Duration = Duration::from_millis(80);
/// How often a transport looks whether it should stop.
pub(crate) const LOOK_UP_EVERY: Duration = Duration::from_millis(200);

/// Something that happened to a transport.
pub(crate) enum Event<P> {
    /// A report came.
    Report(P, Report),
    /// For the request with this number the owner is asked.
    Asking(u64),
    /// The key answered the request with this number.
    Answered(u64, Vec<u8>),
    /// No more reports will come.
    Closed,
}

/// A transport's session with the key. `P` says where a report came from.
pub(crate) struct Session<P> {
    hid: HidDevice,
    worker: Worker,
    /// Which connection: channels have the same numbers in each.
    connection: u64,
    started: Instant,
    events: Sender<Event<P>>,
    /// Who waits for the request under way.
    waiting: Option<Waiting<P>>,
    /// The number of the latest request.
    requests: u64,
    /// When there was last time for keepalives.
    last_beat: Instant,
    /// Who sent the message that is not complete yet.
    sender: Option<P>,
}

/// A request that the key works on.
struct Waiting<P> {
    peer: P,
    job: Arc<Job>,
    number: u64,
}

impl<P: Clone + Send + 'static> Session<P> {
    pub(crate) fn new(worker: Worker, events: Sender<Event<P>>) -> Self {
        Self {
            hid: HidDevice::default(),
            connection: worker.number_connection(),
            worker,
            started: Instant::now(),
            events,
            waiting: None,
            requests: 0,
            last_beat: Instant::now(),
            sender: None,
        }
    }

    /// Serves until the transport is closed. Nobody waits for what is then under way.
    pub(crate) fn run(
        mut self,
        inbox: &Receiver<Event<P>>,
        send: impl FnMut(&P, &Report) -> io::Result<()>,
    ) -> io::Result<()> {
        let served = self.serve(inbox, send);
        self.cancel();
        served
    }

    fn serve(
        &mut self,
        inbox: &Receiver<Event<P>>,
        mut send: impl FnMut(&P, &Report) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            match inbox.recv_timeout(KEEPALIVE_EVERY.saturating_sub(self.last_beat.elapsed())) {
                Ok(Event::Report(from, report)) => self.report(from, &report, &mut send)?,
                Ok(Event::Asking(number)) => {
                    if self.waiting.as_ref().is_some_and(|w| w.number == number) {
                        self.keep_alive(KeepaliveStatus::UserPresenceNeeded, &mut send)?;
                    }
                }
                Ok(Event::Answered(number, response)) => {
                    // An aborted request is answered too, and nobody waits for that any more.
                    if let Some(waiting) = self.waiting.take_if(|w| w.number == number) {
                        let reports = self.hid.finished(&response);
                        send_all(&mut send, &waiting.peer, &reports)?;
                    }
                }
                Ok(Event::Closed) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            // Not only when nothing comes: somebody who sends all the time must not keep it away.
            if self.last_beat.elapsed() >= KEEPALIVE_EVERY {
                self.last_beat = Instant::now();
                self.beat(&mut send)?;
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn report(
        &mut self,
        from: P,
        report: &Report,
        send: &mut impl FnMut(&P, &Report) -> io::Result<()>,
    ) -> io::Result<()> {
        let now_ms = self.now_ms();
        match self.hid.receive(report, now_ms) {
            HidAction::Nothing => {}
            HidAction::AwaitMore => self.sender = Some(from),
            HidAction::Reply(reports) | HidAction::Wink(reports) => {
                send_all(send, &from, &reports)?;
            }
            HidAction::Work {
                channel,
                kind,
                request,
            } => self.work(from, channel, kind, request),
            HidAction::Cancel => self.cancel(),
            HidAction::Abort { channel, reports } => {
                self.cancel();
                self.waiting = None;
                self.worker.forget(self.caller(channel));
                send_all(send, &from, &reports)?;
            }
            HidAction::Restart { channel, reports } => {
                self.worker.forget(self.caller(channel));
                send_all(send, &from, &reports)?;
            }
        }
        Ok(())
    }

    const fn caller(&self, channel: Channel) -> Caller {
        Caller::on_channel(self.connection, channel)
    }

    /// Brings a request to the key.
    fn work(&mut self, peer: P, channel: Channel, kind: RequestKind, bytes: Vec<u8>) {
        let (events, asking) = (self.events.clone(), self.events.clone());
        self.requests += 1;
        let number = self.requests;
        let mut job = Job::default();
        // A keepalive for each change of status (CTAP 2.3, section 11.2.9.1.7): a client tells its
        // user at once. U2F has no keepalives.
        if kind == RequestKind::Cbor {
            job.on_asking = Some(Box::new(move || {
                let _ = asking.send(Event::Asking(number));
            }));
        }
        let job = Arc::new(job);
        self.worker.submit(Request {
            caller: self.caller(channel),
            kind,
            bytes,
            job: Arc::clone(&job),
            done: Box::new(move |response| {
                // A session that is gone needs no answer.
                let _ = events.send(Event::Answered(number, response));
            }),
        });
        self.waiting = Some(Waiting { peer, job, number });
    }

    /// What is to be done from time to time: keepalives, and messages that were never completed.
    fn beat(&mut self, send: &mut impl FnMut(&P, &Report) -> io::Result<()>) -> io::Result<()> {
        if let Some(waiting) = &self.waiting {
            let status = if waiting.job.asking.load(Ordering::Relaxed) {
                KeepaliveStatus::UserPresenceNeeded
            } else {
                KeepaliveStatus::Processing
            };
            self.keep_alive(status, send)?;
        }
        if let Some(reports) = self.hid.tick(self.now_ms())
            && let Some(peer) = self.sender.take()
        {
            send_all(send, &peer, &reports)?;
        }
        Ok(())
    }

    fn keep_alive(
        &self,
        status: KeepaliveStatus,
        send: &mut impl FnMut(&P, &Report) -> io::Result<()>,
    ) -> io::Result<()> {
        match (&self.waiting, self.hid.keepalive(status)) {
            (Some(waiting), Some(report)) => send(&waiting.peer, &report),
            _ => Ok(()),
        }
    }

    fn cancel(&self) {
        if let Some(waiting) = &self.waiting {
            waiting.job.cancelled.store(true, Ordering::Relaxed);
        }
    }
}

fn send_all<P>(
    send: &mut impl FnMut(&P, &Report) -> io::Result<()>,
    peer: &P,
    reports: &[Report],
) -> io::Result<()> {
    reports.iter().try_for_each(|report| send(peer, report))
}
