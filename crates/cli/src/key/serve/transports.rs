//! Where a served key can be reached.

use std::fs::File;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use hallway_softkey::{Uhid, Worker, serve_stream, serve_udp, serve_uhid, serve_unix};

use super::TransportArguments;
use crate::key::KeyCommandError;
use crate::key::error::failed;
use crate::private_socket;

/// The device of Linux's uhid.
const UHID: &str = "/dev/uhid";

/// Why serving ended.
pub(super) enum Ended {
    Signal,
    Transport(&'static str, io::Result<()>),
}

/// Serves one transport until it is told to stop.
type Serving = Box<dyn FnOnce(Worker, &Arc<AtomicBool>) -> io::Result<()> + Send>;

/// Transports that are bound and opened, and not served yet.
pub(super) struct Transports {
    uhid: Option<Uhid>,
    udp: Option<UdpSocket>,
    unix: Option<(PathBuf, UnixListener)>,
    /// Standard input and output.
    stdio: Option<(File, File)>,
}

impl Transports {
    pub(super) fn open(wanted: &TransportArguments) -> Result<Self, KeyCommandError> {
        let udp = wanted
            .udp
            .map(|address| UdpSocket::bind(address).map_err(failed(address)))
            .transpose()?;
        let uhid = match wanted.uhid {
            true => Some(Uhid::plug_in(Path::new(UHID))?),
            false => None,
        };
        let unix = match &wanted.unix {
            Some(path) => Some((
                path.clone(),
                private_socket::bind(path).map_err(failed(path.display()))?,
            )),
            None => None,
        };
        let stdio = match wanted.stdio {
            true => Some(streams().map_err(failed("standard input and output"))?),
            false => None,
        };
        Ok(Self {
            uhid,
            udp,
            unix,
            stdio,
        })
    }

    /// Prints where the key can be reached.
    pub(super) fn announce(&self, json: bool) -> Result<(), KeyCommandError> {
        let address = self
            .udp
            .as_ref()
            .map(UdpSocket::local_addr)
            .transpose()
            .map_err(failed("UDP"))?;
        let path = self.unix.as_ref().map(|(path, _)| path);
        if json {
            println!(
                "{}",
                serde_json::json!({
                    "udp": address, "unix": path, "uhid": self.uhid.is_some(),
                })
            );
            return Ok(());
        }
        if self.uhid.is_some() {
            eprintln!("The key is plugged in: every program sees it as a USB security key.");
        }
        if let Some(address) = address {
            eprintln!("Serving the key over UDP at {address}.");
        }
        if let Some(path) = path {
            eprintln!(
                "Serving the key on the Unix socket {}.",
                crate::terminal::path(path)
            );
        }
        if self.stdio.is_some() {
            eprintln!("Serving the key on standard input and output.");
        }
        Ok(())
    }

    /// Serves each transport on a thread of its own.
    pub(super) fn serve(
        self,
        worker: &Worker,
        stop: &Arc<AtomicBool>,
        ended: &Sender<Ended>,
    ) -> Vec<JoinHandle<()>> {
        let start = |name, serve: Serving| {
            let (worker, stop, ended) = (worker.clone(), Arc::clone(stop), ended.clone());
            thread::spawn(move || {
                let _ = ended.send(Ended::Transport(name, serve(worker, &stop)));
            })
        };
        let mut serving = Vec::new();
        if let Some(uhid) = self.uhid {
            let serve = Box::new(move |worker, stop: &_| serve_uhid(worker, &uhid, stop));
            serving.push(start(UHID, serve));
        }
        if let Some(socket) = self.udp {
            let serve = Box::new(move |worker, stop: &_| serve_udp(worker, socket, stop));
            serving.push(start("UDP", serve));
        }
        if let Some((_, listener)) = self.unix {
            let serve = Box::new(move |worker, stop: &_| serve_unix(&worker, &listener, stop));
            serving.push(start("the Unix socket", serve));
        }
        if let Some((input, output)) = self.stdio {
            let serve = Box::new(move |worker, stop: &_| serve_stream(worker, input, output, stop));
            serving.push(start("standard input and output", serve));
        }
        serving
    }
}

/// Standard input and output without the buffers that Rust gives them.
fn streams() -> io::Result<(File, File)> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    Ok((input.into(), output.into()))
}
