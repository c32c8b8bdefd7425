//! The sources of requests, counted so that one stranger can't take every place.
//!
//! A person who is signed in is one source, wherever they are. Everybody else is counted by the
//! network that they call from: an IPv4 address, or the first 56 bits of an IPv6 address, which a
//! provider gives to a household (RFC 6177). A loopback address is not counted: it may be a proxy
//! on this machine with all its callers behind it. Only the limit on all requests holds there, and
//! the proxy has to limit its own callers.
//!
//! A source that anybody can multiply also counts as part of a wider one, which may take twice as
//! many places: IPv6 networks as part of a site (48 bits), and visitors as part of the realm that
//! certifies them.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use hallway_evidence::{PersonId, RealmName};

/// A caller, or a group of callers, whose places are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A person who is signed in.
    Person(PersonId),
    /// Strangers of one network: an IPv4 address, or the first 56 bits of an IPv6 address.
    Network(IpAddr),
    /// Strangers of all IPv6 networks that one site may have: the first 48 bits.
    Site(Ipv6Addr),
    /// The holder of a certificate of this realm, by its SPIFFE ID.
    Certificate(String),
    /// The holder of a certificate of another realm.
    Visitor {
        /// The realm that certifies the holder.
        home: RealmName,
        /// The holder's SPIFFE ID.
        id: String,
    },
    /// All visitors whom one other realm certifies.
    Realm(RealmName),
}

impl Source {
    /// The network of an address; `None` for loopback.
    #[must_use]
    pub fn network(address: IpAddr) -> Option<Self> {
        of_strangers(address).map(Self::Network)
    }

    /// The wider source of which this one is a part, if anybody can multiply this one.
    fn wider(&self) -> Option<Self> {
        match self {
            Self::Network(IpAddr::V6(address)) => Some(Self::Site(first_bits(*address, 48))),
            Self::Visitor { home, .. } => Some(Self::Realm(home.clone())),
            Self::Network(IpAddr::V4(_))
            | Self::Person(_)
            | Self::Site(_)
            | Self::Certificate(_)
            | Self::Realm(_) => None,
        }
    }
}

/// The network of an address from which strangers call; `None` for loopback.
pub(crate) fn of_strangers(address: IpAddr) -> Option<IpAddr> {
    (!address.to_canonical().is_loopback()).then(|| network(address))
}

/// The network of an address: the IPv4 address itself, or the first 56 bits of an IPv6 address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(first_bits(address, 56)),
    }
}

fn first_bits(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    let rest = u128::MAX.checked_shr(bits).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & !rest)
}

/// The number of places that each source holds.
#[derive(Debug, Default)]
pub struct Shares(Mutex<HashMap<Source, usize>>);

/// A place that a source holds until this is dropped.
#[derive(Debug)]
pub struct Share {
    shares: Arc<Shares>,
    source: Source,
}

impl Shares {
    /// A place for `source`, unless it already holds `most`, or its wider source twice as many.
    pub fn take(self: &Arc<Self>, source: Source, most: usize) -> Option<Share> {
        let wider = source.wider();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |source| held.get(source).copied().unwrap_or(0);
        if count(&source) >= most || wider.as_ref().is_some_and(|wider| count(wider) >= 2 * most) {
            return None;
        }
        for holder in wider.into_iter().chain([source.clone()]) {
            *held.entry(holder).or_default() += 1;
        }
        Some(Share {
            shares: Arc::clone(self),
            source,
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.0.lock().unwrap_or_else(PoisonError::into_inner);
        for holder in self.source.wider().iter().chain([&self.source]) {
            if let Some(count) = held.get_mut(holder) {
                *count -= 1;
                if *count == 0 {
                    held.remove(holder);
                }
            }
        }
    }
}

#[cfg(test)]
impl Shares {
    /// How many places `source` holds.
    pub(crate) fn held(&self, source: &Source) -> usize {
        self.0.lock().unwrap().get(source).copied().unwrap_or(0)
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
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:ff:ffff::"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:102::1"));
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

    #[test]
    fn whoever_can_be_many_has_twice_as_many_places_in_all() {
        let visitor = |number: u8, home: &str| Source::Visitor {
            home: home.parse().unwrap(),
            id: format!("spiffe://{home}/person/{number}"),
        };
        let site = |number: u8| network(&format!("2001:db8:1:{number:x}00::1")).unwrap();
        let others = [
            visitor(0, "beta.example"),
            network("2001:db8:2::1").unwrap(),
        ];
        let many: [&dyn Fn(u8) -> Source; 2] = [&|n| visitor(n, "alpha.example"), &site];
        for (many, other) in many.into_iter().zip(others) {
            let shares = Arc::new(Shares::default());
            let held: Vec<_> = (0..9).map_while(|n| shares.take(many(n), 4)).collect();
            assert_eq!(held.len(), 8);
            assert!(shares.take(other, 4).is_some());
            drop(held);
            assert!(shares.0.lock().unwrap().is_empty(), "nobody is remembered");
        }
    }
}
