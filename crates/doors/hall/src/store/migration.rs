//! The migrations of the hall door.

use sea_orm_migration::MigrationTrait;

mod agent_names;
mod crossing;
mod end_causes;
mod grant_kinds;
mod hall_locks;
mod halls;
mod needs;
mod partners;
mod visits;

/// All of them.
pub(crate) fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(halls::Halls),
        Box::new(partners::Partners),
        Box::new(visits::Visits),
        Box::new(needs::Needs),
        Box::new(crossing::Crossing),
        Box::new(agent_names::AgentNames),
        Box::new(hall_locks::HallLocks),
        Box::new(end_causes::EndCauses),
        Box::new(grant_kinds::GrantKinds),
    ]
}
