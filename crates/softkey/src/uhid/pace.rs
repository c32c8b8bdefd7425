//! The pace of reports to the clients: that of a device on a wire.

use std::time::{Duration, Instant};

/// Linux keeps 64 reports for each client of a hidraw device and drops those that come while all of
/// them wait. A wire never fills that up, as a device sends a report in two milliseconds or more; a
/// program would, with an answer that has a post-quantum signature: a hundred reports.
const PER_REPORT: Duration = Duration::from_millis(2);
/// This many reports go out at once: all of most answers.
const REPORTS_AT_ONCE: u32 = 16;

/// Says how long to wait before each report.
pub(super) struct Pace {
    /// When a wire would have carried all reports so far.
    carried: Instant,
}

impl Pace {
    pub(super) const fn new(now: Instant) -> Self {
        Self { carried: now }
    }

    /// The wait before one more report that is sent `now`.
    pub(super) fn wait(&mut self, now: Instant) -> Duration {
        self.carried = self.carried.max(now) + PER_REPORT;
        self.carried
            .saturating_duration_since(now)
            .saturating_sub(PER_REPORT * REPORTS_AT_ONCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_answer_goes_at_once_and_a_long_one_at_the_pace_of_a_wire() {
        let start = Instant::now();
        let mut now = start;
        let mut pace = Pace::new(now);
        for sent in 1..=100 {
            now += pace.wait(now);
            let expected = PER_REPORT * (sent - REPORTS_AT_ONCE.min(sent));
            assert_eq!(now - start, expected, "report {sent}");
        }
        // After a pause, as many go out at once again.
        now += PER_REPORT * REPORTS_AT_ONCE;
        for _ in 0..REPORTS_AT_ONCE {
            assert_eq!(pace.wait(now), Duration::ZERO);
        }
        assert_eq!(pace.wait(now), PER_REPORT);
    }
}
