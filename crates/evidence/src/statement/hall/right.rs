//! What somebody may do inside a hall.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::name::{Name, NameError};
use crate::fields::{Fields, FromValue, Unfit, Value};
use crate::words::words;

words! {
    /// What is done.
    Verb {
        /// List and read the files of a store.
        Read = "read",
        /// Add and change files of a store.
        Write = "write",
        /// Delete files of a store.
        Delete = "delete",
        /// Connect to a service.
        Connect = "connect",
    }
}

/// One thing that may be done with one store or service; prints as `read:STORE`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Right {
    /// What may be done.
    pub verb: Verb,
    /// With which store, or with which service for [`Verb::Connect`].
    pub name: Name,
}

/// Why text is not a [`Right`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RightError {
    /// Not one of the four verbs and a colon.
    #[error("a right is read:STORE, write:STORE, delete:STORE or connect:SERVICE")]
    Verb,
    /// What follows the colon.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for Right {
    type Err = RightError;

    fn from_str(text: &str) -> Result<Self, RightError> {
        let (verb, name) = text.split_once(':').ok_or(RightError::Verb)?;
        Ok(Self {
            verb: verb.parse().map_err(|_| RightError::Verb)?,
            name: name.parse()?,
        })
    }
}

impl TryFrom<String> for Right {
    type Error = RightError;

    fn try_from(text: String) -> Result<Self, RightError> {
        text.parse()
    }
}

impl From<Right> for String {
    fn from(right: Right) -> Self {
        right.to_string()
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.verb, self.name)
    }
}

/// At least one and at most [`Rights::MAX`] rights, each once. No right includes another.
///
/// In a statement it is a map from verb to the sorted list of names; in JSON a sorted list of
/// `read:STORE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Right>", into = "Vec<Right>")]
pub struct Rights(BTreeSet<Right>);

/// Why rights are not [`Rights`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RightsError {
    /// None at all.
    #[error("no right is named; name one at least, such as read:STORE")]
    None,
    /// More than [`Rights::MAX`].
    #[error("{0} rights are more than the 64 that one statement may name")]
    TooMany(usize),
}

impl Rights {
    /// The most rights.
    pub const MAX: usize = 64;

    /// Whether this very right is among them.
    #[must_use]
    pub fn contains(&self, right: &Right) -> bool {
        self.0.contains(right)
    }

    /// Whether it may be done, without a [`Right`] at hand.
    #[must_use]
    pub fn allow(&self, verb: Verb, name: &Name) -> bool {
        self.names(verb).any(|allowed| allowed == name)
    }

    /// The first right of `wanted` that is not among these.
    #[must_use]
    pub fn lacks<'w>(&self, wanted: &'w Self) -> Option<&'w Right> {
        wanted.iter().find(|right| !self.contains(right))
    }

    /// The rights, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &Right> {
        self.0.iter()
    }

    /// With which stores or services `verb` may be done, sorted.
    pub fn names(&self, verb: Verb) -> impl Iterator<Item = &Name> {
        self.iter()
            .filter(move |right| right.verb == verb)
            .map(|right| &right.name)
    }

    /// These and those, if they are not too many.
    ///
    /// # Errors
    /// [`RightsError::TooMany`].
    pub fn union(&self, others: &Self) -> Result<Self, RightsError> {
        self.0.union(&others.0).cloned().collect::<Vec<_>>().try_into()
    }
}

impl TryFrom<Vec<Right>> for Rights {
    type Error = RightsError;

    fn try_from(rights: Vec<Right>) -> Result<Self, RightsError> {
        let rights: BTreeSet<Right> = rights.into_iter().collect();
        match rights.len() {
            0 => Err(RightsError::None),
            1..=Self::MAX => Ok(Self(rights)),
            more => Err(RightsError::TooMany(more)),
        }
    }
}

impl From<Rights> for Vec<Right> {
    fn from(rights: Rights) -> Self {
        rights.0.into_iter().collect()
    }
}

impl fmt::Display for Rights {
    /// As it stands in a sentence: `read “a” and “b”, connect to “db”`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        for verb in Verb::ALL {
            let names: Vec<String> = self.names(*verb).map(|name| format!("“{name}”")).collect();
            let Some((last, others)) = names.split_last() else {
                continue;
            };
            let to = if *verb == Verb::Connect { " to" } else { "" };
            write!(f, "{gap}{verb}{to} ")?;
            if !others.is_empty() {
                write!(f, "{} and ", others.join(", "))?;
            }
            f.write_str(last)?;
            gap = ", ";
        }
        Ok(())
    }
}

impl<'a> From<&'a Rights> for Value<'a> {
    fn from(rights: &'a Rights) -> Self {
        let mut fields = Fields::default();
        for verb in Verb::ALL {
            let names: Vec<Value<'a>> = rights.names(*verb).map(Value::from).collect();
            if !names.is_empty() {
                fields = fields.with(verb.as_str(), Value::List(names));
            }
        }
        Self::Map(fields)
    }
}

impl<'a> FromValue<'a> for Rights {
    fn from_value(value: Value<'a>) -> Result<Self, Unfit> {
        let mut fields = Fields::from_value(value)?;
        let mut rights = Vec::new();
        let unfit = |_| Unfit::Value("is not a map from verbs to names");
        for verb in Verb::ALL {
            let names: Option<Vec<Value<'_>>> = fields.take_optional(verb.as_str()).map_err(unfit)?;
            for name in names.into_iter().flatten() {
                let name = Name::from_value(name)?;
                rights.push(Right { verb: *verb, name });
            }
        }
        fields.finish().map_err(unfit)?;
        // Names that are not sorted or stand there twice encode to other bytes, which the
        // statement's decoder refuses.
        rights
            .try_into()
            .map_err(|_| Unfit::Value("names no right, or more than 64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(texts: &[&str]) -> Result<Rights, RightsError> {
        texts
            .iter()
            .map(|text| text.parse().unwrap())
            .collect::<Vec<Right>>()
            .try_into()
    }

    #[test]
    fn a_right_is_a_verb_and_a_name() {
        let right: Right = "read:data".parse().unwrap();
        assert_eq!((right.verb, right.name.as_str()), (Verb::Read, "data"));
        assert_eq!(right.to_string(), "read:data");
        for bad in ["read", "read:", "read:*", "Read:data", "own:data", "read:a:b", ""] {
            assert!(bad.parse::<Right>().is_err(), "{bad}");
        }
    }

    #[test]
    fn no_right_includes_another() {
        let held = rights(&["write:data", "read:data", "connect:db"]).unwrap();
        let inside = rights(&["read:data"]).unwrap();
        let outside = rights(&["read:data", "delete:data"]).unwrap();
        assert_eq!(held.lacks(&inside), None);
        assert_eq!(held.lacks(&outside).unwrap().to_string(), "delete:data");
        let name = "db".parse().unwrap();
        assert!(held.allow(Verb::Connect, &name) && !held.allow(Verb::Read, &name));
    }

    #[test]
    fn there_is_one_at_least_and_not_too_many() {
        assert_eq!(rights(&[]), Err(RightsError::None));
        let many: Vec<String> = (0..65).map(|n| format!("read:s{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(rights(&many), Err(RightsError::TooMany(65)));
        assert!(rights(&many[..64]).is_ok());
        let halves = (rights(&many[..64]).unwrap(), rights(&many[64..]).unwrap());
        assert_eq!(halves.0.union(&halves.1), Err(RightsError::TooMany(65)));
    }

    #[test]
    fn json_is_a_sorted_list() {
        let rights = rights(&["connect:db", "read:b", "read:a", "read:a"]).unwrap();
        let json = serde_json::to_string(&rights).unwrap();
        assert_eq!(json, r#"["read:a","read:b","connect:db"]"#);
        assert_eq!(serde_json::from_str::<Rights>(&json).unwrap(), rights);
    }
}
