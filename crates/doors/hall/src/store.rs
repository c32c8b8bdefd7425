//! The tables of the hall door.

use hallway_spine::store::{Table, Unit};

pub(crate) mod entity;
mod grant;
mod hall;
mod hall_agent;
mod hall_lock;
mod migration;
mod partner;
mod visit;

pub use grant::{
    APPROVAL_TIMEOUT, Approval, End, EndCause, Given, Grant, GrantFilter, GrantHolder, GrantKind,
    GrantRows, GrantState, GrantsOf, Visitor,
};
pub use hall::{GuestId, Hall, HallGuest, HallRows, MAX_GUESTS, MAX_HALLS, VisitorId};
pub use hall_agent::{HallAgent, HallAgentRows, MAX_AGENTS};
pub use hall_lock::{HallLockRows, lock_holder};
pub(crate) use migration::all as migrations;
pub use partner::{
    BundleState, EndedBy, Learned, MAX_PARTNERS, Partner, PartnerRows, PartnerState, PartnerWitness,
};
pub use visit::{Visit, VisitRows};

/// The tables of the hall door, as a unit of work has them.
pub trait HallTables {
    /// The halls of the realm and their guests.
    #[must_use]
    fn halls(&self) -> HallRows<'_>;

    /// The agents of all halls.
    #[must_use]
    fn hall_agents(&self) -> HallAgentRows<'_>;

    /// The grants, past and present.
    #[must_use]
    fn grants(&self) -> GrantRows<'_>;

    /// The visits, past and present.
    #[must_use]
    fn visits(&self) -> VisitRows<'_>;

    /// The locks. Whether their holders may hold them is asked elsewhere: see
    /// [`crate::channel::locks`].
    #[must_use]
    fn hall_locks(&self) -> HallLockRows<'_>;

    /// The partners of the realm. What is written about one names its pact: it changes nothing when
    /// another partnership of the same two realms has taken its place meanwhile.
    #[must_use]
    fn partners(&self) -> PartnerRows<'_>;
}

impl HallTables for Unit<'_> {
    fn halls(&self) -> HallRows<'_> {
        HallRows(self)
    }

    fn hall_agents(&self) -> HallAgentRows<'_> {
        HallAgentRows(self)
    }

    fn grants(&self) -> GrantRows<'_> {
        GrantRows(self)
    }

    fn visits(&self) -> VisitRows<'_> {
        VisitRows(self)
    }

    fn hall_locks(&self) -> HallLockRows<'_> {
        HallLockRows(self)
    }

    fn partners(&self) -> PartnerRows<'_> {
        PartnerRows(self)
    }
}

/// What a backup holds of them.
pub(crate) fn tables() -> Vec<Table> {
    vec![
        Table::of::<entity::hall::Entity>().after(&["person"]),
        Table::of::<entity::hall_guest::Entity>().after(&["hall"]),
        Table::held_by::<entity::hall_agent::Entity>(without_invitation).after(&["hall"]),
        Table::of::<entity::hall_agent_name::Entity>().after(&["hall_agent"]),
        Table::of::<entity::hall_visit::Entity>(),
        Table::held_by::<entity::partner::Entity>(without_token).after(&["person"]),
        Table::of::<entity::partner_bundle::Entity>().after(&["partner"]),
        Table::left_behind("hall_grant"),
        Table::left_behind("hall_lock"),
    ]
}

/// An agent that has not joined yet was invited, but can't join any more.
fn without_invitation(agent: entity::hall_agent::Model) -> entity::hall_agent::Model {
    let expires_ms = match agent.joined_ms {
        None => agent.invited_ms,
        Some(_) => agent.expires_ms,
    };
    entity::hall_agent::Model {
        expires_ms,
        ..agent
    }
}

/// A partnership that waits for the other side was begun, but neither side's token is good any
/// more.
fn without_token(partner: entity::partner::Model) -> entity::partner::Model {
    let waits = [PartnerState::Invited, PartnerState::Joining]
        .iter()
        .any(|state| state.as_str() == partner.state);
    let expires_ms = if waits {
        partner.made_ms
    } else {
        partner.expires_ms
    };
    entity::partner::Model {
        sealed_token: None,
        expires_ms,
        invited: None,
        invited_until_ms: None,
        ..partner
    }
}
