//! How long to wait before trying again.

use std::time::Duration;

use aws_lc_rs::rand;

/// Waits that double from `first` to `most`.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits `first` after the first failure, then twice as long each time, but never longer than
    /// `most`.
    #[must_use]
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            failures: 0,
        }
    }

    /// The wait after it doubled this many times.
    #[must_use]
    pub fn doubled(&self, times: u32) -> Duration {
        let factor = 1u32.checked_shl(times).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.most)
    }

    /// The next wait.
    pub fn wait(&mut self) -> Duration {
        let wait = self.doubled(self.failures);
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// The next wait with full jitter: a thousand devices that lost the same gateway do not come
    /// back in the same second. It is at least `at_least`, which a gateway may have asked for, but
    /// never longer than the longest.
    pub fn jittered_wait(&mut self, at_least: Duration) -> Duration {
        let ceiling = self.wait();
        // At least a tenth of the ceiling, or jitter could make a busy loop.
        let floor = (ceiling / 10).max(at_least.min(self.most));
        floor + ceiling.saturating_sub(floor).mul_f64(fraction())
    }

    /// Starts over after a success.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Nine to eleven tenths of `pause`, so that many do not all ask at the same moment.
#[must_use]
pub fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.9 + 0.2 * fraction())
}

/// A random number from 0 to 1. Without a source of randomness it is 1: the longest wait.
fn fraction() -> f64 {
    let mut bytes = [0; 4];
    match rand::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_within_bounds_and_start_over() {
        let mut backoff = Backoff::new(SECOND, 60 * SECOND);
        for failures in 0..100 {
            let expected = SECOND * 2u32.saturating_pow(failures).min(60);
            assert_eq!(backoff.doubled(failures), expected);
            assert_eq!(backoff.wait(), expected);
        }
        backoff.reset();
        assert_eq!(backoff.wait(), SECOND);
    }

    #[test]
    fn jittered_waits_double_within_bounds_and_start_over() {
        let mut backoff = Backoff::new(SECOND, 60 * SECOND);
        for failures in 0..100 {
            let ceiling = SECOND * 2u32.saturating_pow(failures).min(60);
            let wait = backoff.jittered_wait(Duration::ZERO);
            assert!(
                wait >= ceiling / 10 && wait <= ceiling,
                "{failures}: {wait:?}"
            );
        }
        backoff.reset();
        assert!(backoff.jittered_wait(Duration::ZERO) <= SECOND);
        assert!(backoff.jittered_wait(30 * SECOND) >= 30 * SECOND);
        assert!(backoff.jittered_wait(999 * SECOND) <= 60 * SECOND);
    }

    #[test]
    fn pauses_stay_near_what_was_asked_for() {
        for _ in 0..100 {
            let pause = jittered(1000 * SECOND);
            assert!((900..=1100).contains(&pause.as_secs()), "{pause:?}");
        }
    }
}
