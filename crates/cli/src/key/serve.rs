//! `hallway key serve`.

mod features;
mod signals;
mod transports;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use hallway_softkey::Worker;

use self::features::FeatureArguments;
use self::signals::Signals;
use self::transports::{Ended, Transports};
use super::KeyCommandError;
use super::consent::ConsentArguments;
use super::error::failed;
use super::key_file::KeyFileArguments;

/// Arguments of `hallway key serve`.
#[derive(clap::Args, Debug)]
pub(super) struct Serve {
    #[command(flatten)]
    key: KeyFileArguments,
    #[command(flatten)]
    transports: TransportArguments,
    /// Let --udp open the key to the network: everybody who reaches the address can use it.
    #[arg(long, requires = "udp")]
    udp_beyond_loopback: bool,
    #[command(flatten)]
    consent: ConsentArguments,
    #[command(flatten)]
    features: FeatureArguments,
    /// Print the addresses as one line of JSON once they are served.
    #[arg(long, conflicts_with = "stdio")]
    json: bool,
}

/// Where the key is served: at least one of these.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = true)]
struct TransportArguments {
    /// Be a USB security key for every program on this computer, through Linux's uhid.
    ///
    /// Everybody who is logged in at this computer can use the key.
    #[arg(long)]
    uhid: bool,
    /// Serve one CTAPHID report per datagram at ADDRESS, such as 127.0.0.1:8111; for port 0, the
    /// system picks one.
    ///
    /// Everybody who can send there can use the key, so an address beyond the loopback interface
    /// needs
    /// --udp-beyond-loopback.
    #[arg(long, value_name = "ADDRESS")]
    udp: Option<SocketAddr>,
    /// Serve CTAPHID reports back to back on a Unix socket at PATH, for this user only.
    #[arg(long, value_name = "PATH")]
    unix: Option<PathBuf>,
    /// Serve CTAPHID reports back to back on standard input and output, until the input ends.
    #[arg(long)]
    stdio: bool,
}

impl Serve {
    pub(super) fn run(&self) -> Result<(), KeyCommandError> {
        if let Some(address) = self.transports.udp
            && !address.ip().is_loopback()
            && !self.udp_beyond_loopback
        {
            return Err(KeyCommandError::BeyondLoopback(address));
        }
        let consent = match self.transports.stdio {
            true => self.consent.choose_without_terminal()?,
            false => self.consent.choose()?,
        };
        let mut key = self.key.open(consent)?;
        self.features.apply(&mut key);
        if self.transports.uhid {
            key.fit_requests_to_uhid();
        }
        let transports = Transports::open(&self.transports)?;
        let mut signals = Signals::new().map_err(failed("signals"))?;
        let (worker, closing) = Worker::start(key).map_err(failed("a thread"))?;
        transports.announce(self.json)?;

        let stop = Arc::new(AtomicBool::new(false));
        let (ended, ends) = channel();
        let serving = transports.serve(&worker, &stop, &ended);
        drop(worker);
        thread::spawn(move || {
            signals.wait();
            let _ = ended.send(Ended::Signal);
        });

        let first = ends.recv();
        stop.store(true, Ordering::Relaxed);
        for transport in serving {
            let _ = transport.join();
        }
        // The key settles its counter before it is closed.
        let _ = closing.join();
        if let Some(path) = &self.transports.unix {
            let _ = std::fs::remove_file(path);
        }
        match first {
            Ok(Ended::Transport(name, Err(error))) => Err(failed(name)(error)),
            _ => Ok(()),
        }
    }
}
