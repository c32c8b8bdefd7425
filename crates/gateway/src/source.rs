//! Where requests come from, so that one stranger can't take every place.
//!
//! A person who is signed in counts as one, wherever they are. Everybody else counts by the network
//! that they call from: an IPv4 address, or the 64 bits of an IPv6 address that a provider gives to
//! one household (RFC 6177). A loopback address counts for nobody: it may be a proxy on this machine
//! with all its callers behind it, so only the bound in total holds there, and the proxy has to bound
//! its own callers.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use hallway_evidence::PersonId;

/// Somebody who takes places.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A person who is signed in.
    Person(PersonId),
    /// Strangers of one network.
    Network(IpAddr),
    /// The holder of a certificate, by its SPIFFE ID.
    Certificate(String),
}

impl Source {
    /// The network of an address; none for loopback.
    #[must_use]
    pub fn network(address: IpAddr) -> Option<Self> {
        let address = address.to_canonical();
        if address.is_loopback() {
            return None;
        }
        Some(Self::Network(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(network))
            }
        }))
    }
}

/// How many places each source holds.
#[derive(Debug, Default)]
pub(crate) struct Shares(Mutex<HashMap<Source, usize>>);

/// A place that a source holds until this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    shares: Arc<Shares>,
    source: Source,
}

impl Shares {
    /// A place for `source`, unless it holds `most` already.
    pub(crate) fn take(self: &Arc<Self>, source: Source, most: usize) -> Option<Share> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(source.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Share {
            shares: Arc::clone(self),
            source,
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Option<Source> {
        Source::network(text.parse().unwrap())
    }

    #[test]
    fn a_household_is_one_source_and_loopback_is_none() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        for loopback in ["127.0.0.1", "::1", "::ffff:127.0.0.9"] {
            assert_eq!(network(loopback), None);
        }
    }

    #[test]
    fn a_source_has_its_places_and_leaves_those_of_others() {
        let shares = Arc::new(Shares::default());
        let (one, other) = (network("192.0.2.1").unwrap(), network("192.0.2.2").unwrap());
        let held = [
            shares.take(one.clone(), 2).unwrap(),
            shares.take(one.clone(), 2).unwrap(),
        ];
        assert!(shares.take(one.clone(), 2).is_none());
        assert!(shares.take(other, 2).is_some());
        drop(held);
        assert!(shares.take(one, 2).is_some());
        assert!(shares.0.lock().unwrap().is_empty(), "nobody is remembered");
    }
}
