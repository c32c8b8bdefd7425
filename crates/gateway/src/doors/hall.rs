//! The hall door: who may enter which hall, and the grants that let them in.
//!
//! [`acts`] are what people sign about halls, [`open`] is the one that lets the signer in,
//! [`approvals`] what somebody else may have to sign first, [`certificate`] what they get for it.
//! [`files`] is what a browser then does in a hall of ours, [`away`] in a partner's. What flows is the
//! business of [`crate::hall`].

pub mod acts;
pub mod agents;
pub mod approvals;
pub mod away;
pub mod certificate;
pub mod demands;
pub mod files;
pub mod flows;
pub mod grants;
pub mod look;
pub mod open;
pub mod own_authorities;
pub mod partners;
pub mod visit;
