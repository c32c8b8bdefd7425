//! What is signed: authenticator data and the hash of the client data, put together.

/// A message of two parts, on the stack where it is short, which it is on every usual path.
pub(crate) struct Message {
    short: [u8; Self::SHORT_BYTES],
    long: Vec<u8>,
    length: usize,
}

impl Message {
    const SHORT_BYTES: usize = 512;

    /// `first` followed by `second`.
    pub(crate) fn new(first: &[u8], second: &[u8]) -> Self {
        let length = first.len() + second.len();
        let mut message = Self {
            short: [0; Self::SHORT_BYTES],
            long: Vec::new(),
            length,
        };
        match message.short.get_mut(..length) {
            Some(short) => {
                let (head, tail) = short.split_at_mut(first.len());
                head.copy_from_slice(first);
                tail.copy_from_slice(second);
            }
            None => message.long = [first, second].concat(),
        }
        message
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.short.get(..self.length).unwrap_or(&self.long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_any_length_are_put_together() {
        for length in [0, 100, 480, 481, 5000] {
            let first = vec![7u8; length];
            let message = Message::new(&first, &[9; 32]);
            assert_eq!(message.bytes(), [&first[..], &[9; 32]].concat());
        }
    }
}
