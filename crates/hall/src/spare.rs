//! Unused buffers, which each thread keeps for the next read.
//!
//! A connection over which nothing flows holds no buffer, and one that wakes up finds one without
//! asking the allocator.

use std::cell::RefCell;

/// Bytes of a buffer: four TLS records.
pub(crate) const BUFFER_BYTES: usize = 64 * 1024;
/// The most that a thread keeps: both directions of a stream and both of its sockets.
const MOST_BUFFERS: usize = 4;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with room for [`BUFFER_BYTES`] bytes.
pub(crate) fn take() -> Vec<u8> {
    SPARE
        .with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
}

/// Gives a buffer back, and leaves one without memory in its place.
pub(crate) fn give(buffer: &mut Vec<u8>) {
    let mut buffer = std::mem::take(buffer);
    if buffer.capacity() != BUFFER_BYTES {
        return;
    }
    buffer.clear();
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < MOST_BUFFERS {
            spare.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_and_a_thread_keeps_few() {
        let mut buffers: Vec<Vec<u8>> = (0..2 * MOST_BUFFERS).map(|_| take()).collect();
        for buffer in &mut buffers {
            buffer.extend_from_slice(b"what another stream sent");
            give(buffer);
            assert_eq!(buffer.capacity(), 0);
        }
        assert_eq!(SPARE.with_borrow(Vec::len), MOST_BUFFERS);
        let again = take();
        assert_eq!((again.len(), again.capacity()), (0, BUFFER_BYTES));
        let mut small = Vec::with_capacity(10);
        give(&mut small);
        assert_eq!(
            SPARE.with_borrow(Vec::len),
            MOST_BUFFERS - 1,
            "only whole ones are kept"
        );
    }
}
