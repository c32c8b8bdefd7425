//! Reports back to back on a stream: a Unix socket's connection, or standard input and output.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use hallway_ctap::ctaphid::REPORT_LENGTH;

use crate::poll::readable;
use crate::serve::{Event, Session};
use crate::worker::Worker;

/// Serves the key on a stream until it ends or `stop` is set: reads reports of 64 bytes from
/// `receiving` and writes reports to `sending`, with nothing between them.
///
/// `receiving` must have no buffer of its own: a [`File`](std::fs::File), not
/// [`Stdin`](std::io::Stdin).
///
/// # Errors
/// The errors of the stream; it is no error when the other side goes away.
pub fn serve_stream(
    worker: Worker,
    mut receiving: impl Read + AsFd + Send + 'static,
    mut sending: impl Write,
    stop: &Arc<AtomicBool>,
) -> io::Result<()> {
    let (events, inbox) = channel();
    let session = Session::new(worker, events.clone());
    let over = Arc::new(AtomicBool::new(false));
    let (stop, finished) = (Arc::clone(stop), Arc::clone(&over));
    let reader =
        thread::Builder::new()
            .name("stream reports".into())
            .spawn(move || -> io::Result<()> {
                let mut report = [0; REPORT_LENGTH];
                let mut filled = 0;
                let result = loop {
                    if stop.load(Ordering::Relaxed) || finished.load(Ordering::Relaxed) {
                        break Ok(());
                    }
                    match readable(&receiving) {
                        Ok(true) => {}
                        Ok(false) => continue,
                        Err(error) => break Err(error),
                    }
                    match receiving.read(&mut report[filled..]) {
                        Ok(0) => break Ok(()),
                        Ok(count) => filled += count,
                        Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                        Err(error) if is_gone(&error) => break Ok(()),
                        Err(error) => break Err(error),
                    }
                    if filled == REPORT_LENGTH {
                        filled = 0;
                        // Nobody listens when the session ended on its own.
                        let _ = events.send(Event::Report((), report));
                    }
                };
                let _ = events.send(Event::Closed);
                result
            })?;
    let served = session.run(&inbox, |(), report| {
        sending.write_all(report)?;
        sending.flush()
    });
    over.store(true, Ordering::Relaxed);
    let read = reader
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the reading thread failed")));
    match served {
        Err(error) if is_gone(&error) => Ok(()),
        Err(error) => Err(error),
        Ok(()) => read,
    }
}

/// Whether the other side went away.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    )
}
