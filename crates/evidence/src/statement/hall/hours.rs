//! Hours of the week, by the clock on a wall in some time zone.
//!
//! The caller knows the zone's rules, and so what that clock shows: this module only says whether a
//! day and a minute are within the hours.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::fields::{FromValue, Unfit, Value};
use crate::words;

/// Minutes of a day on which the clock is not put forward or back.
const DAY_MINUTES: u16 = 24 * 60;
/// The longest name of a time zone, in bytes.
const LONGEST_ZONE_BYTES: usize = 64;

words! {
    /// A day of the week.
    Day {
        /// Monday.
        Monday = "mon",
        /// Tuesday.
        Tuesday = "tue",
        /// Wednesday.
        Wednesday = "wed",
        /// Thursday.
        Thursday = "thu",
        /// Friday.
        Friday = "fri",
        /// Saturday.
        Saturday = "sat",
        /// Sunday.
        Sunday = "sun",
    }
}

impl Day {
    /// As it stands in a sentence.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monday => "Monday",
            Self::Tuesday => "Tuesday",
            Self::Wednesday => "Wednesday",
            Self::Thursday => "Thursday",
            Self::Friday => "Friday",
            Self::Saturday => "Saturday",
            Self::Sunday => "Sunday",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The day before.
    fn before(self) -> Self {
        Self::ALL[(self as usize + 6) % 7]
    }
}

/// Some days of the week, and from when to when on each of them.
///
/// As text: `mon-fri 08:00-18:00 Europe/Berlin`. Where they end before they begin, they end on the
/// day after: `fri 22:00-06:00 UTC` lasts into Saturday.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hours {
    /// A bit for each day, the lowest for Monday.
    days: u8,
    /// The first minute, counted from midnight.
    from: u16,
    /// The first minute after them; 1440 for the end of the day.
    to: u16,
    /// The one way to write them; the last word is the zone.
    text: String,
}

/// Why a text is not [`Hours`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// Not three parts.
    #[error("hours are days, times and a time zone, such as `mon-fri 08:00-18:00 Europe/Berlin`")]
    Form,
    /// The first part is not days.
    #[error("the days are invalid: write mon-fri, or sat,sun")]
    Days,
    /// The second part is not two times.
    #[error("the times are invalid: write 08:00-18:00, and 24:00 for the end of the day")]
    Times,
    /// The hours begin and end at the same time.
    #[error("the hours begin and end at the same time; the whole day is 00:00-24:00")]
    Empty,
    /// The third part cannot be a time zone.
    #[error("the time zone is invalid: write Europe/Berlin, or UTC")]
    Zone,
}

impl Hours {
    fn new(days: u8, from: u16, to: u16, zone: &str) -> Result<Self, HoursError> {
        if days == 0 {
            return Err(HoursError::Days);
        }
        if from >= DAY_MINUTES || to > DAY_MINUTES {
            return Err(HoursError::Times);
        }
        // Hours that end at midnight end with the day, not at its beginning.
        let to = if to == 0 { DAY_MINUTES } else { to };
        if from == to {
            return Err(HoursError::Empty);
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
        if !(1..=LONGEST_ZONE_BYTES).contains(&zone.len()) || !zone.bytes().all(allowed) {
            return Err(HoursError::Zone);
        }
        let rows: Vec<String> = rows(days).iter().map(ToString::to_string).collect();
        Ok(Self {
            days,
            from,
            to,
            text: format!("{} {}-{} {zone}", rows.join(","), Clock(from), Clock(to)),
        })
    }

    /// `mon-fri 08:00-18:00 Europe/Berlin`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name of the time zone in the IANA database. Nothing here checks that the database has
    /// it.
    #[must_use]
    pub fn zone(&self) -> &str {
        self.text.rsplit(' ').next().unwrap_or_default()
    }

    /// Whether a clock in the zone that shows `day` and `minute`, counted from midnight, is within
    /// them.
    #[must_use]
    pub fn contain(&self, day: Day, minute: u16) -> bool {
        if self.from < self.to {
            return self.on(day) && (self.from..self.to).contains(&minute);
        }
        (self.on(day) && minute >= self.from) || (self.on(day.before()) && minute < self.to)
    }

    const fn on(&self, day: Day) -> bool {
        self.days & day.bit() != 0
    }

    /// As it stands in a sentence: `from Monday to Friday, 08:00 to 18:00 Europe/Berlin`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let days = match rows(self.days).as_slice() {
            [Row(Day::Monday, Day::Sunday)] => "every day".to_owned(),
            [Row(first, last)] if *last as u8 > *first as u8 + 1 => {
                format!("from {} to {}", first.name(), last.name())
            }
            _ => {
                let on = Day::ALL.iter().filter(|day| self.on(**day));
                let names: Vec<&str> = on.map(|day| day.name()).collect();
                match names.split_last() {
                    Some((last, [])) => format!("on {last}"),
                    Some((last, others)) => format!("on {} and {last}", others.join(", ")),
                    None => String::new(),
                }
            }
        };
        let over = match self.from < self.to {
            true => "",
            false => " the day after",
        };
        let (from, to) = (Clock(self.from), Clock(self.to));
        format!("{days}, {from} to {to}{over} {}", self.zone())
    }
}

/// Days that follow each other, the first and the last of them.
struct Row(Day, Day);

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(first, last) if first == last => write!(f, "{first}"),
            Self(first, last) => write!(f, "{first}-{last}"),
        }
    }
}

/// The rows of days in `days`, which has a bit for each day.
fn rows(days: u8) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for day in Day::ALL.iter().filter(|day| days & day.bit() != 0) {
        match rows.last_mut() {
            Some(Row(_, last)) if *last as u8 + 1 == *day as u8 => *last = *day,
            _ => rows.push(Row(*day, *day)),
        }
    }
    rows
}

/// A time of day: `08:00`.
struct Clock(u16);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl FromStr for Clock {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        let number = |digits: &str| {
            let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse::<u16>().ok()).flatten()
        };
        let (hour, minute) = text.split_once(':').ok_or(HoursError::Times)?;
        match (number(hour), number(minute)) {
            (Some(hour @ 0..=23), Some(minute @ 0..=59)) => Ok(Self(hour * 60 + minute)),
            (Some(24), Some(0)) => Ok(Self(DAY_MINUTES)),
            _ => Err(HoursError::Times),
        }
    }
}

/// The days of `mon-fri,sun`, a bit for each.
fn days(text: &str) -> Result<u8, HoursError> {
    let day = |word: &str| word.parse::<Day>().map_err(|_| HoursError::Days);
    let mut bits = 0;
    for row in text.to_ascii_lowercase().split(',') {
        let (first, last) = row.split_once('-').unwrap_or((row, row));
        let (first, last) = (day(first)?, day(last)?);
        let mut at = last;
        bits |= at.bit();
        while at != first {
            at = at.before();
            bits |= at.bit();
        }
    }
    Ok(bits)
}

impl FromStr for Hours {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [row, times, zone] = parts.as_slice() else {
            return Err(HoursError::Form);
        };
        let (from, to) = times.split_once('-').ok_or(HoursError::Times)?;
        let (from, to): (Clock, Clock) = (from.parse()?, to.parse()?);
        Self::new(days(row)?, from.0, to.0, zone)
    }
}

impl fmt::Display for Hours {
    /// The one way to write them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'a> From<&'a Hours> for Value<'a> {
    fn from(hours: &'a Hours) -> Self {
        Self::Text(&hours.text)
    }
}

impl<'a> FromValue<'a> for Hours {
    fn from_value(value: Value<'a>) -> Result<Self, Unfit> {
        // The statement's decoder refuses other ways to write the same hours.
        <&str>::from_value(value)?
            .parse()
            .map_err(|_| Unfit::Value("is not valid hours of the week"))
    }
}

impl Serialize for Hours {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> Hours {
        text.parse().unwrap()
    }

    #[test]
    fn hours_are_text_and_words() {
        for (text, written, said) in [
            (
                "mon-fri 08:00-18:00 Europe/Berlin",
                "mon-fri 08:00-18:00 Europe/Berlin",
                "from Monday to Friday, 08:00 to 18:00 Europe/Berlin",
            ),
            (
                "Sun,SAT  09:30-24:00 UTC",
                "sat-sun 09:30-24:00 UTC",
                "on Saturday and Sunday, 09:30 to 24:00 UTC",
            ),
            (
                "fri-mon,wed 22:00-06:00 Etc/GMT+3",
                "mon,wed,fri-sun 22:00-06:00 Etc/GMT+3",
                "on Monday, Wednesday, Friday, Saturday and Sunday, 22:00 to 06:00 the day after Etc/GMT+3",
            ),
            (
                "mon-sun 00:00-00:00 UTC",
                "mon-sun 00:00-24:00 UTC",
                "every day, 00:00 to 24:00 UTC",
            ),
            (
                "thu 22:00-00:00 UTC",
                "thu 22:00-24:00 UTC",
                "on Thursday, 22:00 to 24:00 UTC",
            ),
        ] {
            assert_eq!(hours(text).to_string(), written);
            assert_eq!(hours(written), hours(text));
            assert_eq!(hours(text).in_words(), said);
        }
    }

    #[test]
    fn text_that_is_no_hours_is_refused_with_the_reason() {
        for (text, error) in [
            ("", HoursError::Form),
            ("mon-fri 08:00-18:00", HoursError::Form),
            ("mon-fri 08:00 - 18:00 UTC", HoursError::Form),
            ("monday 08:00-18:00 UTC", HoursError::Days),
            ("mon- 08:00-18:00 UTC", HoursError::Days),
            (", 08:00-18:00 UTC", HoursError::Days),
            ("mon 8:00-18:00 UTC", HoursError::Times),
            ("mon 08:00-18:60 UTC", HoursError::Times),
            ("mon 08:00-24:01 UTC", HoursError::Times),
            ("mon 24:00-02:00 UTC", HoursError::Times),
            ("mon 08:00 UTC", HoursError::Times),
            ("mon 08:00 18:00 UTC", HoursError::Form),
            ("mon +8:00-18:00 UTC", HoursError::Times),
            ("mon 08:00-08:00 UTC", HoursError::Empty),
            ("mon 08:00-18:00 “UTC”", HoursError::Zone),
        ] {
            assert_eq!(text.parse::<Hours>(), Err(error), "{text}");
        }
    }

    #[test]
    fn within_a_day_the_end_is_out() {
        let hours = hours("mon-fri 08:00-18:00 UTC");
        assert!(hours.contain(Day::Monday, 8 * 60));
        assert!(!hours.contain(Day::Monday, 8 * 60 - 1));
        assert!(hours.contain(Day::Friday, 18 * 60 - 1));
        assert!(!hours.contain(Day::Friday, 18 * 60));
        assert!(!hours.contain(Day::Saturday, 12 * 60));
    }

    #[test]
    fn over_midnight_the_day_is_that_of_the_beginning() {
        let hours = hours("fri,sun 22:00-06:00 UTC");
        assert!(hours.contain(Day::Friday, 23 * 60));
        assert!(hours.contain(Day::Saturday, 5 * 60));
        assert!(!hours.contain(Day::Saturday, 6 * 60));
        assert!(!hours.contain(Day::Saturday, 23 * 60));
        assert!(!hours.contain(Day::Friday, 60), "that would be Thursday's");
        assert!(hours.contain(Day::Monday, 0), "Sunday's, in the next week");
        assert!(!hours.contain(Day::Sunday, 21 * 60));
    }

    #[test]
    fn the_whole_week_is_every_minute() {
        let hours = hours("mon-sun 00:00-24:00 UTC");
        let all = |minute| Day::ALL.iter().all(|day| hours.contain(*day, minute));
        assert!((0..DAY_MINUTES).all(all));
    }
}
