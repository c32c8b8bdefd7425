//! Whole numbers that must lie in a range, which is checked when a setting is read.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize};

/// A whole number from `LEAST` to `MOST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Bounded<const LEAST: u64, const MOST: u64>(u64);

impl<const LEAST: u64, const MOST: u64> Bounded<LEAST, MOST> {
    /// The number of the range that is nearest to `number`.
    #[must_use]
    pub const fn nearest(number: u64) -> Self {
        if number < LEAST {
            Self(LEAST)
        } else if number > MOST {
            Self(MOST)
        } else {
            Self(number)
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// As a count.
    #[must_use]
    pub fn count(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// As seconds.
    #[must_use]
    pub const fn seconds(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// As minutes.
    #[must_use]
    pub const fn minutes(self) -> Duration {
        Duration::from_secs(self.0.saturating_mul(60))
    }

    /// As hours.
    #[must_use]
    pub const fn hours(self) -> Duration {
        Duration::from_secs(self.0.saturating_mul(3600))
    }
}

impl<'de, const LEAST: u64, const MOST: u64> Deserialize<'de> for Bounded<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(InRange::<LEAST, MOST>)
    }
}

struct InRange<const LEAST: u64, const MOST: u64>;

impl<const LEAST: u64, const MOST: u64> Visitor<'_> for InRange<LEAST, MOST> {
    type Value = Bounded<LEAST, MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {LEAST} to {MOST}")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        if (LEAST..=MOST).contains(&number) {
            Ok(Bounded(number))
        } else {
            Err(E::invalid_value(Unexpected::Unsigned(number), &self))
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Read {
        hours: Bounded<1, 744>,
    }

    #[test]
    fn a_number_out_of_its_range_is_refused_with_the_range() {
        for (text, hours) in [("1", 1), ("744", 744), ("8", 8)] {
            let read: Read = toml::from_str(&format!("hours = {text}")).unwrap();
            assert_eq!(read.hours.get(), hours);
        }
        for text in ["0", "745", "-1", "9223372036854775807", "1.5", "\"8\""] {
            let error = toml::from_str::<Read>(&format!("hours = {text}")).unwrap_err();
            let told = error.message();
            assert!(
                told.ends_with("expected a whole number from 1 to 744"),
                "{text}: {told}"
            );
        }
    }

    #[test]
    fn the_nearest_number_is_in_the_range() {
        for (given, nearest) in [(0, 5), (5, 5), (7, 7), (u64::MAX, 9)] {
            assert_eq!(Bounded::<5, 9>::nearest(given).get(), nearest);
        }
    }
}
