//! The hall door's data plane: who comes in over the hall listener, and what it is let through to.
//!
//! [`Standing`] says whether a grant opens anything now, [`needs`] whether what its admissions demand
//! is met; [`Inside`] knows who is inside through
//! this gateway, asks again every two seconds, and cuts whoever may no longer be there;
//! [`Offers`] knows what there is behind each hall, [`names`] who may provide it; [`Proxies`] goes to partners' halls for browsers;
//! [`files`] serves what is in stores, under the [`locks`] of all gateways;
//! [`routes`] lists the listener's routes with
//! the rule of each; [`listener`] does TLS.
//!
//! Grants are rows in the database that all gateways of the realm share, so ending one takes
//! effect wherever its holder is connected.

pub mod files;
pub mod inside;
pub mod listener;
pub mod locks;
pub mod names;
pub mod needs;
pub mod offers;
pub mod proxy;
pub mod routes;
pub mod standing;
pub mod visit;
pub mod wall_clock;

use std::time::Duration;

use hallway_spine::realm_authority::OwnAuthorities;
pub use inside::{Inside, Presence, Who};
pub use offers::Offers;
pub use proxy::Proxies;
pub use standing::Standing;

/// What the door needs besides the store.
pub struct Halls {
    /// `HOST:PORT` of the hall listener as others reach it; nothing when there is none.
    pub address: Option<String>,
    /// The most that a touch opens a hall for.
    pub longest: Duration,
    /// How long a guest's certificate lasts.
    pub certificate: Duration,
    /// Sign certificates.
    pub authorities: OwnAuthorities,
    /// What is behind each hall.
    pub offers: Offers,
    /// Who is inside through this gateway.
    pub inside: Inside,
    /// Partners' halls that are open in browsers through this gateway.
    pub proxies: Proxies,
}
