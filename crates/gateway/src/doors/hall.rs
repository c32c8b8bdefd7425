//! The hall door: who may enter which hall, and the grants that let them in.
//!
//! People sign that a hall is there ([`existence`]), who may enter ([`guests`]) and what provides it
//! ([`machines`]). [`open`] lets the signer in, [`end`] puts somebody out,
//! [`approvals`] is what somebody else may have to sign first, [`certificate`] what they get for it.
//! [`files`] is what a browser then does in a hall of ours, [`away`] in a partner's. What flows is the
//! business of [`crate::hall`].

use hallway_evidence::statement::hall as stated;

use super::act::{Registered, act};

pub mod agents;
pub mod approvals;
pub mod away;
pub mod certificate;
pub mod demands;
pub mod end;
pub mod existence;
pub mod files;
pub mod flows;
pub mod grants;
pub mod guests;
pub mod look;
pub mod machines;
pub mod open;
pub mod own_authorities;
pub mod partners;
pub mod visit;

/// The acts on halls.
pub fn acts() -> Vec<Registered> {
    vec![
        act::<stated::Create>(),
        act::<stated::Remove>(),
        act::<stated::Admit>(),
        act::<stated::Dismiss>(),
        act::<stated::InviteAgent>(),
        act::<stated::DismissAgent>(),
        act::<stated::Open>(),
        act::<stated::Approve>(),
        act::<stated::End>(),
    ]
}
