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

/// Why an answer to a statement is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not a statement that this realm handed out for this use.
    #[error("the statement was not made by this gateway for this purpose")]
    Foreign,
    /// Answered too late.
    #[error("the statement has expired; begin again")]
    Expired,
}

/// The use of a statement. An answer counts for this use only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Signing in.
    SignIn,
    /// Registering a key.
    RegisterKey,
    /// An act of a person who is signed in.
    Act,
    /// A device's enrolment.
    EnrolDevice,
    /// The challenge of a device's transaction.
    DeviceChallenge,
    /// The secret of a one-time link.
    Link,
    /// The key by which a browser's grant in a partner's hall is used.
    VisitKey,
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
            Self::VisitKey => b"hallway seal: visit key",
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

/// Lengths before contents, so that two different triples never give the same message.
fn message(purpose: Purpose, holder: &[u8], content: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(64 + holder.len() + content.len());
    for part in [purpose.label(), holder, content] {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    message
}

#[cfg(test)]
mod tests {
    use hallway_evidence::Line;
    use hallway_evidence::statement::web;

    use super::*;

    const NOW: u64 = 1_795_000_000_000;

    fn statement() -> Vec<u8> {
        let realm = Line::new("gate.example").unwrap();
        let issued = Timestamp::from_ms(NOW);
        Statement {
            realm,
            issued,
            nonce: [7; 16],
            act: web::SignIn {}.into(),
        }
        .encode()
    }

    fn open(
        purpose: Purpose,
        holder: &[u8],
        statement: &[u8],
        later_ms: u64,
    ) -> Result<Statement, SealError> {
        let seal = Sealer::new(&[1; 32]).seal(Purpose::Act, b"session", &self::statement());
        let now = Timestamp::from_ms(NOW + later_ms);
        Sealer::new(&[1; 32]).open(purpose, holder, statement, &seal, now)
    }

    #[test]
    fn a_statement_comes_back_until_it_expires() {
        for later in [0, LIFETIME_MS] {
            assert_eq!(
                open(Purpose::Act, b"session", &statement(), later)
                    .unwrap()
                    .encode(),
                statement()
            );
        }
        let late = open(Purpose::Act, b"session", &statement(), LIFETIME_MS + 1);
        assert_eq!(late.unwrap_err(), SealError::Expired);
    }

    #[test]
    fn another_purpose_holder_or_byte_is_foreign() {
        let mut changed = statement();
        changed[10] ^= 1;
        for (purpose, holder, statement) in [
            (Purpose::SignIn, b"session".as_slice(), statement()),
            (Purpose::Act, b"other", statement()),
            (Purpose::Act, b"", statement()),
            (Purpose::Act, b"session", changed),
            (Purpose::Act, b"session", Vec::new()),
        ] {
            assert_eq!(
                open(purpose, holder, &statement, 0).unwrap_err(),
                SealError::Foreign
            );
        }
    }

    #[test]
    fn another_realms_seal_is_foreign() {
        let seal = Sealer::new(&[2; 32]).seal(Purpose::Act, b"session", &statement());
        let now = Timestamp::from_ms(NOW);
        let opened = Sealer::new(&[1; 32]).open(Purpose::Act, b"session", &statement(), &seal, now);
        assert_eq!(opened.unwrap_err(), SealError::Foreign);
    }

    #[test]
    fn parts_cannot_lend_each_other_bytes() {
        let sealer = Sealer::new(&[1; 32]);
        assert_ne!(
            sealer.seal(Purpose::Link, b"ab", b"c"),
            sealer.seal(Purpose::Link, b"a", b"bc")
        );
    }
}
