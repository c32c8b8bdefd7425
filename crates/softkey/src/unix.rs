//! Reports back to back on a Unix stream socket.

use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, thread};

use crate::poll::readable;
use crate::stream::serve_stream;
use crate::worker::Worker;

/// More programs than this at a time are turned away.
const MAX_CONNECTIONS: usize = 64;

/// Serves the key on a Unix socket until `stop` is set. Each connection has channels of its own.
///
/// # Errors
/// The errors of the listening socket; a connection that fails ends alone.
pub fn serve_unix(
    worker: &Worker,
    listener: &UnixListener,
    stop: &Arc<AtomicBool>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut connections: Vec<thread::JoinHandle<io::Result<()>>> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        connections.retain(|connection| !connection.is_finished());
        if !readable(listener)? {
            continue;
        }
        match listener.accept() {
            Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                let worker = worker.clone();
                let stop = Arc::clone(stop);
                let connection = thread::Builder::new()
                    .name("unix reports".into())
                    .spawn(move || serve_connection(worker, &stream, &stop));
                // Without a thread this connection is closed; the others go on.
                connections.extend(connection);
            }
            Ok(_) => {}
            Err(error) if passes(&error) => {}
            Err(error) => return Err(error),
        }
    }
    for connection in connections {
        // The error of one connection does not concern the others.
        let _ = connection.join();
    }
    Ok(())
}

fn serve_connection(worker: Worker, stream: &UnixStream, stop: &Arc<AtomicBool>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    serve_stream(worker, stream.try_clone()?, stream, stop)
}

/// Errors that concern one connection only: it was gone before it was accepted.
fn passes(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
    )
}
