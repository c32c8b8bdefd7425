//! Points in time, in milliseconds.

use core::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted. A number in JSON and CBOR.
///
/// Prints as `2026-11-22 01:48:03 UTC`.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(try_from = "u64", into = "u64")]
pub struct Timestamp(u64);

/// The time lies after [`Timestamp::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time lies after the year 9999")]
pub struct TooLate;

impl TryFrom<u64> for Timestamp {
    type Error = TooLate;

    /// From milliseconds since 1970, as somebody else stated them.
    fn try_from(ms: u64) -> Result<Self, TooLate> {
        if ms > LAST_MS {
            Err(TooLate)
        } else {
            Ok(Self(ms))
        }
    }
}

impl From<Timestamp> for u64 {
    fn from(time: Timestamp) -> Self {
        time.0
    }
}

const UNIX_EPOCH_CIVIL: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// The last millisecond of the year 9999: later times are refused, so that each one prints.
const LAST_MS: u64 = 253_402_300_799_999;

impl Timestamp {
    /// The latest time that a statement may carry: the end of the year 9999.
    pub const MAX: Self = Self(LAST_MS);

    /// From milliseconds since 1970; anything after the year 9999 becomes [`Timestamp::MAX`].
    pub const fn from_ms(ms: u64) -> Self {
        if ms > LAST_MS { Self::MAX } else { Self(ms) }
    }

    /// Milliseconds since 1970.
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970, as certificates count.
    pub const fn as_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The year, in UTC.
    #[must_use]
    pub fn year(self) -> i16 {
        self.civil().year()
    }

    /// The date and the time of day, in UTC. Not `jiff::Timestamp`, which ends a day too early.
    fn civil(self) -> DateTime {
        UNIX_EPOCH_CIVIL.saturating_add(Duration::from_millis(self.0))
    }

    /// This time and `duration` more.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self::from_ms(
            self.0
                .saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// How far two times lie apart, whichever comes first.
    pub const fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }
}

impl From<SystemTime> for Timestamp {
    /// A clock before 1970 counts as 1970.
    fn from(time: SystemTime) -> Self {
        Self::default().plus(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} UTC", self.civil().strftime("%Y-%m-%d %H:%M:%S"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_print_as_calendars_say() {
        for (ms, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199_999, "2024-02-29 23:59:59 UTC"),
            (1_709_251_200_000, "2024-03-01 00:00:00 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00:00 UTC"),
            (u64::MAX, "9999-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(Timestamp::from_ms(ms).to_string(), text);
        }
    }

    #[test]
    fn a_stated_time_after_the_year_9999_is_refused() {
        let read = |ms: u64| serde_json::from_str::<Timestamp>(&ms.to_string());
        assert_eq!(read(LAST_MS).unwrap(), Timestamp::MAX);
        assert!(read(LAST_MS + 1).is_err());
        assert_eq!(
            serde_json::to_string(&Timestamp::MAX).unwrap(),
            LAST_MS.to_string()
        );
    }
}
