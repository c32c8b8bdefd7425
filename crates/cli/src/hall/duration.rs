//! Durations as a person types them.

use std::str::FromStr;
use std::time::Duration;

/// A time that something lasts: a number and `s`, `m`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lasting(Duration);

/// The text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time: a number and s, m, h or d, such as 30m or 8h")]
pub(crate) struct NotLasting(String);

impl Lasting {
    /// In milliseconds.
    pub(crate) fn milliseconds(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl FromStr for Lasting {
    type Err = NotLasting;

    fn from_str(text: &str) -> Result<Self, NotLasting> {
        let wrong = || NotLasting(text.to_owned());
        let unit = text.chars().last().ok_or_else(wrong)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            _ => return Err(wrong()),
        };
        // A year is more than any grant lasts, and keeps milliseconds far from overflowing.
        let number: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
        let all = u64::from(number) * seconds;
        (1..=366 * 86_400)
            .contains(&all)
            .then_some(Self(Duration::from_secs(all)))
            .ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        for (text, expected) in [("90s", 90_000), ("30m", 1_800_000), ("8h", 28_800_000)] {
            assert_eq!(text.parse::<Lasting>().unwrap().milliseconds(), expected);
        }
        for text in ["", "h", "8", "0h", "-1h", "1.5h", "8H", "9999999d", "8µ"] {
            assert!(text.parse::<Lasting>().is_err(), "{text}");
        }
    }
}
