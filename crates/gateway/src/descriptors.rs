//! How many files and connections the system lets this process have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are not connections: the database, its log, what is being read and written; and the
/// few connections for metrics.
const RESERVE: u64 = 512;
/// Descriptors for each place: two listeners have the same number of places.
const EACH: u64 = 2;

/// Asks the system for as many as it gives, and says for how many connections on each listener that
/// is enough: at most `wanted`. Without descriptors the database can't be opened either, so there
/// have to be fewer connections than that.
pub(crate) fn connections(wanted: usize) -> usize {
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
    let enough = places(current).min(wanted);
    if enough < wanted {
        tracing::warn!(
            wanted,
            enough,
            "the system lets this program open fewer files than its connections need; raise LimitNOFILE"
        );
    }
    enough
}

/// `None` is no limit.
fn places(descriptors: Option<u64>) -> usize {
    let places = descriptors.map(|most| most.saturating_sub(RESERVE) / EACH);
    places.map_or(usize::MAX, |places| {
        usize::try_from(places).unwrap_or(usize::MAX).max(1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_fewer_connections_than_descriptors() {
        assert_eq!(places(Some(1024)), 256);
        assert_eq!(places(Some(20_512)), 10_000);
        assert_eq!(places(Some(10)), 1);
        assert_eq!(places(None), usize::MAX);
    }

    #[test]
    fn as_many_as_are_wanted_if_the_system_lets_it() {
        assert_eq!(connections(1), 1);
    }
}
