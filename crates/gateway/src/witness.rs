//! Witnesses: others see this realm's log grow and cosign it, and this realm does so for them
//! (c2sp.org/tlog-witness), so that nobody can rewrite what was done.
//!
//! Being asked is [`crate::doors::witness`]; asking is [`ask`]; whom it is about is [`peers`]. The
//! rules are pure and lie in [`hallway_evidence::log::witness`].

pub mod ask;
pub mod peers;

use hallway_evidence::log::{CosignerKey, CosigningKey};

pub use ask::cosigned_by;
pub use peers::{Configured, Peer, PeersError};

/// This realm as a witness, and the way to its own.
pub struct Witness {
    key: CosigningKey,
    configured: Configured,
}

impl Witness {
    /// Takes the realm's witness key, and what the configuration says; nobody is asked yet.
    #[must_use]
    pub const fn new(key: CosigningKey, configured: Configured) -> Self {
        Self { key, configured }
    }

    /// The key that verifies this realm's cosignatures; its name is `REALM/witness`.
    #[must_use]
    pub const fn key(&self) -> &CosignerKey {
        self.key.cosigner()
    }

    /// The key that makes them. Only what the database holds may be cosigned.
    pub(crate) const fn signing(&self) -> &CosigningKey {
        &self.key
    }
}
