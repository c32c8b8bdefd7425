//! One direction of a stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

use crate::spare::{self, BUFFER_BYTES};

/// The most that a TLS connection gives at once. With less room than this left, the buffer is
/// written first.
const RECORD_BYTES: usize = 16 * 1024;

#[derive(Debug, Default)]
enum State {
    #[default]
    Copying,
    /// The reader broke: what came before that is written, and then this error is returned.
    Broken(io::Error),
    /// The reader has ended: the writer has to be told.
    Closing,
    Done,
}

/// Copies from a reader to a writer, and then ends the writer.
#[derive(Debug, Default)]
pub(super) struct Half {
    state: State,
    /// The bytes that were read; empty and without memory while nothing flows.
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
            // Nothing is read while something waits to be written, so that a slow writer slows the
            // reader down.
            let is_waiting = self.buffer.is_empty() && self.fill(context, reader.as_mut());
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
            spare::give(&mut self.buffer);
            match std::mem::take(&mut self.state) {
                State::Copying if is_waiting => {
                    if self.unflushed {
                        ready!(writer.as_mut().poll_flush(context))?;
                        self.unflushed = false;
                    }
                    return Poll::Pending;
                }
                State::Copying => {}
                State::Broken(error) => return Poll::Ready(Err(error)),
                State::Closing => {
                    self.state = State::Closing;
                    ready!(writer.as_mut().poll_shutdown(context))?;
                    self.state = State::Done;
                }
                State::Done => {
                    self.state = State::Done;
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// Reads as much as is there, so that what came in many pieces goes on in one. Says whether the
    /// reader has nothing more now and will wake the task when it has.
    fn fill<R>(&mut self, context: &mut Context<'_>, mut reader: Pin<&mut R>) -> bool
    where
        R: AsyncRead + ?Sized,
    {
        if !matches!(self.state, State::Copying) {
            return false;
        }
        if self.buffer.capacity() == 0 {
            self.buffer = spare::take();
        }
        while self.buffer.len() + RECORD_BYTES <= BUFFER_BYTES {
            match poll_read_buf(reader.as_mut(), context, &mut self.buffer) {
                Poll::Ready(Ok(0)) => {
                    self.state = State::Closing;
                    return false;
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => {
                    self.state = State::Broken(error);
                    return false;
                }
                Poll::Pending => return true,
            }
        }
        false
    }
}
