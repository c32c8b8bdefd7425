//! Grants: what opened in halls, for whom, until when.

use std::time::Duration;

use hallway_evidence::statement::hall::{HallName, Rights};
use hallway_evidence::{CredentialId, GrantId, PersonId, RealmName, Timestamp, words};
use hallway_spine::store::{EvidenceHash, Role, TokenHash};

mod rows;

pub use rows::GrantRows;

/// How long an opening waits until somebody approves it: an hour.
pub const APPROVAL_TIMEOUT: Duration = Duration::from_secs(3600);

/// Who may use a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantHolder {
    /// Whoever holds the private key to the public key with this SHA-256.
    Key([u8; 32]),
    /// The browser session with this token.
    Session(TokenHash),
}

/// Between which realms a grant is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// One of our people in a hall of ours.
    Own,
    /// One of our people in a hall of a partner, which alone decides what it opens there. It opens
    /// nothing here, whatever our own halls are called.
    Away {
        /// Where the hall is.
        host: RealmName,
        /// The role that the person had when they signed, by which the host may have let them in.
        role: Role,
        /// When the host was told that it has ended.
        told: Option<Timestamp>,
    },
    /// One of a partner's people in a hall of ours.
    Visitor(Visitor),
}

impl GrantKind {
    /// The partner in whose hall it is, when it is not one of ours.
    #[must_use]
    pub const fn host(&self) -> Option<&RealmName> {
        match self {
            Self::Away { host, .. } => Some(host),
            Self::Own | Self::Visitor(_) => None,
        }
    }
}

/// Whom a partner vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The realm where they are at home.
    pub home: RealmName,
    /// The name, as they signed it.
    pub name: String,
    /// Their role at home.
    pub role: Role,
    /// Until when their realm certified them, as far as it was seen here.
    pub vouched: Timestamp,
}

/// That somebody else has to approve an opening before it opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The least role of who approves.
    pub role: Role,
    /// When somebody did.
    pub given: Option<Given>,
}

/// An approval that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: PersonId,
    /// The evidence of it.
    pub evidence: EvidenceHash,
}

impl Approval {
    /// Nobody approved it yet.
    #[must_use]
    pub const fn asked(role: Role) -> Self {
        Self { role, given: None }
    }
}

words! {
    /// Why a grant was ended before its time.
    EndCause {
        /// Its holder left, or an operator ended it.
        Ended = "grant-ended",
        /// Its person was suspended.
        Suspended = "suspended",
        /// Its person recovered lost access: the keys of before open nothing any more.
        Recovered = "recovered",
        /// Its person was signed out everywhere, or the browser session ended that held it.
        SignedOut = "signed-out",
        /// Its key was removed.
        KeyRemoved = "key-removed",
        /// Its key is of a model that cannot be relied on any more.
        ModelRefused = "model-refused",
        /// Its person has another role than was stated.
        RoleChanged = "role-changed",
        /// Nobody admits its person to what it allowed any more.
        NotAdmitted = "not-admitted",
        /// What is demanded for what it allowed is more by now, and not met.
        NeedsNotMet = "needs-not-met",
        /// Who approved it may no longer approve it.
        ApprovalLost = "approval-lost",
        /// The hall was removed.
        HallRemoved = "hall-removed",
        /// The partnership ended on which it rested.
        PartnerLeft = "partner-left",
        /// It ended in the realm where its person is at home.
        EndedAtHome = "ended-at-home",
    }
}

/// That a grant was ended. It stays so, whatever its person gets back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Timestamp,
    /// By whose act; nobody's where the gateway found it out.
    pub by: Option<PersonId>,
    /// Why.
    pub cause: EndCause,
}

impl End {
    /// Somebody ended it who may: its holder, or an operator.
    #[must_use]
    pub const fn by(person: PersonId, at: Timestamp) -> Self {
        Self {
            at,
            by: Some(person),
            cause: EndCause::Ended,
        }
    }
}

/// How a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantState {
    /// It opens what it allows.
    Open,
    /// It opens nothing before somebody approved it.
    Waiting,
    /// Nobody approved it in time.
    Unapproved,
    /// Somebody ended it.
    Ended,
    /// Its time is over.
    RunOut,
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which.
    pub id: GrantId,
    /// Between which realms: where the hall is, and where the person is at home.
    pub kind: GrantKind,
    /// In which hall.
    pub hall: HallName,
    /// Whose: an id of the realm where the person is at home.
    pub person: PersonId,
    /// The key that was touched for it.
    pub credential: CredentialId,
    /// What it allows.
    pub rights: Rights,
    /// Who may use it.
    pub holder: GrantHolder,
    /// Since when.
    pub opened: Timestamp,
    /// Until when, unless it is ended before.
    pub ends: Timestamp,
    /// That it was ended before its time.
    pub ended: Option<End>,
    /// The evidence that opened it.
    pub evidence: EvidenceHash,
    /// The address from which it was opened.
    pub address: String,
    /// Whether somebody else has to approve it.
    pub approval: Option<Approval>,
}

/// Which grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantFilter {
    /// All of the realm.
    All,
    /// One person's, of our realm.
    Person(PersonId),
    /// Those in one hall of ours.
    Hall(HallName),
    /// One person's in one hall.
    PersonInHall(PersonId, HallName),
}

/// Which grants hang on something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantsOf {
    /// On a person of our realm.
    Person(PersonId),
    /// On a key of our realm.
    Credential(CredentialId),
    /// On a browser session.
    Session(TokenHash),
    /// On a hall of ours.
    Hall(HallName),
    /// On who approved them.
    Approver(PersonId),
    /// On a partner: those of its people here, and those of ours there.
    Partner(RealmName),
}

impl Grant {
    /// How it stands at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> GrantState {
        let waits = self
            .approval
            .is_some_and(|approval| approval.given.is_none());
        if self.ended.is_some() {
            GrantState::Ended
        } else if waits && now >= self.waits_until() {
            GrantState::Unapproved
        } else if now >= self.ends {
            GrantState::RunOut
        } else if waits {
            GrantState::Waiting
        } else {
            GrantState::Open
        }
    }

    /// Until when it can be approved.
    #[must_use]
    pub fn waits_until(&self) -> Timestamp {
        self.opened.plus(APPROVAL_TIMEOUT).min(self.ends)
    }

    /// As what somebody approved it, if somebody did.
    #[must_use]
    pub fn approved(&self) -> Option<Role> {
        self.approval
            .filter(|approval| approval.given.is_some())
            .map(|approval| approval.role)
    }
}
