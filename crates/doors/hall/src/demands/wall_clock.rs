//! The local time in a time zone, by the rules that are built into the program, so that all
//! gateways of a realm come to the same answer, even if their systems have different rules.

use core::fmt;
use std::sync::LazyLock;

use hallway_evidence::Timestamp;
use hallway_evidence::statement::hall::{Day, Hours};
use jiff::civil::Weekday;
use jiff::tz::{TimeZone, TimeZoneDatabase};

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A local time: `Saturday 14:03`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The day.
    pub day: Day,
    /// Minutes since midnight. An hour that is skipped is never shown, one that is repeated twice.
    pub minute: u16,
}

/// The program has no such zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone “{0}”; write it as the IANA database does, such as Europe/Berlin")]
pub struct UnknownZone(String);

fn zone(name: &str) -> Result<TimeZone, UnknownZone> {
    let unknown = || UnknownZone(name.to_owned());
    let zone = ZONES.get(name).map_err(|_| unknown())?;
    // The time zone database takes any case; a statement takes one name for one zone.
    match zone.iana_name() {
        Some(found) if found == name => Ok(zone),
        _ => Err(unknown()),
    }
}

/// What a clock in the zone of `hours` shows at `now`.
///
/// # Errors
/// [`UnknownZone`].
pub fn shown(hours: &Hours, now: Timestamp) -> Result<Shown, UnknownZone> {
    let zone = zone(hours.zone())?;
    let unknown = || UnknownZone(hours.zone().to_owned());
    let ms = i64::try_from(now.as_ms()).map_err(|_| unknown())?;
    // A moment that the rules do not reach, at the very end of the year 9999, is in no hours.
    let now = jiff::Timestamp::from_millisecond(ms).map_err(|_| unknown())?;
    let local = zone.to_datetime(now);
    Ok(Shown {
        day: match local.weekday() {
            Weekday::Monday => Day::Monday,
            Weekday::Tuesday => Day::Tuesday,
            Weekday::Wednesday => Day::Wednesday,
            Weekday::Thursday => Day::Thursday,
            Weekday::Friday => Day::Friday,
            Weekday::Saturday => Day::Saturday,
            Weekday::Sunday => Day::Sunday,
        },
        minute: u16::from(local.hour().unsigned_abs()) * 60
            + u16::from(local.minute().unsigned_abs()),
    })
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute) = (self.minute / 60, self.minute % 60);
        write!(f, "{} {hour:02}:{minute:02}", self.day.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(utc: &str) -> Timestamp {
        let at: jiff::Timestamp = utc.parse().unwrap();
        Timestamp::from_ms(at.as_millisecond().try_into().unwrap())
    }

    fn within(hours: &str, utc: &str) -> bool {
        let hours: Hours = hours.parse().unwrap();
        let shown = shown(&hours, at(utc)).unwrap();
        hours.contain(shown.day, shown.minute)
    }

    #[test]
    fn office_hours_follow_summer_and_winter() {
        let office = "mon-fri 08:00-18:00 Europe/Berlin";
        // Winter: one hour ahead of UTC; summer: two.
        assert!(!within(office, "2026-11-23T06:59:59Z"));
        assert!(within(office, "2026-11-23T07:00:00Z"));
        assert!(within(office, "2026-11-23T16:59:59Z"));
        assert!(!within(office, "2026-11-23T17:00:00Z"));
        assert!(within(office, "2026-07-20T06:00:00Z"));
        assert!(!within(office, "2026-07-20T16:00:00Z"));
        // The day is that of the zone: Monday begins in Auckland while it is Sunday in Berlin.
        assert!(within(
            "mon 08:00-18:00 Pacific/Auckland",
            "2026-11-22T20:00:00Z"
        ));
        assert!(!within(office, "2026-11-22T12:00:00Z"));
    }

    #[test]
    fn the_night_in_which_an_hour_is_skipped() {
        // In Berlin 02:00 becomes 03:00 on 29 March 2026, at 01:00 UTC.
        let skipped = "sun 02:00-03:00 Europe/Berlin";
        assert!(!within(skipped, "2026-03-29T00:59:59Z"));
        assert!(!within(skipped, "2026-03-29T01:00:00Z"), "it is 03:00");
        // What begins in the hour that is skipped begins when it is over.
        let begins = "sun 02:30-04:00 Europe/Berlin";
        assert!(!within(begins, "2026-03-29T00:59:59Z"));
        assert!(within(begins, "2026-03-29T01:00:00Z"));
        // What ends in it ends with it.
        let ends = "sun 01:00-02:30 Europe/Berlin";
        assert!(within(ends, "2026-03-29T00:59:59Z"));
        assert!(!within(ends, "2026-03-29T01:00:00Z"));
        // A night shift is an hour shorter, and ends when the clock says so.
        let night = "sat 22:00-06:00 Europe/Berlin";
        assert!(within(night, "2026-03-29T03:59:59Z"));
        assert!(!within(night, "2026-03-29T04:00:00Z"));
    }

    #[test]
    fn the_night_in_which_an_hour_is_repeated() {
        // In Berlin 03:00 becomes 02:00 on 25 October 2026, at 01:00 UTC.
        let repeated = "sun 02:00-03:00 Europe/Berlin";
        assert!(!within(repeated, "2026-10-24T23:59:59Z"));
        assert!(
            within(repeated, "2026-10-25T00:00:00Z"),
            "for the first time"
        );
        assert!(within(repeated, "2026-10-25T01:59:59Z"), "for the second");
        assert!(!within(repeated, "2026-10-25T02:00:00Z"));
        // What ends within it ends each time that the clock shows it.
        let ends = "sun 01:00-02:30 Europe/Berlin";
        assert!(within(ends, "2026-10-25T00:29:59Z"));
        assert!(!within(ends, "2026-10-25T00:30:00Z"));
        assert!(within(ends, "2026-10-25T01:00:00Z"));
        assert!(!within(ends, "2026-10-25T01:30:00Z"));
    }

    #[test]
    fn over_midnight_and_over_the_end_of_a_year() {
        let night = "thu 22:00-06:00 Asia/Kathmandu";
        // 31 December 2026 is a Thursday; Kathmandu is 5:45 ahead.
        assert!(!within(night, "2026-12-31T16:14:59Z"));
        assert!(within(night, "2026-12-31T16:15:00Z"));
        assert!(within(night, "2027-01-01T00:14:59Z"));
        assert!(!within(night, "2027-01-01T00:15:00Z"));
    }

    #[test]
    fn a_zone_has_one_name() {
        for name in ["Mars/Olympus", "europe/berlin", "Berlin", "CET+1"] {
            let hours: Hours = format!("mon 08:00-18:00 {name}").parse().unwrap();
            assert_eq!(
                shown(&hours, at("2026-11-23T12:00:00Z")),
                Err(UnknownZone(name.to_owned()))
            );
        }
        let hours: Hours = "mon 08:00-18:00 UTC".parse().unwrap();
        let monday = shown(&hours, at("2026-11-23T09:05:00Z")).unwrap();
        assert_eq!(monday.to_string(), "Monday 09:05");
        assert!(shown(&hours, Timestamp::MAX).is_err());
    }
}
