//! The view models of the pages about people and their keys.

mod arrive;
mod keys;
mod links;
mod people;

pub use arrive::{JoinPage, SignInPage};
pub use keys::{KeyRow, KeysPage, SessionItem};
pub use links::LinkItem;
pub use people::{PeoplePage, PersonRow};
