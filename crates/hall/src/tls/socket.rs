//! The connection below TLS, read in large pieces.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use crate::spare;

/// A connection that TLS is spoken over. rustls asks for 4 KiB at a time, five times for each
/// record; this asks the system for 64 KiB.
///
/// While nothing is left to be taken it holds no buffer.
#[derive(Debug)]
pub struct Socket<T> {
    inner: T,
    /// The bytes that were read; empty and without memory when all of it was taken.
    buffer: Vec<u8>,
    /// How much of it was taken.
    taken: usize,
}

impl<T> Socket<T> {
    /// Over `inner`, of which nothing was read yet.
    pub fn new(inner: T) -> Self {
        Self {
            inner,
            buffer: Vec::new(),
            taken: 0,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Socket<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.buffer.is_empty() {
            this.buffer = spare::take();
            let read = poll_read_buf(Pin::new(&mut this.inner), context, &mut this.buffer);
            if !matches!(read, Poll::Ready(Ok(1..))) {
                spare::give(&mut this.buffer);
            }
            ready!(read)?;
        }
        let left = &this.buffer[this.taken..];
        let bytes = left.len().min(into.remaining());
        into.put_slice(&left[..bytes]);
        this.taken += bytes;
        if this.taken == this.buffer.len() {
            this.taken = 0;
            spare::give(&mut this.buffer);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Socket<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn everything_arrives_in_small_reads_and_nothing_is_held_afterwards() {
        let (mut far, here) = duplex(1 << 20);
        let mut socket = Socket::new(here);
        let sent: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        far.write_all(&sent).await.unwrap();
        let mut received = vec![0; sent.len()];
        for piece in received.chunks_mut(4096) {
            socket.read_exact(piece).await.unwrap();
        }
        assert!(received == sent);
        assert_eq!(socket.buffer.capacity(), 0);
        socket.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        far.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
        drop(far);
        assert_eq!(socket.read(&mut [0; 10]).await.unwrap(), 0);
        assert_eq!(socket.buffer.capacity(), 0);
    }
}
