//! The system's limit on the files and connections that this process has open.

use std::fmt;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors kept free for the database, its log, and payloads that are read or written, and
/// for the few connections for metrics.
const RESERVED_FILES: u64 = 512;

/// The most connections of each listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Those of the web server.
    pub web: usize,
    /// Those of the hall listener; 0 without one.
    pub hall: usize,
}

/// Raises the limit on descriptors as far as the system allows, and returns the connections for
/// which that is enough: at most `wanted`. If it is not enough for all, each listener gets half, or
/// more if the other one wants less. Without free descriptors the database could not be opened
/// either, so connections must not use them all.
pub fn connections(wanted: Places) -> Places {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit on open files could not be raised");
            limit.current
        }
    };
    let enough = share(current, wanted);
    if enough != wanted {
        tracing::warn!(
            wanted = %wanted,
            enough = %enough,
            "the system lets this program open fewer files than its connections need; \
             raise LimitNOFILE"
        );
    }
    enough
}

/// Shares `descriptors` among the listeners; `None` means no limit.
fn share(descriptors: Option<u64>, wanted: Places) -> Places {
    let Some(most) = descriptors else {
        return wanted;
    };
    let there = usize::try_from(most.saturating_sub(RESERVED_FILES)).unwrap_or(usize::MAX);
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
