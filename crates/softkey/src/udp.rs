//! One report per datagram; the answer goes to the sender.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use hallway_ctap::ctaphid::REPORT_LENGTH;

use crate::serve::{CHECK_STOP_EVERY, Event, Session};
use crate::worker::Worker;

/// Serves the key on a UDP socket until `stop` is set. Datagrams that are not 64 bytes long are
/// ignored.
///
/// Every program that can send to the socket can use the key: bind it to the loopback interface.
///
/// # Errors
/// The errors of the socket.
pub fn serve_udp(worker: Worker, socket: UdpSocket, stop: &Arc<AtomicBool>) -> io::Result<()> {
    let (events, inbox) = channel();
    let session = Session::new(worker, events.clone());
    let receiving = socket.try_clone()?;
    receiving.set_read_timeout(Some(CHECK_STOP_EVERY))?;
    let stop = Arc::clone(stop);
    let reader =
        thread::Builder::new()
            .name("udp reports".into())
            .spawn(move || -> io::Result<()> {
                // One byte more than a report, to notice longer datagrams.
                let mut datagram = [0; REPORT_LENGTH + 1];
                while !stop.load(Ordering::Relaxed) {
                    let event = match receiving.recv_from(&mut datagram) {
                        Ok((REPORT_LENGTH, from)) => {
                            let mut report = [0; REPORT_LENGTH];
                            report.copy_from_slice(&datagram[..REPORT_LENGTH]);
                            Event::Report(from, report)
                        }
                        Ok(_) => continue,
                        // ConnectionRefused: a peer that was answered is gone.
                        Err(error) if passes(&error) => continue,
                        Err(error) => {
                            let _ = events.send(Event::Closed);
                            return Err(error);
                        }
                    };
                    if events.send(event).is_err() {
                        return Ok(());
                    }
                }
                let _ = events.send(Event::Closed);
                Ok(())
            })?;
    session.run(&inbox, |peer, report| match socket.send_to(report, peer) {
        Err(error) if !passes(&error) => Err(error),
        _ => Ok(()),
    })?;
    reader
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the reading thread failed")))
}

/// Errors that concern one datagram only.
fn passes(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}
