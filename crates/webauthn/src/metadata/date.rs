//! Dates as metadata write them: `2026-11-22`, by ISO 8601.

use crate::relying_party::UnixSeconds;

const SECONDS_PER_DAY: i64 = 86_400;

/// Midnight UTC at the start of the day.
pub(super) fn parse(text: &str) -> Option<UnixSeconds> {
    let mut parts = text.split('-');
    let mut number = |digits: usize| {
        let part = parts.next()?;
        let plain = part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| part.parse::<i64>().ok()).flatten()
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || day < 1 || day > days(year, month) {
        return None;
    }
    // Days since 1970-01-01 in a calendar whose years begin in March, so that the leap day is last.
    let shifted = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(UnixSeconds(days * SECONDS_PER_DAY))
}

const fn days(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
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
            "2026-01-01-",
            "+026-01-01",
            "26-01-01",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
