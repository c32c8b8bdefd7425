//! The state that the halls of one gateway share.

use std::time::Duration;

use hallway_spine::realm_authority::OwnAuthorities;

use crate::away::proxy::Proxies;
use crate::channel::{Inside, Offers};

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

impl Halls {
    /// The most that a touch opens a hall for, in milliseconds.
    #[must_use]
    pub fn longest_ms(&self) -> u64 {
        u64::try_from(self.longest.as_millis()).unwrap_or(u64::MAX)
    }
}
