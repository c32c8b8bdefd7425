//! CTAPHID: messages cut into reports of 64 bytes (CTAP 2.3, section 11.2).

use alloc::vec::Vec;

/// Bytes of one report.
pub const REPORT_LENGTH: usize = 64;
/// Payload bytes of an initialisation packet.
pub const INIT_DATA: usize = REPORT_LENGTH - 7;
/// Payload bytes of a continuation packet.
pub const CONTINUATION_DATA: usize = REPORT_LENGTH - 5;
/// The longest message: an initialisation packet and 128 continuations.
pub const MAX_MESSAGE: usize = INIT_DATA + 128 * CONTINUATION_DATA;

/// One HID report, zero-padded.
pub type Report = [u8; REPORT_LENGTH];

/// A channel identifier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Channel(pub u32);

impl Channel {
    /// Where INIT asks for a channel.
    pub const BROADCAST: Self = Self(0xffff_ffff);
    /// Reserved: never valid.
    pub const RESERVED: Self = Self(0);
}

/// The command of an initialisation packet, without its high bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HidCommand {
    /// Echo.
    Ping,
    /// A CTAP1/U2F APDU.
    Msg,
    /// Reserve the authenticator for a channel.
    Lock,
    /// Allocate a channel, or abort what is under way on one.
    Init,
    /// Draw attention.
    Wink,
    /// A CTAP2 command.
    Cbor,
    /// Cancel the CTAP2 command that is under way.
    Cancel,
    /// Sent while the authenticator works or waits for a touch.
    Keepalive,
    /// An error of the transport.
    Error,
    /// A command that the specification does not name.
    Unknown(u8),
}

impl HidCommand {
    const NAMED: [(u8, Self); 9] = [
        (0x01, Self::Ping),
        (0x03, Self::Msg),
        (0x04, Self::Lock),
        (0x06, Self::Init),
        (0x08, Self::Wink),
        (0x10, Self::Cbor),
        (0x11, Self::Cancel),
        (0x3b, Self::Keepalive),
        (0x3f, Self::Error),
    ];

    /// The command with this code.
    pub fn from_code(code: u8) -> Self {
        Self::NAMED
            .iter()
            .find(|(c, _)| *c == code)
            .map_or(Self::Unknown(code), |(_, command)| *command)
    }

    /// The code, seven bits.
    pub fn code(self) -> u8 {
        match self {
            Self::Unknown(code) => code & 0x7f,
            named => Self::NAMED
                .iter()
                .find(|(_, command)| *command == named)
                .map_or(0, |(code, _)| *code),
        }
    }
}

/// The error code of an ERROR message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[repr(u8)]
pub enum HidError {
    /// The command is not known.
    #[error("the key does not know this CTAPHID command")]
    InvalidCommand = 0x01,
    /// A parameter is not valid.
    #[error("a parameter of the CTAPHID message is not valid")]
    InvalidParameter = 0x02,
    /// The length is not valid for the command.
    #[error("the length of the CTAPHID message is not valid")]
    InvalidLength = 0x03,
    /// A continuation packet out of order.
    #[error("CTAPHID packets came out of order")]
    InvalidSequence = 0x04,
    /// The rest of the message did not come in time.
    #[error("the CTAPHID message was not completed in time")]
    Timeout = 0x05,
    /// Another channel is being served.
    #[error("the key is busy with another program")]
    ChannelBusy = 0x06,
    /// The command needs a lock.
    #[error("the CTAPHID command needs a channel lock")]
    LockRequired = 0x0a,
    /// The channel was never allocated.
    #[error("the CTAPHID channel is not valid")]
    InvalidChannel = 0x0b,
    /// Anything else.
    #[error("the key reports a transport fault")]
    Other = 0x7f,
}

impl HidError {
    /// The error with this code; undefined codes become [`HidError::Other`].
    pub const fn from_code(code: u8) -> Self {
        match code {
            0x01 => Self::InvalidCommand,
            0x02 => Self::InvalidParameter,
            0x03 => Self::InvalidLength,
            0x04 => Self::InvalidSequence,
            0x05 => Self::Timeout,
            0x06 => Self::ChannelBusy,
            0x0a => Self::LockRequired,
            0x0b => Self::InvalidChannel,
            _ => Self::Other,
        }
    }
}

/// A report, borrowed from its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packet<'a> {
    /// The first packet of a message.
    Init {
        /// The channel of the message.
        channel: Channel,
        /// The message's command.
        command: HidCommand,
        /// Payload bytes of the whole message.
        length: usize,
        /// The payload's first bytes, and padding.
        data: &'a [u8; INIT_DATA],
    },
    /// A later packet of a message.
    Continuation {
        /// The channel of the message.
        channel: Channel,
        /// 0 to 127.
        sequence: u8,
        /// The payload's next bytes, and padding.
        data: &'a [u8; CONTINUATION_DATA],
    },
}

impl<'a> Packet<'a> {
    /// Parses a report.
    pub fn parse(report: &'a Report) -> Self {
        let [a, b, c, d, kind, rest @ ..] = report;
        let channel = Channel(u32::from_be_bytes([*a, *b, *c, *d]));
        if kind & 0x80 == 0 {
            return Self::Continuation {
                channel,
                sequence: *kind,
                data: rest,
            };
        }
        let [high, low, data @ ..] = rest;
        Self::Init {
            channel,
            command: HidCommand::from_code(kind & 0x7f),
            length: usize::from(u16::from_be_bytes([*high, *low])),
            data,
        }
    }

    /// The channel, of a packet of either kind.
    pub const fn channel(&self) -> Channel {
        match *self {
            Self::Init { channel, .. } | Self::Continuation { channel, .. } => channel,
        }
    }
}

/// Cuts a message into reports. `None` if it is longer than [`MAX_MESSAGE`].
pub fn reports(channel: Channel, command: HidCommand, payload: &[u8]) -> Option<Vec<Report>> {
    if payload.len() > MAX_MESSAGE {
        return None;
    }
    let (first, rest) = payload.split_at(payload.len().min(INIT_DATA));
    let mut report = [0; REPORT_LENGTH];
    report[..4].copy_from_slice(&channel.0.to_be_bytes());
    report[4] = 0x80 | command.code();
    report[5..7].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    report[7..7 + first.len()].copy_from_slice(first);
    let mut all = alloc::vec![report];
    for (sequence, chunk) in rest.chunks(CONTINUATION_DATA).enumerate() {
        let mut report = [0; REPORT_LENGTH];
        report[..4].copy_from_slice(&channel.0.to_be_bytes());
        report[4] = sequence as u8;
        report[5..5 + chunk.len()].copy_from_slice(chunk);
        all.push(report);
    }
    Some(all)
}

/// A message that is being put together from its packets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The channel that all packets must have.
    pub channel: Channel,
    /// The command of the initialisation packet.
    pub command: HidCommand,
    /// The payload bytes received so far.
    pub payload: Vec<u8>,
    length: usize,
    next: u8,
}

impl Message {
    /// Starts with an initialisation packet.
    ///
    /// # Errors
    /// [`HidError::InvalidLength`] for a message longer than [`MAX_MESSAGE`].
    pub fn start(
        channel: Channel,
        command: HidCommand,
        length: usize,
        data: &[u8; INIT_DATA],
    ) -> Result<Self, HidError> {
        if length > MAX_MESSAGE {
            return Err(HidError::InvalidLength);
        }
        Ok(Self {
            channel,
            command,
            payload: data[..length.min(INIT_DATA)].to_vec(),
            length,
            next: 0,
        })
    }

    /// Adds a continuation packet of the same channel.
    ///
    /// # Errors
    /// [`HidError::InvalidSequence`] when it is not the next one.
    pub fn push(&mut self, sequence: u8, data: &[u8; CONTINUATION_DATA]) -> Result<(), HidError> {
        if sequence != self.next || self.is_complete() {
            return Err(HidError::InvalidSequence);
        }
        let missing = self.length - self.payload.len();
        self.payload
            .extend_from_slice(&data[..missing.min(CONTINUATION_DATA)]);
        self.next += 1;
        Ok(())
    }

    /// Whether the whole payload has arrived.
    pub fn is_complete(&self) -> bool {
        self.payload.len() == self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assemble(reports: &[Report]) -> Message {
        let mut message: Option<Message> = None;
        for report in reports {
            match (Packet::parse(report), message.as_mut()) {
                (
                    Packet::Init {
                        channel,
                        command,
                        length,
                        data,
                    },
                    None,
                ) => message = Some(Message::start(channel, command, length, data).unwrap()),
                (Packet::Continuation { sequence, data, .. }, Some(message)) => {
                    message.push(sequence, data).unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
        message.unwrap()
    }

    #[test]
    fn messages_of_every_length_survive() {
        for length in [0, 1, 57, 58, 57 + 59, 57 + 60, 1200, MAX_MESSAGE] {
            let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let reports = reports(Channel(7), HidCommand::Cbor, &payload).unwrap();
            let message = assemble(&reports);
            assert!(message.is_complete());
            assert_eq!(message.payload, payload);
            assert_eq!(message.command, HidCommand::Cbor);
        }
        let long = alloc::vec![0; MAX_MESSAGE + 1];
        assert_eq!(reports(Channel(7), HidCommand::Cbor, &long), None);
    }

    #[test]
    fn a_packet_out_of_order_is_refused() {
        let reports = reports(Channel(7), HidCommand::Ping, &[1; 200]).unwrap();
        let mut message = assemble(&reports[..1]);
        let Packet::Continuation { sequence, data, .. } = Packet::parse(&reports[2]) else {
            panic!("not a continuation");
        };
        assert_eq!(message.push(sequence, data), Err(HidError::InvalidSequence));
    }

    #[test]
    fn too_long_is_refused_at_once() {
        assert_eq!(
            Message::start(
                Channel(1),
                HidCommand::Ping,
                MAX_MESSAGE + 1,
                &[0; INIT_DATA]
            ),
            Err(HidError::InvalidLength)
        );
    }
}
