//! How long to wait before trying again.

use std::time::Duration;

/// Doubling waits with full jitter: a thousand devices that lost the same gateway do not come back
/// in the same second.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits at most `first` after the first failure, then up to twice as long each time, but never
    /// longer than `longest`.
    #[must_use]
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// The next wait: at least `at_least`, which a gateway may have asked for, but never longer
    /// than the longest.
    pub(crate) fn next(&mut self, at_least: Duration) -> Duration {
        let ceiling = self
            .first
            .saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX))
            .min(self.longest);
        self.failures = (self.failures + 1).min(31);
        // At least a tenth of the ceiling, or jitter could make a busy loop.
        let floor = (ceiling / 10).max(at_least.min(self.longest));
        floor + ceiling.saturating_sub(floor).mul_f64(fraction())
    }

    /// Starts over after a success.
    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A random number from 0 to 1. Without a source of randomness it is 1: the longest wait.
fn fraction() -> f64 {
    let mut bytes = [0xff; 4];
    let _ = getrandom::fill(&mut bytes);
    f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_bounds_and_start_over() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, 60 * second);
        for failures in 0..100 {
            let ceiling = second * 2u32.saturating_pow(failures).min(60);
            let wait = backoff.next(Duration::ZERO);
            assert!(
                wait >= ceiling / 10 && wait <= ceiling,
                "{failures}: {wait:?}"
            );
        }
        backoff.reset();
        assert!(backoff.next(Duration::ZERO) <= second);
        assert!(backoff.next(30 * second) >= 30 * second);
        assert!(backoff.next(999 * second) <= 60 * second);
    }
}
