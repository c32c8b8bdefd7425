//! The hall door: channels to files and services, and who may enter them.
//!
//! A hall is known by its `HallName`. What a person may do inside is a set of `Rights`. A grant is
//! bound to a `P256PublicKey` whose private half never leaves the memory of the program that opened
//! the hall, or to the browser session of the signer when there is no such key.

mod agent;
mod existence;
mod grant;
mod guest;
mod hours;
mod name;
mod names;
mod needs;
mod public_key;
mod right;

pub use agent::{DismissAgent, InviteAgent};
pub use existence::{Create, Remove};
pub use grant::{Approve, End, Lasting, Open};
pub use guest::{Admit, Dismiss, Guest, NamedPerson, Visitor, Whom};
pub use hours::{Day, Hours, HoursError};
pub use name::{AgentName, HallName, LONGEST_NAME_BYTES, NameError, ServiceName, StoreName};
pub use names::{MOST_NAMES, Names, TooManyNames};
pub use needs::{KeyNeed, Needs, approver};
pub use public_key::{P256PublicKey, PublicKeyError};
pub use right::{MOST_RIGHTS, Right, RightError, Rights, RightsError};
