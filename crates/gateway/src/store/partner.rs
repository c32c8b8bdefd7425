//! Partners: the other realms that are joined with this one, and how far that is.

use async_trait::async_trait;
use hallway_evidence::log::VerifierKey;
use hallway_evidence::{Origin, PersonId, RealmName, Timestamp};
use hallway_hall::Address;

use super::error::StoreError;
use super::ids::{EvidenceHash, TokenHash};
use super::words::words;

mod rows;

/// How many partners a realm may have; those that have ended do not count.
pub const MAX_PARTNERS: u64 = 64;

words! {
    /// How far a partnership is.
    PartnerState {
        /// An owner here invited the other realm; nobody there accepted yet.
        Invited = "invited",
        /// An owner here accepted; the other gateway does not know yet.
        Joining = "joining",
        /// Both sides know.
        Active = "active",
        /// It is over.
        Ended = "ended",
    }
}

words! {
    /// Who ended a partnership.
    EndedBy {
        /// An owner here.
        Us = "us",
        /// The other side.
        Them = "them",
    }
}

/// Another realm, and what is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// Which realm.
    pub realm: RealmName,
    /// Where its gateway is reached.
    pub origin: Origin,
    /// How far it is.
    pub state: PartnerState,
    /// The key of its log: pinned when an owner signed, and never another one.
    pub log: VerifierKey,
    /// SHA-256 of each of its authorities, as the owner signed them. The first bundle has to hold
    /// one of them.
    pub pins: Vec<[u8; 32]>,
    /// SHA-256 of the invitation's token, the same on both sides: the name of this partnership and
    /// of no earlier or later one between the two.
    pub pact: TokenHash,
    /// The token, encrypted, where it was accepted and is not handed in yet.
    pub sealed_token: Option<Vec<u8>>,
    /// Until when the invitation is good.
    pub expires: Timestamp,
    /// Our own invitation, by the hash of its token, and until when it is good, while theirs was
    /// accepted here: it may be accepted there at the same time.
    pub invited: Option<(TokenHash, Timestamp)>,
    /// `HOST:PORT` of its hall listener.
    pub hall: Option<Address>,
    /// The key with which it cosigns, and where it is asked to.
    pub witness: Option<PartnerWitness>,
    /// The trust bundle in use; without one nobody of the realm is believed.
    pub bundle: Option<BundleState>,
    /// When somebody last looked for a newer one.
    pub checked: Option<Timestamp>,
    /// What is wrong, in words for people.
    pub problem: Option<String>,
    /// When somebody looks next.
    pub next_attempt: Timestamp,
    /// Who invited or accepted.
    pub made_by: PersonId,
    /// When.
    pub made: Timestamp,
    /// When both sides knew.
    pub joined: Option<Timestamp>,
    /// When it ended, and by whom.
    pub ended: Option<(Timestamp, EndedBy)>,
    /// When the other side was told of the end, or there was no need to.
    pub told: Option<Timestamp>,
    /// The evidence of the invitation or the acceptance.
    pub evidence: EvidenceHash,
}

/// A partner's witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerWitness {
    /// Its key, as text (C2SP signed-note).
    pub key: String,
    /// Where it takes checkpoints.
    pub url: String,
}

/// A trust bundle that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleState {
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// `spiffe_sequence`, which never goes back.
    pub sequence: Option<u64>,
    /// `spiffe_refresh_hint`, seconds.
    pub refresh_s: Option<u64>,
    /// When it was last fetched.
    pub fetched: Timestamp,
}

/// What looking at a partner brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// The bundle, and its JSON as it came.
    pub bundle: (BundleState, Vec<u8>),
    /// Its hall listener.
    pub hall: Option<Address>,
    /// Its witness. One that is known is never replaced.
    pub witness: Option<PartnerWitness>,
}

impl Partner {
    /// Whether both sides are joined.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == PartnerState::Active
    }
}

/// The partners of the realm. What is written about one names its pact: it changes nothing when
/// another partnership of the same two realms has taken its place meanwhile.
#[async_trait]
pub trait PartnerRepository: Send + Sync {
    /// Begins a partnership. One with the same realm that is not active is replaced.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when one is active; [`StoreError::TooMany`].
    async fn begin(&self, partner: &Partner) -> Result<(), StoreError>;
    /// One of them.
    async fn get(&self, realm: &RealmName) -> Result<Option<Partner>, StoreError>;
    /// All of them, by realm.
    async fn all(&self) -> Result<Vec<Partner>, StoreError>;
    /// The JSON of the bundle in use.
    async fn bundle(&self, realm: &RealmName) -> Result<Option<Vec<u8>>, StoreError>;
    /// Takes the turn to look at a partner until `until`; false while it is somebody else's, or
    /// while nothing is due.
    async fn take_turn(
        &self,
        realm: &RealmName,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Keeps what looking brought; false when the pact is over.
    ///
    /// # Errors
    /// [`StoreError::OlderBundle`] when a bundle with a higher sequence number is in use.
    async fn learn(
        &self,
        realm: &RealmName,
        pact: &TokenHash,
        learned: &Learned,
    ) -> Result<bool, StoreError>;
    /// Notes how looking went, and when to look again; false when the pact has been replaced.
    async fn note_attempt(
        &self,
        realm: &RealmName,
        pact: &TokenHash,
        now: Timestamp,
        problem: Option<&str>,
        next: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Both sides know: the partnership is active, the token is forgotten, and somebody looks at
    /// `next`. False when the pact is over or was never begun.
    async fn join(
        &self,
        realm: &RealmName,
        pact: &TokenHash,
        now: Timestamp,
        next: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Both sides accepted the other's invitation: ours, with this token, is the pact, and the
    /// partnership is active. False when it was not ours, or is over.
    async fn join_crossed(
        &self,
        realm: &RealmName,
        token: &TokenHash,
        now: Timestamp,
        next: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Ends a partnership; false when the pact is over already.
    async fn end(
        &self,
        realm: &RealmName,
        pact: &TokenHash,
        by: EndedBy,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Notes that the other side knows of the end.
    async fn told(
        &self,
        realm: &RealmName,
        pact: &TokenHash,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
}
