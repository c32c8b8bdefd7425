//! Handles reports, for all transports.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use hallway_authenticator::{Caller, HidAction, HidDevice, KeepaliveStatus, RequestKind};
use hallway_ctap::ctaphid::{Channel, Report};

use crate::consent::Job;
use crate::put_off::{Again, PutOff, U2fMessage};
use crate::worker::{Request, Worker};

/// CTAPHID wants a keepalive at least every 100 ms (CTAP 2.3, section 11.2.9.1.7).
const KEEPALIVE_EVERY: Duration = Duration::from_millis(80);
/// How long a U2F message waits for the owner before its client is told to send it again. An owner
/// who decides at once needs less, and clients wait longer for an answer.
const PUT_OFF_AFTER: Duration = Duration::from_millis(200);
/// How often a transport checks whether it should stop.
pub(crate) const CHECK_STOP_EVERY: Duration = Duration::from_millis(200);

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
    /// The connection's number: channels have the same numbers in each connection.
    connection: u64,
    started: Instant,
    events: Sender<Event<P>>,
    /// The request under way, and the peer that waits for its answer.
    waiting: Option<Waiting<P>>,
    /// The U2F message that was put off while the owner is asked, or whose answer is kept.
    put_off: Option<PutOff>,
    /// The number of the latest request.
    requests: u64,
    /// When keepalives were last sent.
    last_beat: Instant,
    /// The sender of the message that is not complete yet.
    sender: Option<P>,
}

/// A request that the key works on.
struct Waiting<P> {
    peer: P,
    job: Arc<Job>,
    number: u64,
    since: Instant,
    /// The message, if it is one of U2F's.
    u2f: Option<U2fMessage>,
}

impl<P> Waiting<P> {
    /// Whether it is time to tell the client to send the message again, as U2F clients do.
    fn is_to_be_put_off(&self) -> bool {
        self.u2f.is_some()
            && self.job.asking.load(Ordering::Relaxed)
            && self.since.elapsed() >= PUT_OFF_AFTER
    }
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
            put_off: None,
            requests: 0,
            last_beat: Instant::now(),
            sender: None,
        }
    }

    /// Serves until the transport is closed, and cancels the request that is then under way.
    pub(crate) fn run(
        mut self,
        inbox: &Receiver<Event<P>>,
        send: impl FnMut(&P, &Report) -> io::Result<()>,
    ) -> io::Result<()> {
        let served = self.serve(inbox, send);
        self.cancel();
        self.give_up();
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
                    // The key answers an aborted request too, but nobody waits for that any more.
                    if let Some(waiting) = self.waiting.take_if(|w| w.number == number) {
                        let reports = self.hid.finished(&response);
                        send_all(&mut send, &waiting.peer, &reports)?;
                    } else if let Some(put_off) = &mut self.put_off
                        && put_off.answer(number, &response, Instant::now())
                    {
                        self.hid.settled();
                    }
                }
                Ok(Event::Closed) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            // Also after events: a client that sends all the time must not delay keepalives.
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
            } => {
                let u2f = (kind == RequestKind::Msg).then(|| U2fMessage {
                    channel,
                    apdu: request.clone(),
                });
                match self.again(channel, u2f.as_ref()) {
                    Some(Again::NotYet) => send_all(send, &from, &self.hid.put_off())?,
                    Some(Again::Answer(response)) => {
                        send_all(send, &from, &self.hid.finished(&response))?;
                    }
                    None => self.work(from, channel, u2f, request),
                }
            }
            HidAction::Cancel => self.cancel(),
            HidAction::Abort { channel, reports } => {
                self.cancel();
                self.waiting = None;
                self.give_up_on(channel);
                self.worker.forget(self.caller(channel));
                send_all(send, &from, &reports)?;
            }
            HidAction::Restart { channel, reports } => {
                self.give_up_on(channel);
                self.worker.forget(self.caller(channel));
                send_all(send, &from, &reports)?;
            }
        }
        Ok(())
    }

    const fn caller(&self, channel: Channel) -> Caller {
        Caller::on_channel(self.connection, channel)
    }

    /// The answer to a channel that again sends the message that was put off. Any other message of
    /// the channel replaces that one.
    fn again(&mut self, channel: Channel, u2f: Option<&U2fMessage>) -> Option<Again> {
        if u2f.is_some_and(|message| self.put_off.as_ref().is_some_and(|p| p.is(message))) {
            let (said, rest) = self.put_off.take()?.again(Instant::now());
            self.put_off = rest;
            return Some(said);
        }
        self.give_up_on(channel);
        None
    }

    /// Hands a request to the key.
    fn work(&mut self, peer: P, channel: Channel, u2f: Option<U2fMessage>, bytes: Vec<u8>) {
        let (events, asking) = (self.events.clone(), self.events.clone());
        self.requests += 1;
        let number = self.requests;
        let mut job = Job::default();
        // A keepalive for each change of status (CTAP 2.3, section 11.2.9.1.7), so that a client
        // tells its user at once. U2F has no keepalives.
        let kind = match u2f {
            Some(_) => RequestKind::Msg,
            None => RequestKind::Cbor,
        };
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
        self.waiting = Some(Waiting {
            peer,
            job,
            number,
            since: Instant::now(),
            u2f,
        });
    }

    /// Sends keepalives, tells U2F clients to send their messages again, and gives up on messages
    /// that were never completed.
    fn beat(&mut self, send: &mut impl FnMut(&P, &Report) -> io::Result<()>) -> io::Result<()> {
        let now = Instant::now();
        if self.put_off.as_ref().is_some_and(|p| p.is_over(now)) {
            self.give_up();
        }
        if let Some(waiting) = self.waiting.take_if(|w| w.is_to_be_put_off())
            && let Some(message) = waiting.u2f
        {
            self.give_up();
            self.put_off = Some(PutOff::new(message, waiting.number, waiting.job, now));
            send_all(send, &waiting.peer, &self.hid.put_off())?;
        }
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

    /// Forgets the message of this channel that was put off.
    fn give_up_on(&mut self, channel: Channel) {
        if self
            .put_off
            .as_ref()
            .is_some_and(|p| p.channel() == channel)
        {
            self.give_up();
        }
    }

    /// Stops asking about the message that was put off, and forgets it.
    fn give_up(&mut self) {
        if let Some(put_off) = self.put_off.take() {
            put_off.cancel();
            self.hid.settled();
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
