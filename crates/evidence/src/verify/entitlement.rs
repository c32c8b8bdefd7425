//! Which role an act needs.

use crate::statement::people::Role;
use crate::statement::{Act, Hall};

/// The least role of a person who may do this; what more it takes, such as owning the device, is for
/// the gateway to decide.
#[must_use]
pub fn least_role(act: &Act) -> Role {
    match act {
        // Another realm may admit by the role that is stated to it.
        Act::Hall(Hall::Open(open)) => open.role.unwrap_or(Role::Member),
        Act::Web(_) | Act::Device(_) | Act::Hall(Hall::Approve(_)) => Role::Member,
        Act::Hall(Hall::End(_)) => Role::Operator,
        Act::People(_) | Act::Authority(_) | Act::Hall(_) => Role::Owner,
    }
}
