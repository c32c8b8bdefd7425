//! How requests reach an authenticator.

use std::io;

use hallway_ctap::ctaphid::HidError;

/// What an authenticator reports while it is not done yet (CTAP 2.3, section 11.2.9.1.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keepalive {
    /// The authenticator is working.
    Processing,
    /// The authenticator waits for a touch.
    UserPresenceNeeded,
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The socket failed.
    #[error("the connection to the key failed: {0}")]
    Io(#[from] io::Error),
    /// The key's transport refused.
    #[error("{0}")]
    Hid(#[from] HidError),
    /// No report came within this many seconds.
    #[error("the key did not answer within {0} seconds")]
    Silent(u64),
    /// The answer does not follow the protocol.
    #[error("the key answered out of turn: {0}")]
    Protocol(&'static str),
    /// A software key failed; its file, for instance, could not be read.
    #[error("the software key failed: {0}")]
    Key(String),
}

/// A way to an authenticator.
pub trait Connection {
    /// Sends a CTAP2 request (command byte and CBOR) and waits for the response (status byte and
    /// CBOR). `progress` is called with each keepalive.
    ///
    /// # Errors
    /// [`ConnectionError`] when no response came; a response with an error status is not one.
    fn transact(
        &mut self,
        request: &[u8],
        progress: &mut dyn FnMut(Keepalive),
    ) -> Result<Vec<u8>, ConnectionError>;
}

impl<C: Connection + ?Sized> Connection for &mut C {
    fn transact(
        &mut self,
        request: &[u8],
        progress: &mut dyn FnMut(Keepalive),
    ) -> Result<Vec<u8>, ConnectionError> {
        (**self).transact(request, progress)
    }
}

impl<C: Connection + ?Sized> Connection for Box<C> {
    fn transact(
        &mut self,
        request: &[u8],
        progress: &mut dyn FnMut(Keepalive),
    ) -> Result<Vec<u8>, ConnectionError> {
        (**self).transact(request, progress)
    }
}
