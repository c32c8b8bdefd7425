//! The state that all handlers share: one realm's store, log, keys and clock.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hallway_evidence::{DeviceId, Line, PersonId, Timestamp, TrustFile};
use hallway_webauthn::RelyingParty;
use object_store::ObjectStore;

use crate::act::Registered;
use crate::clock::Clock;
use crate::console::view::NavigationEntry;
use crate::door::Doors;
use crate::http::problem::{Code, Problem};
use crate::ledger::{Entry, HashedStatement, Ledger, LedgerError};
use crate::metrics::Metrics;
use crate::models::Models;
use crate::parts::Parts;
use crate::refusal::Brake;
use crate::seal::Sealer;
use crate::source::Shares;
use crate::store::{EvidenceHash, Store, Unit, Work};
use crate::witness::{Witness, peers};

/// A gateway. A clone is another handle on the same gateway.
#[derive(Clone)]
pub struct Gateway(Arc<Shared>);

/// The state behind the handles. It holds nothing that another gateway of the realm could need.
pub struct Shared {
    /// The relying party id, which names the realm, and the origin.
    pub rp: RelyingParty,
    /// The origin that browsers see: `SCHEME://HOST[:PORT]`.
    pub origin: String,
    /// The database that all gateways of the realm share.
    pub store: Store,
    /// The log's writer.
    pub ledger: Arc<Ledger>,
    /// Recognises the statements that gateways of this realm made.
    pub sealer: Sealer,
    /// The storage for payloads.
    pub objects: Arc<dyn ObjectStore>,
    /// The source of the current time; tests set it.
    pub clock: Arc<dyn Clock>,
    /// The most bytes of a body that the bounds of its route call a payload.
    pub payload_bytes: u64,
    /// The known models of authenticators, and the policies on them.
    pub models: Models,
    /// Bounds the records of refusals that strangers can cause.
    pub refusals: Brake,
    /// The counters since the start, for Prometheus.
    pub metrics: Metrics,
    /// How many requests of each caller are under way, over all routes.
    pub callers: Arc<Shares>,
    /// The OpenAPI description as JSON, made for the first request.
    pub description: OnceLock<Bytes>,
    /// This realm as a witness, and the witnesses of its log.
    pub witness: Witness,
    /// The doors that this program has.
    pub doors: Doors,
    /// The acts of all doors, by the name of their statement.
    pub acts: BTreeMap<&'static str, Registered>,
    /// The state that each door keeps in memory.
    pub parts: Parts,
}

/// Evidence that was appended to the log.
#[derive(Debug, Clone, Copy)]
pub struct Accepted {
    /// SHA-256 of the evidence: the log's entry.
    pub hash: EvidenceHash,
    /// The index of the entry, counted from 0.
    pub log_index: u64,
    /// When the gateway accepted the evidence.
    pub at: Timestamp,
}

impl Deref for Gateway {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl From<Shared> for Gateway {
    fn from(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Shared {
    /// The state of type `T` that a door keeps in memory.
    ///
    /// # Panics
    /// The gateway was started without that door. A door's routes are served only with its part.
    #[must_use]
    #[allow(
        clippy::expect_used,
        reason = "a door is started with its part: see `Start`"
    )]
    pub fn part<T: 'static>(&self) -> &T {
        self.parts.get().expect("a door's part")
    }

    /// The current time by the gateway's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether browsers reach the gateway over TLS.
    pub fn is_https(&self) -> bool {
        self.origin.starts_with("https://")
    }

    /// The session cookie's name. The prefix makes browsers refuse a cookie from another host.
    pub fn cookie_name(&self) -> &'static str {
        if self.is_https() {
            "__Host-hallway"
        } else {
            "hallway"
        }
    }

    /// The address of a one-time link. The secret is in the fragment, which no server log sees.
    pub fn join_link(&self, token: &str) -> String {
        format!("{}/join#{token}", self.origin)
    }

    /// The address at which this realm cosigns others' logs: a submission prefix (C2SP
    /// tlog-witness).
    pub fn witness_url(&self) -> String {
        format!("{}/witness", self.origin)
    }

    /// Runs `work` as one unit: all of it, or nothing.
    ///
    /// # Errors
    /// The error of `work`, or 503 when the database is busy for too long.
    pub async fn transact<'a, T, F>(&self, work: F) -> Result<T, Problem>
    where
        F: for<'u> Fn(&'u Unit<'a>) -> Work<'u, T, Problem> + Send + Sync,
        T: Send,
    {
        self.store.transact(work).await
    }

    /// Appends a signed statement to the log, in the unit whose change it justifies.
    ///
    /// # Errors
    /// 409 `replayed` when the statement was accepted before.
    pub async fn accept(
        &self,
        unit: &Unit<'_>,
        signed: HashedStatement,
        person: Option<PersonId>,
        device: Option<DeviceId>,
    ) -> Result<Accepted, Problem> {
        let at = self.now();
        let mut entry = Entry::new(signed, at)?;
        let hash = entry.hash();
        if let Some(person) = person {
            entry = entry.of_person(person);
        }
        if let Some(device) = device {
            entry = entry.of_device(device);
        }
        let receipts = self.ledger.append(unit, vec![entry]).await?;
        let log_index = receipts.first().map_or(0, |receipt| receipt.proof.index());
        Ok(Accepted {
            hash,
            log_index,
            at,
        })
    }
}

impl Gateway {
    /// The pages to which the navigation leads, in their order.
    #[must_use]
    pub fn navigation(&self) -> Vec<NavigationEntry> {
        let of_doors = self.doors.each().flat_map(|door| door.navigation());
        let mut entries: Vec<_> = NavigationEntry::OWN.into_iter().chain(of_doors).collect();
        entries.sort_by_key(|entry| entry.rank);
        entries
    }

    /// Tells every door that something ended on which the door may depend.
    pub async fn tell_doors(&self) {
        for door in self.doors.each() {
            door.after_act(self).await;
        }
    }

    /// The keys that anybody needs to check this realm's receipts offline.
    pub async fn trust_file(&self) -> Result<TrustFile, Problem> {
        let realm = Line::new(self.rp.id.as_str()).map_err(|error| Problem::internal(&error))?;
        let witnesses = peers::witnesses(self).await?;
        let mut trust = TrustFile::new(realm, self.rp.clone(), self.ledger.verifier(), Vec::new());
        trust.witnesses = witnesses.into_iter().map(|witness| witness.key).collect();
        trust.former_witnesses = self.store.read().cosigners().known().await?;
        let known = &trust.witnesses;
        trust
            .former_witnesses
            .retain(|witness| !known.contains(witness));
        trust.set_up = self.ledger.first_entry(self.store.read()).await?;
        for door in self.doors.each() {
            door.trust(self, &mut trust).await?;
        }
        Ok(trust)
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::AlreadyAccepted { .. } => {
                Self::new(Code::Replayed, "this was accepted before; begin again")
            }
            LedgerError::Evidence(error) => Self::malformed(error.to_string()),
            LedgerError::Erased(_) => Self::new(Code::Erased, error.to_string()),
            LedgerError::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}
