//! CTAPHID from the key's side: channels, messages, and who may speak (CTAP 2.3, section 11.2).

use alloc::vec::Vec;

use hallway_ctap::apdu::StatusWord;
use hallway_ctap::ctaphid::{Channel, HidCommand, HidError, Message, Packet, Report, reports};

use crate::version::DEVICE_VERSION;

/// The next packet of a message must come this soon.
const NEXT_PACKET_WITHIN_MS: u64 = 600;
/// CTAPHID's own version.
const PROTOCOL_VERSION: u8 = 2;
/// WINK and CBOR are implemented, and so is MSG, whose bit would say that it is not.
const CAPABILITIES: u8 = 0x01 | 0x04;
/// The longest lock, in seconds.
const MAX_LOCK_S: u8 = 10;
/// Channels that are served although this key did not give them out.
const MAX_ADOPTED: usize = 16;

/// The key's end of CTAPHID. It never blocks and never sends by itself: it says what to do.
#[derive(Default)]
pub struct HidDevice {
    /// Channels 1 to this one were given out.
    channels: u32,
    /// Channels that were given out before the last power cycle and taken up again, the first to
    /// come back first.
    adopted: Vec<Channel>,
    receiving: Option<(Message, u64)>,
    /// The request that is being worked on.
    working: Option<(Channel, RequestKind)>,
    /// The channel whose U2F message was answered with "not yet" while the owner is asked.
    put_off: Option<Channel>,
    lock: Option<(Channel, u64)>,
}

/// The protocol of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestKind {
    /// A CTAP2 command.
    Cbor,
    /// A CTAP1/U2F APDU.
    Msg,
}

/// What to do about a report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HidAction {
    /// Do nothing.
    Nothing,
    /// Remember the sender: it sends the rest of the message, or gets the reports of
    /// [`HidDevice::tick`].
    AwaitMore,
    /// Send these reports.
    Reply(Vec<Report>),
    /// Draw the owner's attention, and send these reports.
    Wink(Vec<Report>),
    /// Work on this request, then call [`HidDevice::finished`].
    Work {
        /// The channel that sent the request.
        channel: Channel,
        /// The request's protocol.
        kind: RequestKind,
        /// The CTAP2 command or the APDU.
        request: Vec<u8>,
    },
    /// Stop waiting for the owner: the request under way ends soon, and is answered.
    Cancel,
    /// Stop waiting for the owner, forget what this channel began, send these reports, and answer
    /// nothing else.
    Abort {
        /// The channel whose request was under way.
        channel: Channel,
        /// The answer to INIT.
        reports: Vec<Report>,
    },
    /// Forget what this channel began ([`Authenticator::forget`](crate::Authenticator::forget)),
    /// and send these reports.
    Restart {
        /// The channel that starts afresh.
        channel: Channel,
        /// The answer to INIT.
        reports: Vec<Report>,
    },
}

/// The status that a keepalive carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum KeepaliveStatus {
    /// The key is working.
    Processing = 1,
    /// The key waits for a touch.
    UserPresenceNeeded = 2,
}

impl HidDevice {
    /// Takes a report that a client sent.
    pub fn receive(&mut self, report: &Report, now_ms: u64) -> HidAction {
        match Packet::parse(report) {
            Packet::Init {
                channel,
                command,
                length,
                data,
            } => self.start(channel, command, length, data, now_ms),
            Packet::Continuation {
                channel,
                sequence,
                data,
            } => match &mut self.receiving {
                Some((message, deadline)) if message.channel == channel => {
                    if let Err(error) = message.push(sequence, data) {
                        self.receiving = None;
                        return refuse(channel, error);
                    }
                    *deadline = now_ms + NEXT_PACKET_WITHIN_MS;
                    self.complete(now_ms)
                }
                // A stray continuation is not answered.
                _ => HidAction::Nothing,
            },
        }
    }

    fn start(
        &mut self,
        channel: Channel,
        command: HidCommand,
        length: usize,
        data: &[u8; hallway_ctap::ctaphid::INIT_DATA],
        now_ms: u64,
    ) -> HidAction {
        if command == HidCommand::Init {
            return self.init(channel, length, data, now_ms);
        }
        if !self.knows(channel) {
            return refuse(channel, HidError::InvalidChannel);
        }
        if command == HidCommand::Cancel {
            return match self.working {
                Some((working, RequestKind::Cbor)) if working == channel => HidAction::Cancel,
                _ => HidAction::Nothing,
            };
        }
        let another_waits = self.put_off.is_some_and(|asking| asking != channel);
        if self.working.is_some() || another_waits || self.locked_against(channel, now_ms) {
            return refuse(channel, HidError::ChannelBusy);
        }
        match &self.receiving {
            Some((message, _)) if message.channel == channel => {
                self.receiving = None;
                return refuse(channel, HidError::InvalidSequence);
            }
            Some(_) => return refuse(channel, HidError::ChannelBusy),
            None => {}
        }
        match Message::start(channel, command, length, data) {
            Ok(message) => {
                self.receiving = Some((message, now_ms + NEXT_PACKET_WITHIN_MS));
                self.complete(now_ms)
            }
            Err(error) => refuse(channel, error),
        }
    }

    fn knows(&self, channel: Channel) -> bool {
        (1..=self.channels).contains(&channel.0) || self.adopted.contains(&channel)
    }

    /// The next channel to give out. After 2^32 - 2 of them, the first ones are given out again.
    fn allocate(&mut self) -> Channel {
        loop {
            self.channels = (self.channels % (u32::MAX - 1)) + 1;
            let channel = Channel(self.channels);
            if !self.adopted.contains(&channel) {
                return channel;
            }
        }
    }

    /// INIT gives out a channel, or aborts the request under way in one (11.2.9.1.3). A client that
    /// did not notice a power cycle keeps the channel that it has.
    fn init(&mut self, channel: Channel, length: usize, data: &[u8], now_ms: u64) -> HidAction {
        let (Some(nonce), 8) = (data.first_chunk::<8>(), length) else {
            return refuse(channel, HidError::InvalidLength);
        };
        if channel == Channel::RESERVED {
            return refuse(channel, HidError::InvalidChannel);
        }
        if self.locked_against(channel, now_ms) {
            return refuse(channel, HidError::ChannelBusy);
        }
        let given = match channel {
            Channel::BROADCAST => self.allocate(),
            channel => channel,
        };
        if !self.knows(given) {
            if self.adopted.len() == MAX_ADOPTED {
                self.adopted.remove(0);
            }
            self.adopted.push(given);
        }
        let mut payload = nonce.to_vec();
        payload.extend(given.0.to_be_bytes());
        payload.push(PROTOCOL_VERSION);
        payload.extend(DEVICE_VERSION);
        payload.push(CAPABILITIES);
        let reports = reports(channel, HidCommand::Init, &payload).unwrap_or_default();
        if self
            .receiving
            .as_ref()
            .is_some_and(|(message, _)| message.channel == channel)
        {
            self.receiving = None;
        }
        match self.working {
            Some((working, _)) if working == channel => {
                self.working = None;
                HidAction::Abort { channel, reports }
            }
            _ => HidAction::Restart {
                channel: given,
                reports,
            },
        }
    }

    /// Acts on the message, if it is complete.
    fn complete(&mut self, now_ms: u64) -> HidAction {
        let Some((message, _)) = self.receiving.take_if(|(message, _)| message.is_complete())
        else {
            return HidAction::AwaitMore;
        };
        let channel = message.channel;
        let payload = message.payload;
        let kind = match message.command {
            HidCommand::Ping => {
                return HidAction::Reply(
                    reports(channel, HidCommand::Ping, &payload).unwrap_or_default(),
                );
            }
            HidCommand::Wink if payload.is_empty() => {
                return HidAction::Wink(
                    reports(channel, HidCommand::Wink, &[]).unwrap_or_default(),
                );
            }
            HidCommand::Lock => return self.lock(channel, &payload, now_ms),
            HidCommand::Cbor => RequestKind::Cbor,
            HidCommand::Msg => RequestKind::Msg,
            HidCommand::Wink => return refuse(channel, HidError::InvalidLength),
            _ => return refuse(channel, HidError::InvalidCommand),
        };
        if payload.is_empty() {
            return refuse(channel, HidError::InvalidLength);
        }
        self.working = Some((channel, kind));
        HidAction::Work {
            channel,
            kind,
            request: payload,
        }
    }

    fn lock(&mut self, channel: Channel, payload: &[u8], now_ms: u64) -> HidAction {
        let [seconds] = *payload else {
            return refuse(channel, HidError::InvalidLength);
        };
        if seconds > MAX_LOCK_S {
            return refuse(channel, HidError::InvalidParameter);
        }
        self.lock = (seconds > 0).then_some((channel, now_ms + u64::from(seconds) * 1000));
        HidAction::Reply(reports(channel, HidCommand::Lock, &[]).unwrap_or_default())
    }

    fn locked_against(&mut self, channel: Channel, now_ms: u64) -> bool {
        self.lock.take_if(|(_, until)| *until <= now_ms);
        self.lock.is_some_and(|(holder, _)| holder != channel)
    }

    /// Gives up on a message whose rest did not come; returns the reports to send. Call it often.
    pub fn tick(&mut self, now_ms: u64) -> Option<Vec<Report>> {
        let (message, _) = self.receiving.take_if(|(_, deadline)| *deadline < now_ms)?;
        error(message.channel, HidError::Timeout)
    }

    /// The reports that answer the request under way; none if it was aborted.
    pub fn finished(&mut self, response: &[u8]) -> Vec<Report> {
        let Some((channel, kind)) = self.working.take() else {
            return Vec::new();
        };
        let command = match kind {
            RequestKind::Cbor => HidCommand::Cbor,
            RequestKind::Msg => HidCommand::Msg,
        };
        reports(channel, command, response)
            .or_else(|| error(channel, HidError::Other))
            .unwrap_or_default()
    }

    /// The reports that answer the U2F message under way while the owner is asked: the client is to
    /// send it again. Until [`settled`](Self::settled), other channels are told to wait.
    pub fn put_off(&mut self) -> Vec<Report> {
        self.put_off = self.working.map(|(channel, _)| channel);
        self.finished(&StatusWord::ConditionsNotSatisfied.to_bytes())
    }

    /// Call this when the owner is no longer asked about the message that was put off.
    pub const fn settled(&mut self) {
        self.put_off = None;
    }

    /// The keepalive to send every 100 ms while a CTAP2 command is under way. U2F has none: its
    /// clients would mistake one for the answer to another command.
    pub fn keepalive(&self, status: KeepaliveStatus) -> Option<Report> {
        let (channel, RequestKind::Cbor) = self.working? else {
            return None;
        };
        reports(channel, HidCommand::Keepalive, &[status as u8])?
            .first()
            .copied()
    }
}

fn error(channel: Channel, error: HidError) -> Option<Vec<Report>> {
    reports(channel, HidCommand::Error, &[error as u8])
}

fn refuse(channel: Channel, why: HidError) -> HidAction {
    HidAction::Reply(error(channel, why).unwrap_or_default())
}

#[cfg(test)]
mod tests;
