//! The role that an act needs.

use crate::statement::people::Role;
use crate::statement::{Act, Signer};

/// The least role of a person who may do this. The gateway checks what else it takes, such as
/// owning the device.
#[must_use]
pub fn least_role(act: &Act) -> Role {
    match (act, act.declared().signer) {
        // Another realm may admit by the role that is stated to it.
        (Act::HallOpen(open), _) => open.role.unwrap_or(Role::Member),
        (_, Signer::Person(role)) => role,
        (_, Signer::NewKey | Signer::Device) => Role::Member,
    }
}
