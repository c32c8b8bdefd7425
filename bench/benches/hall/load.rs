//! The sender that feeds a tunnel, and the sink at its other end.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

const CHUNK_BYTES: usize = 256 * 1024;

/// A service that discards all bytes, and reports their number when a stream ends.
pub(crate) struct Sink {
    address: SocketAddr,
    swallowed: Receiver<u64>,
}

impl Sink {
    pub(crate) fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, swallowed) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, sender) = (stream.unwrap(), sender.clone());
                thread::spawn(move || {
                    let mut buffer = vec![0; CHUNK_BYTES];
                    let mut total = 0;
                    // The first byte is answered, so that the sender knows that the stream is open.
                    while let Ok(read @ 1..) = stream.read(&mut buffer) {
                        if total == 0 {
                            stream.write_all(b"!").unwrap();
                        }
                        total += read as u64;
                    }
                    // A connection that only tested the port sends nothing.
                    if total > 0 {
                        let _ = sender.send(total);
                    }
                });
            }
        });
        Self { address, swallowed }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends `bytes` in all to `near`, over `streams` streams, and waits until the sink has them.
    pub(crate) fn swallow(&self, near: SocketAddr, streams: usize, bytes: u64) {
        let each = bytes / streams as u64;
        let feeding: Vec<_> = (0..streams)
            .map(|_| {
                thread::spawn(move || {
                    let mut stream = open(near);
                    let chunk = vec![7; CHUNK_BYTES];
                    let mut left = each - 1;
                    while left > 0 {
                        let size = left.min(CHUNK_BYTES as u64);
                        stream.write_all(&chunk[..size as usize]).unwrap();
                        left -= size;
                    }
                    stream.shutdown(Shutdown::Write).unwrap();
                    let _ = stream.read_to_end(&mut Vec::new());
                })
            })
            .collect();
        for feeder in feeding {
            feeder.join().unwrap();
        }
        let arrived: u64 = (0..streams).map(|_| self.swallowed.recv().unwrap()).sum();
        assert_eq!(arrived, each * streams as u64);
    }
}

/// A stream that is open to the sink.
fn open(near: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(near).unwrap();
    stream.write_all(b"?").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    stream
}

/// Streams on which no bytes flow any more.
pub(crate) fn idle(near: SocketAddr, streams: usize) -> Vec<TcpStream> {
    (0..streams).map(|_| open(near)).collect()
}
