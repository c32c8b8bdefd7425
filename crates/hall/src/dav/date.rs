//! Times of files: unix milliseconds, before 1970 too, and as HTTP writes them (RFC 9110, 5.6.7).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::SignedDuration;
use jiff::civil::DateTime;

/// The beginning of the year 1 and the end of the year 9999, unix milliseconds: dates outside can't
/// be written with four digits.
pub const EARLIEST_MS: i64 = -62_135_596_800_000;
/// See [`EARLIEST_MS`].
pub const LATEST_MS: i64 = 253_402_300_799_999;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
/// A date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// Unix milliseconds of `time`, rounded down; `None` if they do not fit into 64 bits.
#[must_use]
pub fn to_ms(time: SystemTime) -> Option<i64> {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).ok(),
        Err(before) => {
            let nanoseconds = before.duration().as_nanos();
            let milliseconds = nanoseconds.div_ceil(1_000_000);
            i64::try_from(milliseconds).ok().map(|before| -before)
        }
    }
}

/// The time of unix milliseconds; `None` if the system has no such time.
#[must_use]
pub fn from_ms(time_ms: i64) -> Option<SystemTime> {
    let distance = Duration::from_millis(time_ms.unsigned_abs());
    if time_ms < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    }
}

/// The date of unix milliseconds as HTTP writes it, if it can be written.
#[must_use]
pub fn http_date(time_ms: i64) -> Option<String> {
    if !(EARLIEST_MS..=LATEST_MS).contains(&time_ms) {
        return None;
    }
    let time = EPOCH.checked_add(SignedDuration::from_millis(time_ms));
    Some(time.ok()?.strftime(HTTP_DATE).to_string())
}

/// Unix seconds of a date as HTTP writes it; `None` for anything else.
pub(crate) fn parse_http_date(date: &str) -> Option<i64> {
    // A leap second is valid (RFC 9110, 5.6.7), but httpdate does not know it.
    let date = date.replacen(":60 ", ":59 ", 1);
    // The older forms of dates too, which jiff does not read; but none before 1970.
    if let Ok(time) = httpdate::parse_http_date(&date) {
        return Some(to_ms(time)?.div_euclid(1000));
    }
    let time = DateTime::strptime(HTTP_DATE, &date).ok()?;
    // jiff overlooks spaces and missing zeros.
    let is_exact = time.year() >= 1 && time.strftime(HTTP_DATE).to_string() == date;
    is_exact.then(|| time.duration_since(EPOCH).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_and_read_on_both_sides_of_1970() {
        for (time_ms, date) in [
            (EARLIEST_MS, "Mon, 01 Jan 0001 00:00:00 GMT"),
            (-5_364_662_400_000, "Wed, 01 Jan 1800 00:00:00 GMT"),
            (-1000, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (LATEST_MS - 999, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(http_date(time_ms).as_deref(), Some(date));
            assert_eq!(parse_http_date(date), Some(time_ms / 1000), "{date}");
            assert_eq!(to_ms(from_ms(time_ms).unwrap()), Some(time_ms));
        }
        let leap = parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT");
        assert_eq!(leap, parse_http_date("Sat, 31 Dec 2016 23:59:59 GMT"));
        // Rounded down to the second that has begun.
        assert_eq!(
            http_date(-1).as_deref(),
            Some("Wed, 31 Dec 1969 23:59:59 GMT")
        );
        assert_eq!(http_date(LATEST_MS + 1), None);
        assert_eq!(http_date(EARLIEST_MS - 1), None);
        assert_eq!(to_ms(UNIX_EPOCH - Duration::from_nanos(1)), Some(-1));
    }

    #[test]
    fn invalid_dates_are_none() {
        for wrong in [
            "",
            "yesterday",
            "Wed, 31 Dec 0000 23:59:59 GMT",
            "Wed, 31 Dec 1969 23:59:61 GMT",
            "Wed, 31 Foo 1969 23:59:59 GMT",
            "Tue, 31 Dec 1969 23:59:59 GMT",
            "Wed, 31 Dec 1969  23:59:59 GMT",
            "Wednesday, 31 Dec 1969 23:59:59 GMT",
            "Wed, 31 Dec 19é9 23:59:59 GMT",
        ] {
            assert_eq!(parse_http_date(wrong), None, "{wrong}");
        }
    }
}
