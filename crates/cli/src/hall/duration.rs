//! Durations as a person types them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

/// A duration: a number and `s`, `m`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lasting(Duration);

/// How long a short command opens a hall for itself.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OwnGrant {
    /// How long to open the hall, if no `hallway open` runs; 15m by default. It closes when the
    /// command ends.
    #[arg(long = "for", value_name = "TIME")]
    lasting: Option<Lasting>,
}

impl OwnGrant {
    /// If the command is killed, its key is of use for no longer than this.
    const DEFAULT: Lasting = Lasting(Duration::from_secs(15 * 60));

    pub(crate) fn milliseconds(self) -> u64 {
        self.lasting.unwrap_or(Self::DEFAULT).milliseconds()
    }
}

impl fmt::Display for Lasting {
    /// In words, in the largest unit of which it is a whole number: `90 minutes`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(86_400, "day"), (3600, "hour"), (60, "minute")];
        let whole = units
            .iter()
            .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
        let (unit, name) = whole.copied().unwrap_or((1, "second"));
        let number = seconds / unit;
        let more = if number == 1 { "" } else { "s" };
        write!(f, "{number} {name}{more}")
    }
}

/// The text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration: write a number and s, m, h or d, such as 30m or 8h")]
pub(crate) struct NotLasting(String);

impl Lasting {
    /// `ms` milliseconds, rounded to the nearest second, or to the nearest minute from ten minutes
    /// on.
    pub(crate) const fn about(ms: u64) -> Self {
        let unit = if ms < 600_000 { 1000 } else { 60_000 };
        let nearest = ms.saturating_add(unit / 2) / unit * unit;
        Self(Duration::from_millis(nearest))
    }

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
    fn a_time_is_told_in_its_largest_unit() {
        for (ms, told) in [
            (45_000, "45 seconds"),
            (44_700, "45 seconds"),
            (60_000, "1 minute"),
            (5_400_000, "90 minutes"),
            (28_798_900, "8 hours"),
            (172_800_000, "2 days"),
            (0, "0 seconds"),
        ] {
            assert_eq!(Lasting::about(ms).to_string(), told);
        }
    }

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
