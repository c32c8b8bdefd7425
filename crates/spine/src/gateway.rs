//! What every handler shares: one realm's store, log, keys and clock.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use hallway_evidence::{DeviceId, Evidence, Line, PersonId, SignedStatement, Timestamp, TrustFile};
use hallway_webauthn::RelyingParty;
use object_store::ObjectStore;

use crate::act::Registered;
use crate::clock::Clock;
use crate::console::view::Place;
use crate::door::Doors;
use crate::http::problem::Problem;
use crate::ledger::{Entry, Ledger, LedgerError};
use crate::metrics::Metrics;
use crate::models::Models;
use crate::parts::Parts;
use crate::refusal::Brake;
use crate::seal::Sealer;
use crate::settings::Limits;
use crate::source::Shares;
use crate::store::{EvidenceHash, Store, Unit, Work};
use crate::witness::{Witness, peers};

/// A gateway. Cloning gives another handle on the same one.
#[derive(Clone)]
pub struct Gateway(Arc<Shared>);

/// What the handles share. No gateway keeps state here that another one of its realm could need.
pub struct Shared {
    /// Relying party id (the realm) and origin.
    pub rp: RelyingParty,
    /// The origin that browsers see.
    pub origin: String,
    /// The database.
    pub store: Store,
    /// The log's writer.
    pub ledger: Arc<Ledger>,
    /// Recognises our own statements.
    pub sealer: Sealer,
    /// The payloads.
    pub objects: Arc<dyn ObjectStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What a caller may ask for.
    pub limits: Limits,
    /// What is known about models of authenticators, and which are accepted.
    pub models: Models,
    /// Bounds what strangers can make us write.
    pub refusals: Brake,
    /// What was counted since the start.
    pub metrics: Metrics,
    /// How many requests of each caller are under way, over all routes.
    pub callers: Arc<Shares>,
    /// The API's description, once somebody asked for it.
    pub description: OnceLock<Bytes>,
    /// This realm as a witness, and the way to its own.
    pub witness: Witness,
    /// The doors.
    pub doors: Doors,
    /// What people can do by a touch, by the name of the statement.
    pub acts: BTreeMap<&'static str, Registered>,
    /// What doors keep in memory.
    pub parts: Parts,
}

/// Evidence that the log took in.
#[derive(Debug, Clone, Copy)]
pub struct Accepted {
    /// The log's entry.
    pub hash: EvidenceHash,
    /// Its place in the log.
    pub log_index: u64,
    /// When.
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
    /// What a door keeps in memory.
    ///
    /// # Panics
    /// The gateway was started without that door. A door's routes are served only beside its part.
    #[must_use]
    #[allow(
        clippy::expect_used,
        reason = "a door is started with its part: see `Start`"
    )]
    pub fn part<T: 'static>(&self) -> &T {
        self.parts.get().expect("a door's part")
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether browsers reach the gateway over TLS.
    pub fn is_https(&self) -> bool {
        self.origin.starts_with("https://")
    }

    /// The session cookie's name. The prefix makes browsers refuse one that another host set.
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

    /// Where this realm is asked to cosign others' logs.
    pub fn witness_url(&self) -> String {
        format!("{}/witness", self.origin)
    }

    /// How far a device's clock may be off.
    pub fn clock_skew(&self) -> Duration {
        self.limits.clock_skew_minutes.minutes()
    }

    /// Runs `work` as one unit: all of it, or nothing.
    ///
    /// # Errors
    /// What `work` returned, or 503 when the database has no time.
    pub async fn transact<'a, T, F>(&self, work: F) -> Result<T, Problem>
    where
        F: for<'u> Fn(&'u Unit<'a>) -> Work<'u, T, Problem> + Send + Sync,
        T: Send,
    {
        self.store.transact(work).await
    }

    /// Puts what was signed into the log, in the unit whose change it justifies.
    ///
    /// # Errors
    /// 409 `replayed` when the statement was accepted before.
    pub async fn accept(
        &self,
        unit: &Unit<'_>,
        signed: SignedStatement,
        person: Option<PersonId>,
        device: Option<DeviceId>,
    ) -> Result<Accepted, Problem> {
        let at = self.now();
        let evidence = Evidence {
            signed,
            accepted: at,
        };
        let hash = EvidenceHash(evidence.hash());
        let mut entry = Entry::new(evidence)?;
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
    pub fn places(&self) -> Vec<Place> {
        let of_doors = self.doors.each().flat_map(|door| door.places());
        let mut places: Vec<_> = Place::OWN.into_iter().chain(of_doors).collect();
        places.sort_by_key(|place| place.rank);
        places
    }

    /// Tells every door at once that something ended on which it may stand.
    pub async fn tell_doors(&self) {
        for door in self.doors.each() {
            door.after_act(self).await;
        }
    }

    /// What anybody needs to check this realm's receipts offline.
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
                Self::conflict("replayed", "this was accepted before; begin again")
            }
            LedgerError::Evidence(error) => Self::malformed(error.to_string()),
            LedgerError::Erased(_) => {
                Self::new(axum::http::StatusCode::GONE, "erased", error.to_string())
            }
            LedgerError::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}
