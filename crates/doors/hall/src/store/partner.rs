//! Partners: the other realms that are joined with this one, and how far that is.

use hallway_evidence::log::VerifierKey;
use hallway_evidence::{Origin, PersonId, RealmName, Timestamp, words};
use hallway_hall::Address;
use hallway_spine::store::{EvidenceHash, TokenHash};

mod rows;

pub use rows::PartnerRows;

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
