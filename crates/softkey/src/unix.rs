//! Reports back to back on a Unix stream socket.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use hallway_ctap::ctaphid::REPORT_LENGTH;

use crate::serve::{Event, LOOK_UP_EVERY, Session};
use crate::worker::Worker;

/// More programs than this at a time are turned away.
const MAX_CONNECTIONS: usize = 64;

/// Serves the key on a Unix socket until `stop` is set. Each connection has channels of its own.
///
/// # Errors
/// Whatever the listening socket says; a connection that fails ends alone.
pub fn serve_unix(
    worker: &Worker,
    listener: &UnixListener,
    stop: &Arc<AtomicBool>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut connections: Vec<thread::JoinHandle<io::Result<()>>> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        connections.retain(|connection| !connection.is_finished());
        match listener.accept() {
            Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                let worker = worker.clone();
                let stop = Arc::clone(stop);
                let connection = thread::Builder::new()
                    .name("unix reports".into())
                    .spawn(move || serve_stream(worker, stream, &stop))?;
                connections.push(connection);
            }
            Ok(_) => {}
            Err(error) if waits(&error) => thread::sleep(LOOK_UP_EVERY / 10),
            Err(error) => return Err(error),
        }
    }
    for connection in connections {
        // How a single connection ended is no concern of the others.
        let _ = connection.join();
    }
    Ok(())
}

fn serve_stream(worker: Worker, stream: UnixStream, stop: &Arc<AtomicBool>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let (events, inbox) = channel();
    let session = Session::new(worker, events.clone());
    let mut receiving = stream.try_clone()?;
    receiving.set_read_timeout(Some(LOOK_UP_EVERY))?;
    let stop = Arc::clone(stop);
    let reader = thread::Builder::new()
        .name("unix reader".into())
        .spawn(move || {
            let mut report = [0; REPORT_LENGTH];
            let mut filled = 0;
            while !stop.load(Ordering::Relaxed) {
                match receiving.read(&mut report[filled..]) {
                    Ok(0) => break,
                    Ok(count) => filled += count,
                    Err(error) if waits(&error) => continue,
                    Err(_) => break,
                }
                if filled == REPORT_LENGTH {
                    filled = 0;
                    if events.send(Event::Report((), report)).is_err() {
                        return;
                    }
                }
            }
            let _ = events.send(Event::Closed);
        })?;
    let mut sending = stream.try_clone()?;
    let served = session.run(&inbox, |(), report| sending.write_all(report));
    // Wakes the reader, should it still wait.
    let _ = stream.shutdown(std::net::Shutdown::Both);
    let _ = reader.join();
    served
}

fn waits(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}
