//! A signed statement on its way into the log, with its hash.

use std::ops::Deref;

use hallway_evidence::Hash;
use hallway_evidence::SignedStatement;

/// A signed statement with the hash of its statement, which is computed once: it is the challenge of the
/// signature, it finds a statement that was accepted before, and it is kept beside the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashedStatement {
    signed: SignedStatement,
    challenge: Hash,
}

impl HashedStatement {
    /// SHA-256 of the statement, as [`SignedStatement::challenge`] computes it.
    #[must_use]
    pub const fn challenge(&self) -> Hash {
        self.challenge
    }

    /// Without the hash.
    #[must_use]
    pub fn into_signed(self) -> SignedStatement {
        self.signed
    }
}

impl From<SignedStatement> for HashedStatement {
    fn from(signed: SignedStatement) -> Self {
        Self {
            challenge: signed.challenge(),
            signed,
        }
    }
}

impl Deref for HashedStatement {
    type Target = SignedStatement;

    fn deref(&self) -> &SignedStatement {
        &self.signed
    }
}
