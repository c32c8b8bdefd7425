//! The hall door: who may enter which hall, and the grants that let them in.
//!
//! People sign that a hall exists ([`existence`]), who may enter it ([`guests`]) and which agents
//! provide its stores and services ([`machines`]). [`open`] lets the signer in, [`end`] puts
//! somebody out, [`approvals`] is what somebody else may have to sign first, [`certificate`] what
//! they get for it. [`files`] is what a browser then does in a hall of ours, [`away`] in a
//! partner's. What flows is the business of [`channel`].

use hallway_evidence::statement::hall as stated;
use hallway_spine::Gateway;
use hallway_spine::act::{Registered, act};
use hallway_spine::door_name::DoorName;

pub use self::halls::Halls;
use self::partners::Partners;

pub mod agents;
pub mod approvals;
pub mod away;
pub mod certificate;
pub mod channel;
pub mod demands;
pub mod depends;
mod door;
pub mod end;
pub mod existence;
pub mod files;
pub mod flows;
pub mod grants;
pub mod guests;
mod halls;
pub mod look;
pub mod machines;
pub mod open;
pub mod own_authorities;
pub mod pages;
pub mod partners;
pub(crate) mod routes;
pub mod settings;
pub mod store;
pub mod view;
pub mod visit;

/// The name of the door.
pub const NAME: DoorName = DoorName::new("hall");

/// The door of halls and of partners.
#[derive(Debug)]
pub struct HallDoor;

/// The member of an act's outcome that has the grant.
pub(crate) const GRANT: &str = "grant";

/// What the hall door adds to a gateway.
pub trait HallsOf {
    /// What the door keeps in memory.
    #[must_use]
    fn halls(&self) -> &Halls;

    /// The state about partners in memory.
    #[must_use]
    fn partners(&self) -> &Partners;
}

impl HallsOf for Gateway {
    fn halls(&self) -> &Halls {
        self.part()
    }

    fn partners(&self) -> &Partners {
        self.part()
    }
}

/// The acts on halls.
pub fn acts() -> Vec<Registered> {
    vec![
        act::<HallDoor, stated::Create>(),
        act::<HallDoor, stated::Remove>(),
        act::<HallDoor, stated::Admit>(),
        act::<HallDoor, stated::Dismiss>(),
        act::<HallDoor, stated::InviteAgent>(),
        act::<HallDoor, stated::DismissAgent>(),
        act::<HallDoor, stated::Open>(),
        act::<HallDoor, stated::Approve>(),
        act::<HallDoor, stated::End>(),
    ]
}
