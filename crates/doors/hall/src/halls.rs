//! The state that the halls of one gateway share.

use std::time::Duration;

use hallway_spine::realm_authority::OwnAuthorities;

use crate::away::proxy::Proxies;
use crate::channel::{Inside, Offers};

/// The state of the hall door in memory.
pub struct Halls {
    /// `HOST:PORT` of the hall listener as others reach it; `None` without a listener.
    pub address: Option<String>,
    /// The most that a touch opens a hall for.
    pub longest: Duration,
    /// How long a guest's certificate lasts.
    pub certificate: Duration,
    /// The realm's own authorities, which sign certificates.
    pub authorities: OwnAuthorities,
    /// The stores and services of each hall.
    pub offers: Offers,
    /// The connections that are inside through this gateway.
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
