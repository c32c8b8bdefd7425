//! CTAPHID from the key's side: channels, messages, and who may speak (CTAP 2.3, section 11.2).

use alloc::vec::Vec;

use hallway_ctap::ctaphid::{Channel, HidCommand, HidError, Message, Packet, Report, reports};

/// A message must be complete this soon after its last packet.
const NEXT_PACKET_WITHIN_MS: u64 = 800;
/// CTAPHID's own version.
const PROTOCOL_VERSION: u8 = 2;
/// WINK and CBOR are implemented, and so is MSG, whose bit would say that it is not.
const CAPABILITIES: u8 = 0x01 | 0x04;
/// The longest lock, in seconds.
const MAX_LOCK_S: u8 = 10;

/// The key's end of CTAPHID. It never blocks and never sends by itself: it says what to do.
#[derive(Default)]
pub struct HidDevice {
    /// Channels 1 to this one were given out.
    channels: u32,
    receiving: Option<(Message, u64)>,
    /// The request that is being worked on.
    working: Option<(Channel, RequestKind)>,
    lock: Option<(Channel, u64)>,
}

/// What a request is.
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
    /// Nothing.
    Nothing,
    /// Send these.
    Reply(Vec<Report>),
    /// Draw attention, and send these.
    Wink(Vec<Report>),
    /// Work on this, then call [`HidDevice::finished`].
    Work {
        /// What it is.
        kind: RequestKind,
        /// The request.
        request: Vec<u8>,
    },
    /// Stop waiting for the owner: the request under way ends soon, and is answered.
    Cancel,
    /// Stop waiting for the owner, send these, and answer nothing else.
    Abort(Vec<Report>),
}

/// What a keepalive says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum KeepaliveStatus {
    /// At work.
    Processing = 1,
    /// A touch is awaited.
    UserPresenceNeeded = 2,
}

impl HidDevice {
    /// Takes a report.
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
            return self.init(channel, length, data);
        }
        if channel.0 == 0 || channel.0 > self.channels {
            return refuse(channel, HidError::InvalidChannel);
        }
        if command == HidCommand::Cancel {
            return match self.working {
                Some((working, RequestKind::Cbor)) if working == channel => HidAction::Cancel,
                _ => HidAction::Nothing,
            };
        }
        if self.working.is_some() || self.locked_against(channel, now_ms) {
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

    /// INIT gives out a channel, or aborts what goes on in one (11.2.9.1.3).
    fn init(&mut self, channel: Channel, length: usize, data: &[u8]) -> HidAction {
        let (Some(nonce), 8) = (data.first_chunk::<8>(), length) else {
            return refuse(channel, HidError::InvalidLength);
        };
        let known = (1..=self.channels).contains(&channel.0);
        let given = match channel {
            Channel::BROADCAST => {
                // After 2^32 - 2 channels, the first ones are given out again.
                self.channels = (self.channels % (u32::MAX - 1)) + 1;
                Channel(self.channels)
            }
            _ if known => channel,
            _ => return refuse(channel, HidError::InvalidChannel),
        };
        let mut payload = nonce.to_vec();
        payload.extend(given.0.to_be_bytes());
        payload.extend([PROTOCOL_VERSION, 1, 0, 0, CAPABILITIES]);
        let answer = reports(channel, HidCommand::Init, &payload).unwrap_or_default();
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
                HidAction::Abort(answer)
            }
            _ => HidAction::Reply(answer),
        }
    }

    /// Acts on the message, if all of it is here.
    fn complete(&mut self, now_ms: u64) -> HidAction {
        let Some((message, _)) = self.receiving.take_if(|(message, _)| message.is_complete())
        else {
            return HidAction::Nothing;
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

    /// Gives up on a message whose rest did not come: what to send, if anything. Call it often.
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

    /// The keepalive to send every 100 ms while a request is under way. U2F has none of its own,
    /// but its clients take them, and without them would give up on an owner who thinks.
    pub fn keepalive(&self, status: KeepaliveStatus) -> Option<Report> {
        let (channel, _) = self.working?;
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
mod tests {
    use super::*;

    fn send(
        device: &mut HidDevice,
        channel: Channel,
        command: HidCommand,
        payload: &[u8],
    ) -> HidAction {
        let mut last = HidAction::Nothing;
        for report in reports(channel, command, payload).unwrap() {
            last = device.receive(&report, 0);
        }
        last
    }

    fn open(device: &mut HidDevice) -> Channel {
        let HidAction::Reply(answer) = send(device, Channel::BROADCAST, HidCommand::Init, &[9; 8])
        else {
            panic!("no answer to INIT");
        };
        let Packet::Init { data, .. } = Packet::parse(&answer[0]) else {
            panic!("a continuation");
        };
        assert_eq!(data[..8], [9; 8]);
        Channel(u32::from_be_bytes(data[8..12].try_into().unwrap()))
    }

    fn refused(action: &HidAction) -> Option<HidError> {
        let HidAction::Reply(answer) = action else {
            return None;
        };
        match Packet::parse(answer.first()?) {
            Packet::Init {
                command: HidCommand::Error,
                data,
                ..
            } => Some(HidError::from_code(data[0])),
            _ => None,
        }
    }

    #[test]
    fn ping_comes_back() {
        let mut device = HidDevice::default();
        let channel = open(&mut device);
        let action = send(&mut device, channel, HidCommand::Ping, &[1; 300]);
        let echo = reports(channel, HidCommand::Ping, &[1; 300]).unwrap();
        assert_eq!(action, HidAction::Reply(echo));
    }

    #[test]
    fn channels_that_were_not_given_out_are_refused() {
        let mut device = HidDevice::default();
        for channel in [Channel(0), Channel(1), Channel::BROADCAST] {
            let action = send(&mut device, channel, HidCommand::Ping, &[1]);
            assert_eq!(refused(&action), Some(HidError::InvalidChannel));
        }
    }

    #[test]
    fn a_second_channel_has_to_wait_and_a_cancel_is_heard() {
        let mut device = HidDevice::default();
        let (a, b) = (open(&mut device), open(&mut device));
        let work = send(&mut device, a, HidCommand::Cbor, &[4]);
        assert_eq!(
            work,
            HidAction::Work {
                kind: RequestKind::Cbor,
                request: alloc::vec![4]
            }
        );
        let busy = send(&mut device, b, HidCommand::Cbor, &[4]);
        assert_eq!(refused(&busy), Some(HidError::ChannelBusy));
        assert_eq!(
            send(&mut device, b, HidCommand::Cancel, &[]),
            HidAction::Nothing
        );
        assert_eq!(
            send(&mut device, a, HidCommand::Cancel, &[]),
            HidAction::Cancel
        );
        assert!(device.keepalive(KeepaliveStatus::Processing).is_some());
        assert_eq!(device.finished(&[0x2d]).len(), 1);
        assert!(device.keepalive(KeepaliveStatus::Processing).is_none());
    }

    #[test]
    fn init_on_the_working_channel_aborts() {
        let mut device = HidDevice::default();
        let channel = open(&mut device);
        send(&mut device, channel, HidCommand::Cbor, &[1]);
        let action = send(&mut device, channel, HidCommand::Init, &[1; 8]);
        assert!(matches!(action, HidAction::Abort(_)));
        assert!(device.finished(&[0]).is_empty());
    }

    #[test]
    fn half_a_message_times_out() {
        let mut device = HidDevice::default();
        let channel = open(&mut device);
        let all = reports(channel, HidCommand::Ping, &[1; 100]).unwrap();
        assert_eq!(device.receive(&all[0], 0), HidAction::Nothing);
        assert_eq!(device.tick(NEXT_PACKET_WITHIN_MS), None);
        let answer = device.tick(NEXT_PACKET_WITHIN_MS + 1).unwrap();
        assert_eq!(refused(&HidAction::Reply(answer)), Some(HidError::Timeout));
    }

    #[test]
    fn a_lock_keeps_others_out_until_it_lapses() {
        let mut device = HidDevice::default();
        let (a, b) = (open(&mut device), open(&mut device));
        send(&mut device, a, HidCommand::Lock, &[2]);
        let busy = send(&mut device, b, HidCommand::Ping, &[1]);
        assert_eq!(refused(&busy), Some(HidError::ChannelBusy));
        let ping = &reports(b, HidCommand::Ping, &[1]).unwrap()[0];
        assert_eq!(refused(&device.receive(ping, 2000)), None);
        let long = send(&mut device, a, HidCommand::Lock, &[11]);
        assert_eq!(refused(&long), Some(HidError::InvalidParameter));
    }

    proptest::proptest! {
        #[test]
        fn any_reports_are_survived(all in proptest::collection::vec(proptest::array::uniform32(0u8..), 0..40)) {
            let mut device = HidDevice::default();
            let channel = open(&mut device);
            for (at, half) in all.iter().enumerate() {
                let mut report = [0; 64];
                report[..32].copy_from_slice(half);
                if at % 3 != 0 {
                    report[..4].copy_from_slice(&channel.0.to_be_bytes());
                }
                if matches!(device.receive(&report, at as u64), HidAction::Work { .. }) {
                    proptest::prop_assert!(!device.finished(&[0]).is_empty());
                }
            }
        }
    }
}
