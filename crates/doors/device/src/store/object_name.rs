//! The names of payloads in the object store: `2027-01-15/DEVICE.SHA256`.

use core::fmt;
use core::str::FromStr;

use hallway_evidence::{DeviceId, Timestamp};

/// A day in UTC, such as `2027-01-15`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(String);

/// The text is no day, or no name of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no name of a payload")]
pub struct OtherName;

impl Day {
    /// The day of this moment.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        // No year has more than four digits, so days are ordered as their texts are.
        let mut text = time.to_string();
        text.truncate("2027-01-15".len());
        Self(text)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Day {
    type Err = OtherName;

    fn from_str(text: &str) -> Result<Self, OtherName> {
        let form = |(letter, form): (u8, u8)| match form {
            b'-' => letter == b'-',
            _ => letter.is_ascii_digit(),
        };
        let is_day = text.len() == 10 && text.bytes().zip(*b"0000-00-00").all(form);
        is_day.then(|| Self(text.to_owned())).ok_or(OtherName)
    }
}

/// The name of a payload. The same bytes that a device sends twice on one day are one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// The day on which the upload began, by the gateway's clock.
    pub day: Day,
    /// The device that signed the bytes.
    pub device: DeviceId,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sha256 = hex::encode(self.sha256);
        write!(f, "{}/{}.{sha256}", self.day, self.device)
    }
}

impl FromStr for ObjectName {
    type Err = OtherName;

    fn from_str(text: &str) -> Result<Self, OtherName> {
        let (day, rest) = text.split_once('/').ok_or(OtherName)?;
        let (device, hash) = rest.split_once('.').ok_or(OtherName)?;
        let mut sha256 = [0; 32];
        hex::decode_to_slice(hash, &mut sha256).map_err(|_| OtherName)?;
        let name = Self {
            day: day.parse()?,
            device: device.parse().map_err(|_| OtherName)?,
            sha256,
        };
        // A UUID and a hash can be spelled in several ways; a name has one.
        (name.to_string() == text).then_some(name).ok_or(OtherName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_in_one_spelling() {
        let name = ObjectName {
            day: Day::of(Timestamp::from_ms(1_800_000_000_000)),
            device: DeviceId::generate(),
            sha256: [0xab; 32],
        };
        let text = name.to_string();
        assert!(text.starts_with("2027-01-15/"), "{text}");
        assert_eq!(text.parse(), Ok(name.clone()));
        for other in [
            text.to_uppercase(),
            text.replace("2027", "202x"),
            text.replace('/', "-"),
            format!("{text}00"),
            format!("{}/{}", name.device, hex::encode(name.sha256)),
        ] {
            assert_eq!(other.parse::<ObjectName>(), Err(OtherName), "{other}");
        }
    }

    #[test]
    fn days_are_ordered() {
        let day = 86_400_000;
        for (ms, text) in [(day - 1, "1970-01-01"), (day, "1970-01-02")] {
            assert_eq!(Day::of(Timestamp::from_ms(ms)).to_string(), text);
            assert_eq!(text.parse(), Ok(Day::of(Timestamp::from_ms(ms))));
        }
        assert!(Day::of(Timestamp::from_ms(day)) < Day::of(Timestamp::MAX));
    }
}
