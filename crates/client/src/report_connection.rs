//! CTAPHID from the platform's side, over anything that carries reports of 64 bytes.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use hallway_ctap::ctaphid::{
    Channel, HidCommand, HidError, Message, Packet, REPORT_LENGTH, Report, reports,
};

use crate::connection::{Connection, ConnectionError, Keepalive};

/// Something that carries reports.
pub trait Reports {
    /// Sends one report.
    ///
    /// # Errors
    /// The errors of the socket.
    fn send(&mut self, report: &Report) -> io::Result<()>;

    /// Waits for one report; `None` when none came in time.
    ///
    /// # Errors
    /// The errors of the socket.
    fn receive(&mut self, timeout: Duration) -> io::Result<Option<Report>>;
}

impl Reports for UdpSocket {
    fn send(&mut self, report: &Report) -> io::Result<()> {
        UdpSocket::send(self, report).map(|_| ())
    }

    fn receive(&mut self, timeout: Duration) -> io::Result<Option<Report>> {
        self.set_read_timeout(Some(timeout.max(Duration::from_millis(1))))?;
        let mut report = [0; REPORT_LENGTH];
        match self.recv(&mut report) {
            Ok(REPORT_LENGTH) => Ok(Some(report)),
            Ok(_) => Ok(None),
            Err(error) => timed_out(error),
        }
    }
}

impl Reports for UnixStream {
    fn send(&mut self, report: &Report) -> io::Result<()> {
        self.write_all(report)
    }

    fn receive(&mut self, timeout: Duration) -> io::Result<Option<Report>> {
        self.set_read_timeout(Some(timeout.max(Duration::from_millis(1))))?;
        let mut report = [0; REPORT_LENGTH];
        // A timeout in the middle of a report would lose its first half: after the first byte, the
        // rest is waited for.
        match self.read(&mut report) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(first) => {
                self.set_read_timeout(Some(REPLY_WITHIN))?;
                self.read_exact(&mut report[first..])?;
                Ok(Some(report))
            }
            Err(error) => timed_out(error),
        }
    }
}

fn timed_out(error: io::Error) -> io::Result<Option<Report>> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {
            Ok(None)
        }
        _ => Err(error),
    }
}

/// Keys send a keepalive every 100 ms; one that is silent for this long is gone.
const REPLY_WITHIN: Duration = Duration::from_secs(5);

/// A channel to a key behind reports.
pub struct ReportConnection<R> {
    reports: R,
    channel: Channel,
}

impl ReportConnection<UdpSocket> {
    /// Opens a channel to a key that takes one report per datagram.
    ///
    /// # Errors
    /// [`ConnectionError`] when nobody answers there.
    pub fn udp(address: SocketAddr) -> Result<Self, ConnectionError> {
        let local = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let local = if address.is_ipv4() {
            local
        } else {
            SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0))
        };
        let socket = UdpSocket::bind(local)?;
        socket.connect(address)?;
        Self::open(socket)
    }
}

impl ReportConnection<UnixStream> {
    /// Opens a channel to a key behind a Unix socket.
    ///
    /// # Errors
    /// [`ConnectionError`] when nobody answers there.
    pub fn unix(path: impl AsRef<Path>) -> Result<Self, ConnectionError> {
        Self::open(UnixStream::connect(path)?)
    }
}

impl<R: Reports> ReportConnection<R> {
    /// Opens a channel with INIT.
    ///
    /// # Errors
    /// [`ConnectionError`] when the key does not answer.
    pub fn open(reports: R) -> Result<Self, ConnectionError> {
        let mut connection = Self {
            reports,
            channel: Channel::BROADCAST,
        };
        let mut nonce = [0; 8];
        SystemRandom::new()
            .fill(&mut nonce)
            .map_err(|_| ConnectionError::Protocol("no randomness on this computer"))?;
        connection.write(HidCommand::Init, &nonce)?;
        let deadline = Instant::now() + REPLY_WITHIN;
        while Instant::now() < deadline {
            let message = connection.read(&mut |_| {})?;
            let Some((echo, rest)) = message.payload.split_first_chunk::<8>() else {
                continue;
            };
            // Answers to other programs' INIT arrive on the broadcast channel too.
            if message.command == HidCommand::Init && *echo == nonce {
                let channel = rest
                    .first_chunk::<4>()
                    .ok_or(ConnectionError::Protocol("INIT without a channel"))?;
                connection.channel = Channel(u32::from_be_bytes(*channel));
                return Ok(connection);
            }
        }
        Err(ConnectionError::Silent(REPLY_WITHIN.as_secs()))
    }

    fn write(&mut self, command: HidCommand, payload: &[u8]) -> Result<(), ConnectionError> {
        let all = reports(self.channel, command, payload).ok_or(HidError::InvalidLength)?;
        for report in &all {
            self.reports.send(report)?;
        }
        Ok(())
    }

    /// The next whole message on this channel that is not a keepalive.
    fn read(&mut self, progress: &mut dyn FnMut(Keepalive)) -> Result<Message, ConnectionError> {
        let mut started: Option<Message> = None;
        let mut heard = Instant::now();
        loop {
            let silence = || ConnectionError::Silent(REPLY_WITHIN.as_secs());
            let left = REPLY_WITHIN
                .checked_sub(heard.elapsed())
                .ok_or_else(silence)?;
            let report = self.reports.receive(left)?.ok_or_else(silence)?;
            let packet = Packet::parse(&report);
            // What the key says to others does not end its silence here.
            if packet.channel() != self.channel {
                continue;
            }
            heard = Instant::now();
            match (packet, started.as_mut()) {
                (
                    Packet::Init {
                        command: HidCommand::Keepalive,
                        data,
                        ..
                    },
                    _,
                ) => progress(match data[0] {
                    2 => Keepalive::UserPresenceNeeded,
                    _ => Keepalive::Processing,
                }),
                (
                    Packet::Init {
                        channel,
                        command,
                        length,
                        data,
                    },
                    _,
                ) => started = Some(Message::start(channel, command, length, data)?),
                (Packet::Continuation { sequence, data, .. }, Some(message)) => {
                    message.push(sequence, data)?;
                }
                (Packet::Continuation { .. }, None) => {}
            }
            if let Some(message) = started.take_if(|message| message.is_complete()) {
                return match message.command {
                    HidCommand::Error => Err(HidError::from_code(
                        message.payload.first().copied().unwrap_or(0x7f),
                    )
                    .into()),
                    _ => Ok(message),
                };
            }
        }
    }
}

impl<R: Reports> Connection for ReportConnection<R> {
    fn transact(
        &mut self,
        request: &[u8],
        progress: &mut dyn FnMut(Keepalive),
    ) -> Result<Vec<u8>, ConnectionError> {
        self.write(HidCommand::Cbor, request)?;
        let message = self.read(progress)?;
        match message.command {
            HidCommand::Cbor => Ok(message.payload),
            _ => Err(ConnectionError::Protocol("another command came back")),
        }
    }
}
