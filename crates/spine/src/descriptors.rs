//! How many files and connections the system lets this process have open.

use std::fmt;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are not connections: the database, its log, what is being read and written; and the
/// few connections for metrics.
const RESERVE: u64 = 512;

/// For how many connections each listener has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// The web server.
    pub web: usize,
    /// The hall listener; none without one.
    pub hall: usize,
}

/// Asks the system for as many descriptors as it gives, and says for how many connections that is
/// enough: at most `wanted`, and where it is less, each listener has half of what there is, or more
/// where the other wants less. Without descriptors the database can't be opened either, so there have
/// to be fewer connections than that.
pub fn connections(wanted: Places) -> Places {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the number of open files stays as it is");
            limit.current
        }
    };
    let enough = share(current, wanted);
    if enough != wanted {
        tracing::warn!(
            wanted = %wanted,
            enough = %enough,
            "the system lets this program open fewer files than its connections need; raise LimitNOFILE"
        );
    }
    enough
}

/// `None` is no limit.
fn share(descriptors: Option<u64>, wanted: Places) -> Places {
    let Some(most) = descriptors else {
        return wanted;
    };
    let there = usize::try_from(most.saturating_sub(RESERVE)).unwrap_or(usize::MAX);
    let part = |places: usize, other: usize| {
        let left = there.saturating_sub(other).max(there / 2);
        places.min(left.max(1))
    };
    Places {
        web: part(wanted.web, wanted.hall),
        hall: part(wanted.hall, wanted.web),
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for the web", self.web)?;
        if self.hall > 0 {
            write!(f, ", {} for halls", self.hall)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(web: usize, hall: usize) -> Places {
        Places { web, hall }
    }

    #[test]
    fn there_are_fewer_connections_than_descriptors() {
        let both = places(10_000, 10_000);
        assert_eq!(share(Some(1024), both), places(256, 256));
        assert_eq!(share(Some(20_512), both), both);
        assert_eq!(share(Some(10), both), places(1, 1));
        assert_eq!(share(None, both), both);
        assert_eq!(
            share(Some(20_000), places(1000, 10_050)),
            places(1000, 10_050)
        );
        assert_eq!(share(Some(1512), places(1000, 3000)), places(500, 500));
        assert_eq!(share(Some(1512), places(200, 3000)), places(200, 800));
        assert_eq!(share(Some(1512), places(200, 1_000_000)), places(200, 800));
        assert_eq!(share(Some(1512), places(1000, 0)), places(1000, 0));
    }

    #[test]
    fn as_many_as_are_wanted_if_the_system_lets_it() {
        assert_eq!(connections(places(1, 1)), places(1, 1));
    }
}
