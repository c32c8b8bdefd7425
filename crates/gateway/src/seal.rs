//! Statements that the gateway hands out and recognises when they come back.
//!
//! A challenge needs no row in the database while it waits: the gateway authenticates the
//! statement with a key that all gateways of the realm share. That a statement is accepted only
//! once is the evidence table's doing, where its hash is unique.

use aws_lc_rs::hmac;
use hallway_evidence::{Statement, Timestamp};

/// Milliseconds for which a sealed statement may be answered: WebAuthn Level 3, 15.1 recommends
/// five to ten minutes for a ceremony with user verification.
pub const LIFETIME_MS: u64 = 5 * 60 * 1000;

/// Why an answer to a statement is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not a statement that this realm handed out for this use.
    #[error("the statement was not made by this gateway for this purpose")]
    Foreign,
    /// Answered too late.
    #[error("the statement has expired; begin again")]
    Expired,
}

/// What a statement was handed out for: an answer counts only there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Signing in.
    SignIn,
    /// Registering a key.
    RegisterKey,
    /// An act of somebody who is signed in.
    Act,
    /// A device's enrolment.
    EnrolDevice,
    /// The challenge of a device's transaction.
    DeviceChallenge,
    /// The secret of a one-time link.
    Link,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::SignIn => b"hallway seal: sign in",
            Self::RegisterKey => b"hallway seal: register key",
            Self::Act => b"hallway seal: act",
            Self::EnrolDevice => b"hallway seal: enrol device",
            Self::DeviceChallenge => b"hallway seal: device challenge",
            Self::Link => b"hallway seal: link",
        }
    }
}

/// Authenticates statements with HMAC-SHA-256.
pub struct Sealer(hmac::Key);

impl Sealer {
    /// Takes the realm's key of 32 bytes.
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The seal of `content` for `purpose`, bound to `holder`: a session or a link, or nothing.
    pub fn seal(&self, purpose: Purpose, holder: &[u8], content: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, &message(purpose, holder, content))
            .as_ref()
            .to_vec()
    }

    /// Decodes a statement that came back with its seal, if it is ours, for this purpose and
    /// holder, and not older than [`LIFETIME_MS`].
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(
        &self,
        purpose: Purpose,
        holder: &[u8],
        statement: &[u8],
        seal: &[u8],
        now: Timestamp,
    ) -> Result<Statement, SealError> {
        self.check(purpose, holder, statement, seal)?;
        let statement = Statement::decode(statement).map_err(|_| SealError::Foreign)?;
        match now.as_ms().checked_sub(statement.issued.as_ms()) {
            Some(age) if age > LIFETIME_MS => Err(SealError::Expired),
            _ => Ok(statement),
        }
    }

    /// Compares in constant time.
    ///
    /// # Errors
    /// [`SealError::Foreign`].
    pub fn check(
        &self,
        purpose: Purpose,
        holder: &[u8],
        content: &[u8],
        seal: &[u8],
    ) -> Result<(), SealError> {
        hmac::verify(&self.0, &message(purpose, holder, content), seal)
            .map_err(|_| SealError::Foreign)
    }
}

/// Lengths before contents, so that no two different triples give the same message.
fn message(purpose: Purpose, holder: &[u8], content: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(64 + holder.len() + content.len());
    for part in [purpose.label(), holder, content] {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    message
}
