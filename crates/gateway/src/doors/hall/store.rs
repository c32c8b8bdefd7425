//! The tables of the hall door.

use crate::store::Table;

pub(crate) mod entity;
mod grant;
mod hall;
mod hall_agent;
mod hall_lock;
mod migration;
mod partner;
mod visit;

pub use grant::{
    APPROVAL_PATIENCE, Approval, End, EndCause, Given, Grant, GrantFilter, GrantHolder, GrantKind,
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

/// A partnership that waits for the other side was begun, but neither side's token is good any more.
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
