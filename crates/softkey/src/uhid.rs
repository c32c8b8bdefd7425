//! A security key that every program on this computer sees as one on USB: through Linux's uhid, a
//! program is a HID device.

mod event;
mod pace;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Instant;

use crate::poll::readable;
use crate::serve::{Event, Session};
use crate::soft_key::SoftKey;
use crate::uhid::event::{EVENT_BYTES, FromKernel};
use crate::uhid::pace::Pace;
use crate::worker::Worker;

/// Reading does not wait; writing to uhid never does.
const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;
/// The kernel keeps this many events for its reader: UHID_BUFSIZE (drivers/hid/uhid.c).
const KEPT_EVENTS: usize = 32;

/// A device that is plugged in until it is dropped.
pub struct Uhid {
    device: File,
}

/// Why a device could not be plugged in.
#[derive(Debug, thiserror::Error)]
pub enum UhidError {
    /// The kernel has no uhid, or does not show it here.
    #[error(
        "{} is not there; load the kernel module with `modprobe uhid` as root (in a container, \
         pass the device in)", .0.display()
    )]
    Absent(PathBuf),
    /// This user may not create HID devices.
    #[error(
        "{} may not be opened by this user; install packaging/70-hallway.rules and join the \
         group hallway-key, as docs/keys.md says", .0.display()
    )]
    NotPermitted(PathBuf),
    /// Another error.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The path of the device.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

/// The longest request that clients are told to send: 21 reports, so that it fits [`KEPT_EVENTS`]
/// even if all of it is written before anything is read.
const MAX_REQUEST_BYTES: usize = 1200;

impl SoftKey {
    /// Tells clients to keep requests short enough for uhid, where the rest of a longer one may be
    /// lost on a busy computer. Call it before the key is served there.
    pub const fn fit_requests_to_uhid(&mut self) {
        self.authenticator.settings_mut().max_message = MAX_REQUEST_BYTES;
    }
}

impl Uhid {
    /// Plugs a security key in. `path` is `/dev/uhid`.
    ///
    /// # Errors
    /// [`UhidError`], which says what to do.
    pub fn plug_in(path: &Path) -> Result<Self, UhidError> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(NONBLOCK)
            .open(path)
            .and_then(Self::over)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => UhidError::Absent(path.into()),
                io::ErrorKind::PermissionDenied => UhidError::NotPermitted(path.into()),
                // The node can outlive the module, or be there without one.
                _ if is_no_device(&error) => UhidError::Absent(path.into()),
                _ => UhidError::Io {
                    path: path.into(),
                    error,
                },
            })
    }

    /// Plugs a key in over `device`, which must not block.
    fn over(mut device: File) -> io::Result<Self> {
        device.write_all(&event::create())?;
        Ok(Self { device })
    }
}

/// ENODEV or ENXIO: there is a node, but no driver behind it.
fn is_no_device(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::NODEV, Errno::NXIO]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Serves the key as a HID device until `stop` is set; drop `uhid` then to unplug it.
///
/// # Errors
/// The errors of the device.
pub fn serve_uhid(worker: Worker, uhid: &Uhid, stop: &Arc<AtomicBool>) -> io::Result<()> {
    let (events, inbox) = channel();
    let session = Session::new(worker, events.clone());
    let receiving = uhid.device.try_clone()?;
    let stop = Arc::clone(stop);
    let reader = thread::Builder::new()
        .name("uhid reports".into())
        .spawn(move || {
            let result = receive(receiving, &events, &stop);
            // Nobody listens when the session ended on its own.
            let _ = events.send(Event::Closed);
            result
        })?;
    let mut pace = Pace::new(Instant::now());
    let served = session.run(&inbox, |(), report| {
        thread::sleep(pace.wait(Instant::now()));
        (&uhid.device).write_all(&event::input(report))
    });
    let received = reader
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the reading thread failed")));
    served.and(received)
}

/// Linux keeps 32 events and drops those that come while all of them wait. A client's long request
/// is therefore read as fast as it is written: all events that are there, before any is passed on.
fn receive(mut device: File, events: &Sender<Event<()>>, stop: &AtomicBool) -> io::Result<()> {
    let mut buffer = [0; EVENT_BYTES];
    let mut taken = Vec::with_capacity(KEPT_EVENTS);
    while !stop.load(Ordering::Relaxed) {
        if !readable(&device)? {
            continue;
        }
        while taken.len() < KEPT_EVENTS {
            let length = match device.read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            match event::parse(&buffer[..length]) {
                FromKernel::Output(report) => taken.push(report),
                FromKernel::SetReport { id, report } => {
                    device.write_all(&event::set_report_reply(id, report.is_some()))?;
                    taken.extend(report);
                }
                FromKernel::GetReport { id } => {
                    device.write_all(&event::get_report_refusal(id))?;
                }
                FromKernel::Nothing => {}
            }
        }
        for report in taken.drain(..) {
            if events.send(Event::Report((), report)).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "uhid/tests.rs"]
mod tests;
