//! The data plane of the hall door: the connections to the hall listener, and what each may reach.
//!
//! [`Standing`] says whether a grant opens anything now. [`Inside`] knows who is inside through
//! this gateway, asks again every two seconds, and cuts everybody who may no longer be there.
//! [`Offers`] knows what there is behind each hall, [`names`] who may provide it. [`files`] serves
//! what is in stores, under the [`locks`] of all gateways. [`routes`] lists the listener's routes
//! with the rule of each; [`listener`] does TLS.
//!
//! Grants are rows in the database that all gateways of the realm share, so ending one takes
//! effect wherever its holder is connected.

pub mod files;
pub mod gateways;
pub mod inside;
pub mod listener;
pub mod locks;
pub mod names;
pub mod offers;
pub mod routes;
pub mod standing;
pub mod visit;

pub use inside::{Inside, Presence, Who};
pub use offers::Offers;
pub use standing::Standing;
