//! `hallway key serve`.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use hallway_softkey::{Consent, SoftKey, Terminal, Worker, serve_udp, serve_unix};

use super::KeyCommandError;
use super::protection::{Prompt, ProtectionArguments};

/// Arguments of `hallway key serve`.
#[derive(clap::Args, Debug)]
pub(super) struct Serve {
    /// The key file.
    file: PathBuf,
    #[command(flatten)]
    protection: ProtectionArguments,
    /// Serve one CTAPHID report per datagram at ADDRESS, such as 127.0.0.1:8111; port 0 picks one.
    ///
    /// Whoever can send there can use the key: keep to the loopback interface.
    #[arg(long, value_name = "ADDRESS")]
    udp: Option<SocketAddr>,
    /// Serve CTAPHID reports back to back on a Unix socket at PATH, for this user only.
    #[arg(long, value_name = "PATH")]
    unix: Option<PathBuf>,
    /// Who confirms what the key is asked to do.
    #[arg(long, value_enum, default_value = "ask")]
    consent: ConsentKind,
    /// Print the addresses as one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum ConsentKind {
    /// Ask on this terminal, each time.
    Ask,
    /// Confirm everything.
    Always,
    /// Confirm nothing: only silent assertions work.
    Never,
}

/// Why serving ended.
enum Ended {
    Signal,
    Transport(&'static str, io::Result<()>),
}

impl Serve {
    pub(super) fn run(&self) -> Result<(), KeyCommandError> {
        if self.udp.is_none() && self.unix.is_none() {
            return Err(KeyCommandError::NoTransport);
        }
        let protection = self.protection.read(Prompt::Once)?;
        let consent = match self.consent {
            ConsentKind::Ask => {
                Consent::Ask(Box::new(Terminal::new().map_err(failed("the terminal"))?))
            }
            ConsentKind::Always => Consent::Always,
            ConsentKind::Never => Consent::Never,
        };
        let key = SoftKey::open(&self.file, &protection, consent)?;
        let udp = self
            .udp
            .map(|address| UdpSocket::bind(address).map_err(failed(address)))
            .transpose()?;
        let unix = self
            .unix
            .as_deref()
            .map(|path| listen(path).map_err(failed(path.display())))
            .transpose()?;
        let (worker, closing) = Worker::start(key).map_err(failed("a thread"))?;
        self.announce(udp.as_ref())?;

        let stop = Arc::new(AtomicBool::new(false));
        let (ended, ends) = channel();
        let mut transports = Vec::new();
        if let Some(socket) = udp {
            let (worker, stop, ended) = (worker.clone(), Arc::clone(&stop), ended.clone());
            transports.push(thread::spawn(move || {
                let result = serve_udp(worker, socket, &stop);
                let _ = ended.send(Ended::Transport("UDP", result));
            }));
        }
        if let Some(listener) = unix {
            let (worker, stop, ended) = (worker.clone(), Arc::clone(&stop), ended.clone());
            transports.push(thread::spawn(move || {
                let result = serve_unix(&worker, &listener, &stop);
                let _ = ended.send(Ended::Transport("the Unix socket", result));
            }));
        }
        drop(worker);
        let mut signals = Signals::new().map_err(failed("signals"))?;
        thread::spawn(move || {
            signals.wait();
            let _ = ended.send(Ended::Signal);
        });

        let first = ends.recv();
        stop.store(true, Ordering::Relaxed);
        for transport in transports {
            let _ = transport.join();
        }
        // The key settles its counter before it is closed.
        let _ = closing.join();
        if let Some(path) = &self.unix {
            let _ = std::fs::remove_file(path);
        }
        match first {
            Ok(Ended::Transport(name, Err(error))) => Err(failed(name)(error)),
            _ => Ok(()),
        }
    }

    fn announce(&self, udp: Option<&UdpSocket>) -> Result<(), KeyCommandError> {
        let address = udp
            .map(UdpSocket::local_addr)
            .transpose()
            .map_err(failed("UDP"))?;
        if self.json {
            println!(
                "{}",
                serde_json::json!({ "udp": address, "unix": self.unix })
            );
            return Ok(());
        }
        if let Some(address) = address {
            eprintln!("Serving the key over UDP at {address}.");
        }
        if let Some(path) = &self.unix {
            eprintln!("Serving the key on the Unix socket {}.", path.display());
        }
        Ok(())
    }
}

/// Ctrl-C and SIGTERM.
struct Signals {
    runtime: tokio::runtime::Runtime,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        drop(entered);
        Ok(Self {
            runtime,
            interrupt,
            terminate,
        })
    }

    fn wait(&mut self) {
        self.runtime.block_on(async {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
        });
    }
}

/// Binds a socket that only this user can reach. A socket that nobody serves any more is removed.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let is_socket = std::fs::symlink_metadata(path)?.file_type().is_socket();
            if !is_socket || UnixStream::connect(path).is_ok() {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        other => other?,
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn failed(what: impl ToString) -> impl FnOnce(io::Error) -> KeyCommandError {
    let what = what.to_string();
    move |error| KeyCommandError::Io { what, error }
}
