//! One direction of a stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

/// Bytes read at once: four TLS records.
const BUFFER: usize = 64 * 1024;

#[derive(Debug, Default)]
enum State {
    #[default]
    Copying,
    /// The reader has ended: the writer has to be told.
    Closing,
    Done,
}

/// Copies from a reader to a writer, and then ends the writer.
#[derive(Debug, Default)]
pub(super) struct Half {
    state: State,
    /// What was read; empty and without memory while nothing flows.
    buffer: Vec<u8>,
    /// How much of it was written.
    written: usize,
    unflushed: bool,
}

impl Half {
    pub(super) fn poll<R, W>(
        &mut self,
        context: &mut Context<'_>,
        mut reader: Pin<&mut R>,
        mut writer: Pin<&mut W>,
        mut count: impl FnMut(usize),
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + ?Sized,
        W: AsyncWrite + ?Sized,
    {
        loop {
            match self.state {
                State::Copying => {}
                State::Closing => {
                    ready!(writer.as_mut().poll_shutdown(context))?;
                    self.state = State::Done;
                    return Poll::Ready(Ok(()));
                }
                State::Done => return Poll::Ready(Ok(())),
            }
            while self.written < self.buffer.len() {
                let rest = &self.buffer[self.written..];
                let bytes = ready!(writer.as_mut().poll_write(context, rest))?;
                if bytes == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.written += bytes;
                self.unflushed = true;
                count(bytes);
            }
            self.written = 0;
            self.buffer.clear();
            self.buffer.reserve(BUFFER);
            match poll_read_buf(reader.as_mut(), context, &mut self.buffer) {
                Poll::Ready(Ok(0)) => {
                    self.buffer = Vec::new();
                    self.state = State::Closing;
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.buffer = Vec::new();
                    if self.unflushed {
                        ready!(writer.as_mut().poll_flush(context))?;
                        self.unflushed = false;
                    }
                    return Poll::Pending;
                }
            }
        }
    }
}
