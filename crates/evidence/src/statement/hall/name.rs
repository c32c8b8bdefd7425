//! Names that people give: halls, stores, services, agents.

use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::fields::{FromValue, Unfit, Value};

/// The longest name, in bytes: what a DNS label may have, because a name may become one.
pub const LONGEST_NAME_BYTES: usize = 63;

/// A text that is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a valid name: use 1 to 63 of a-z, 0-9 and '-', and begin with a letter or a digit"
)]
pub struct NameError(String);

fn check(name: &str) -> Result<(), NameError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    let good = (1..=LONGEST_NAME_BYTES).contains(&bytes.len())
        && allowed(bytes[0])
        && bytes.iter().all(|&byte| allowed(byte) || byte == b'-');
    if good {
        Ok(())
    } else {
        // An error is shown to people, so a name of a megabyte is not repeated in whole.
        Err(NameError(
            name.chars().take(LONGEST_NAME_BYTES + 1).collect(),
        ))
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                check(name)?;
                Ok(Self(name.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(name: String) -> Result<Self, NameError> {
                check(&name)?;
                Ok(Self(name))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'a> From<&'a $name> for Value<'a> {
            fn from(name: &'a $name) -> Self {
                Self::Text(name.as_str())
            }
        }

        impl<'a> FromValue<'a> for $name {
            fn from_value(value: Value<'a>) -> Result<Self, Unfit> {
                <&str>::from_value(value)?
                    .parse()
                    .map_err(|_| Unfit::Value("is not 1 to 63 of a-z, 0-9 and -"))
            }
        }
    };
}

name! {
    /// A hall of a realm: `[a-z0-9][a-z0-9-]{0,62}`.
    HallName
}
name! {
    /// A store of a hall: a folder or a bucket. `[a-z0-9][a-z0-9-]{0,62}`.
    StoreName
}
name! {
    /// A service behind a hall: one TCP address. `[a-z0-9][a-z0-9-]{0,62}`.
    ServiceName
}
name! {
    /// An agent of a hall: a machine that dials out to provide files or services.
    /// `[a-z0-9][a-z0-9-]{0,62}`.
    AgentName
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_lower_case_and_begins_with_a_letter_or_a_digit() {
        let longest = "a".repeat(LONGEST_NAME_BYTES);
        for good in ["a", "0", "data-2024", "a--b", "a-", longest.as_str()] {
            assert_eq!(good.parse::<HallName>().unwrap().as_str(), good);
        }
        let too_long = "a".repeat(LONGEST_NAME_BYTES + 1);
        for bad in [
            "",
            "-a",
            "A",
            "a.b",
            "a/b",
            "a b",
            "ä",
            "a\0",
            "..",
            too_long.as_str(),
        ] {
            assert!(bad.parse::<HallName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_read_from_json_is_checked() {
        assert!(serde_json::from_str::<StoreName>("\"data\"").is_ok());
        assert!(serde_json::from_str::<StoreName>("\"../data\"").is_err());
    }

    #[test]
    fn an_error_never_repeats_more_than_a_name() {
        let error = "x/".repeat(4096).parse::<ServiceName>().unwrap_err();
        assert!(error.to_string().len() < 250);
    }
}
