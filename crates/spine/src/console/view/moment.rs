//! A point in time: relative to read, exact on hover.

use std::fmt;

use askama::filters::HtmlSafe;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// 9999-12-31T23:59:59Z, in seconds since 1970.
const NEVER_SECONDS: u64 = 253_402_300_799;

/// A point in time, seen from the moment at which the page is made. Both in unix milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    at_ms: u64,
    seen_ms: u64,
}

impl Moment {
    /// The time `at_ms`, seen from `now_ms`.
    pub const fn new(at_ms: u64, now_ms: u64) -> Self {
        Self {
            at_ms,
            seen_ms: now_ms,
        }
    }

    /// The exact time, to the second: `22 November 2026, 01:48:36 UTC`.
    pub fn exact(&self) -> String {
        let t = Civil::from_unix_seconds(self.at_ms / 1000);
        let month = MONTHS.get(usize::from(t.month) - 1).unwrap_or(&"");
        format!(
            "{} {month} {}, {:02}:{:02}:{:02} UTC",
            t.day, t.year, t.hour, t.minute, t.second
        )
    }

    /// The exact time in the form of RFC 3339, with milliseconds, for programs.
    pub fn rfc3339(&self) -> String {
        let t = Civil::from_unix_seconds(self.at_ms / 1000);
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            t.year,
            t.month,
            t.day,
            t.hour,
            t.minute,
            t.second,
            self.at_ms % 1000
        )
    }

    /// The distance in words: `3 minutes ago`, `in 2 days`, `just now`.
    pub fn relative(&self) -> String {
        // RFC 5280, 4.1.2.5: the last second of the year 9999 is no date, but that there is none.
        if self.at_ms / 1000 >= NEVER_SECONDS {
            return "never".to_owned();
        }
        let past = self.seen_ms >= self.at_ms;
        let seconds = self.seen_ms.abs_diff(self.at_ms) / 1000;
        let (amount, unit) = match seconds {
            0..10 => return "just now".to_owned(),
            10..60 => (seconds, "second"),
            60..3_600 => (seconds / 60, "minute"),
            3_600..86_400 => (seconds / 3_600, "hour"),
            86_400..2_592_000 => (seconds / 86_400, "day"),
            2_592_000..31_536_000 => (seconds / 2_592_000, "month"),
            _ => (seconds / 31_536_000, "year"),
        };
        let plural = if amount == 1 { "" } else { "s" };
        if past {
            format!("{amount} {unit}{plural} ago")
        } else {
            format!("in {amount} {unit}{plural}")
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r#"<time datetime="{}" title="{}">{}</time>"#,
            self.rfc3339(),
            self.exact(),
            self.relative()
        )
    }
}

impl HtmlSafe for Moment {}

struct Civil {
    year: u64,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

impl Civil {
    /// The Gregorian date of a unix time. Counts in eras of 400 years whose years begin in March,
    /// so that the leap day comes last and needs no case of its own.
    fn from_unix_seconds(seconds: u64) -> Self {
        let days = seconds / 86_400 + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        let of_day = seconds % 86_400;
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month: month as u8,
            day: (day_of_year - (153 * from_march + 2) / 5 + 1) as u8,
            hour: (of_day / 3_600) as u8,
            minute: (of_day % 3_600 / 60) as u8,
            second: (of_day % 60) as u8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_times_agree_with_known_dates() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_583_020_799, "2020-02-29T23:59:59.000Z"),
            (1_795_312_116, "2026-11-22T01:48:36.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(Moment::new(seconds * 1000, 0).rfc3339(), expected);
        }
        assert_eq!(
            Moment::new(1_795_312_116_000, 0).exact(),
            "22 November 2026, 01:48:36 UTC"
        );
    }

    #[test]
    fn distances_read_as_a_person_says_them() {
        let now = 1_795_312_116_000;
        for (at, expected) in [
            (now - 3_000, "just now"),
            (now - 61_000, "1 minute ago"),
            (now - 7_200_000, "2 hours ago"),
            (now + 172_800_000, "in 2 days"),
            (now - 40 * 86_400_000, "1 month ago"),
        ] {
            assert_eq!(Moment::new(at, now).relative(), expected);
        }
    }

    #[test]
    fn a_certificate_without_an_end_ends_never() {
        let now = 1_795_312_116_000;
        assert_eq!(Moment::new(253_402_300_799_000, now).relative(), "never");
        assert_eq!(
            Moment::new(4_102_444_800_000, now).relative(),
            "in 73 years"
        );
    }

    #[test]
    fn the_largest_time_has_a_date_too() {
        assert!(Moment::new(u64::MAX, 0).exact().ends_with("UTC"));
    }
}
