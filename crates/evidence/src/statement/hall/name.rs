//! Names of halls, stores, services and agents.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::fields::{FromValue, Unfit, Value};

/// A name for programs: 1 to 63 of `a-z`, `0-9` and `-`, the first of them no hyphen. It means the
/// same in a path, in a DNS label and in a SPIFFE ID.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// The text is not a [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 63 of a-z, 0-9 and -, and does not begin with -")]
pub struct NameError;

impl Name {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 63;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn acceptable(text: &str) -> bool {
    (1..=Name::MAX_BYTES).contains(&text.len())
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        if acceptable(&text) {
            Ok(Self(text))
        } else {
            Err(NameError)
        }
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        // Checked before it is copied: the text may be long.
        if acceptable(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError)
        }
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'a> From<&'a Name> for Value<'a> {
    fn from(name: &'a Name) -> Self {
        Self::Text(name.as_str())
    }
}

impl<'a> FromValue<'a> for Name {
    fn from_value(value: Value<'a>) -> Result<Self, Unfit> {
        <&str>::from_value(value)?
            .parse()
            .map_err(|_| Unfit::Value("is not 1 to 63 of a-z, 0-9 and -"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["a", "0", "backups-2026", &"x".repeat(63)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "A", "a.b", "a/b", "a b", "ä", "..", &"x".repeat(64)] {
            assert_eq!(bad.parse::<Name>(), Err(NameError), "{bad}");
            assert!(serde_json::from_value::<Name>(bad.into()).is_err());
        }
    }
}
