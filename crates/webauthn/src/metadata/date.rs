//! Dates as metadata write them: `2026-11-22`, by ISO 8601.

use jiff::civil::Date;

use crate::relying_party::UnixSeconds;

const SECONDS_PER_DAY: i64 = 86_400;

const EPOCH: Date = Date::constant(1970, 1, 1);

/// Midnight UTC at the start of the day.
pub(super) fn parse(text: &str) -> Option<UnixSeconds> {
    let date: Date = text.parse().ok()?;
    // Other forms of ISO 8601 are refused, and years before Christ.
    let is_plain = date.year() >= 0 && date.to_string() == text;
    is_plain.then(|| UnixSeconds(date.duration_since(EPOCH).as_secs()))
}

/// The end of the day that begins at `start`.
pub(super) const fn end_of_day(start: UnixSeconds) -> UnixSeconds {
    UnixSeconds(start.0 + SECONDS_PER_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        for (text, seconds) in [
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400),
            ("2000-03-01", 951_868_800),
            ("2026-01-01", 1_767_225_600),
            ("1969-12-31", -86_400),
            ("9999-12-31", 253_402_214_400),
        ] {
            assert_eq!(parse(text), Some(UnixSeconds(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2026",
            "2026-1-1",
            "2026-13-01",
            "2026-00-10",
            "2026-02-29",
            "2026-04-31",
            "2026-01-00",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00",
            "20260101",
            "-002026-01-01",
            "2026-01-01-",
            "+026-01-01",
            "26-01-01",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
