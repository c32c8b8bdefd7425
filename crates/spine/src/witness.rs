//! Witnesses: other realms see this realm's log grow and cosign it, and this realm does the same for
//! theirs (c2sp.org/tlog-witness), so that nobody can rewrite a log unnoticed.
//!
//! [`crate::witness::cosign`] answers as a witness, [`ask`] asks this realm's own witnesses, and [`peers`]
//! lists both sides. The rules are pure and lie in [`hallway_evidence::log::witness`].

pub mod anew;
pub mod ask;
pub mod cosign;
pub mod look;
mod page;
pub mod peers;

pub use ask::cosigned_by;
use hallway_evidence::log::{CosignerKey, CosigningKey};
pub use peers::{Configured, Peer, PeersError};

use crate::http::bounds::kinds::{LOOK_NOW, STRANGERS};
use crate::http::route::{Access, Route};
use crate::store::Role;

/// This realm as a witness, and the witnesses of its own log.
pub struct Witness {
    key: CosigningKey,
    configured: Configured,
}

impl Witness {
    /// Takes the realm's witness key and the configuration. No witness is asked yet.
    #[must_use]
    pub const fn new(key: CosigningKey, configured: Configured) -> Self {
        Self { key, configured }
    }

    /// The key that verifies this realm's cosignatures; its name is `REALM/witness`.
    #[must_use]
    pub const fn key(&self) -> &CosignerKey {
        self.key.cosigner()
    }

    /// The key that signs cosignatures. Only checkpoints in the database may be cosigned.
    pub(crate) const fn signing(&self) -> &CosigningKey {
        &self.key
    }
}

/// The routes.
pub fn routes() -> Vec<Route> {
    let operator = Access::Person(Role::Operator);
    vec![
        Route::post(
            "/witness/add-checkpoint",
            Access::Proof,
            cosign::add_checkpoint,
        )
        .summary("Cosign a checkpoint of another log (C2SP tlog-witness)")
        .within(STRANGERS),
        Route::get("/witness/key", Access::Public, cosign::key)
            .summary("The verifier key of this realm as a witness"),
        Route::get(
            "/log/cosigned",
            Access::Public,
            crate::log::cosigned_checkpoint,
        )
        .summary("The checkpoint that most witnesses cosigned"),
        Route::get("/api/witness", operator, look::look)
            .summary("Who cosigns the log, and whose logs are cosigned here")
            .gives::<look::WitnessView>(),
        Route::post("/api/witness/ask", operator, look::ask_now)
            .within(LOOK_NOW)
            .summary("Ask the log's witnesses now")
            .gives::<look::WitnessView>(),
        Route::page("/witnesses", operator, page::witnesses),
    ]
}
