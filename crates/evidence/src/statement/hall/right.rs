//! Rights that a grant gives its holder, and sets of rights.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::name::{NameError, ServiceName, StoreName};
use crate::fields::{Fields, FromValue, Unfit, Value};

/// The most rights that one grant or admission lists.
pub const MOST_RIGHTS: usize = 64;

/// What may be done, in the order in which a sentence says it.
const VERBS: [&str; 4] = ["read", "write", "delete", "connect"];

/// One thing that somebody may do in a hall. There are no wildcards, and none includes another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Right {
    /// `read:STORE`: list it and get its files.
    Read(StoreName),
    /// `write:STORE`: make and replace its files and folders.
    Write(StoreName),
    /// `delete:STORE`: remove its files and folders.
    Delete(StoreName),
    /// `connect:SERVICE`: open streams to it.
    Connect(ServiceName),
}

/// A text that is no right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RightError {
    /// It does not begin with one of the four verbs and a colon.
    #[error(
        "{0:?} is not a valid right: write read:STORE, write:STORE, delete:STORE or connect:SERVICE"
    )]
    Verb(String),
    /// What follows the colon is no name.
    #[error("a right names a store or a service: {0}")]
    Name(#[from] NameError),
}

impl Right {
    /// `read`, `write`, `delete` or `connect`.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Read(_) => "read",
            Self::Write(_) => "write",
            Self::Delete(_) => "delete",
            Self::Connect(_) => "connect",
        }
    }

    /// The name of the store or the service.
    #[must_use]
    pub fn name(&self) -> &str {
        self.store().map_or_else(
            || self.service().map_or("", ServiceName::as_str),
            StoreName::as_str,
        )
    }

    /// The store, where it is about one.
    #[must_use]
    pub const fn store(&self) -> Option<&StoreName> {
        match self {
            Self::Read(store) | Self::Write(store) | Self::Delete(store) => Some(store),
            Self::Connect(_) => None,
        }
    }

    /// The service, where it is about one.
    #[must_use]
    pub const fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::Connect(service) => Some(service),
            _ => None,
        }
    }

    fn new(verb: &str, name: &str) -> Result<Option<Self>, NameError> {
        Ok(Some(match verb {
            "read" => Self::Read(name.parse()?),
            "write" => Self::Write(name.parse()?),
            "delete" => Self::Delete(name.parse()?),
            "connect" => Self::Connect(name.parse()?),
            _ => return Ok(None),
        }))
    }
}

impl FromStr for Right {
    type Err = RightError;

    fn from_str(text: &str) -> Result<Self, RightError> {
        let unknown = || RightError::Verb(text.chars().take(80).collect());
        let (verb, name) = text.split_once(':').ok_or_else(unknown)?;
        Self::new(verb, name)?.ok_or_else(unknown)
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
        write!(f, "{}:{}", self.verb(), self.name())
    }
}

/// At least one and at most [`MOST_RIGHTS`] rights, each once.
///
/// In a statement it is a map from verb to the sorted list of names; in JSON a sorted list of
/// `read:STORE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Right>", into = "Vec<Right>")]
pub struct Rights(BTreeSet<Right>);

/// Why rights are not [`Rights`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RightsError {
    /// No right.
    #[error("no right is named; name one at least, such as read:STORE")]
    None,
    /// More than [`MOST_RIGHTS`].
    #[error("{0} rights are more than the {MOST_RIGHTS} that can be named at once")]
    TooMany(usize),
    /// One of the texts is no right.
    #[error(transparent)]
    Right(#[from] RightError),
}

impl Rights {
    /// Reads rights from texts such as `read:data`.
    ///
    /// # Errors
    /// One of them is no right, or there is none, or there are too many.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, RightsError> {
        let rights: Vec<Right> = texts
            .into_iter()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Self::try_from(rights)
    }

    /// Whether the set has `right`.
    #[must_use]
    pub fn contains(&self, right: &Right) -> bool {
        self.0.contains(right)
    }

    /// The first right of `wanted` that is not among these.
    #[must_use]
    pub fn lacks<'w>(&self, wanted: &'w Self) -> Option<&'w Right> {
        wanted.iter().find(|right| !self.contains(right))
    }

    /// Each right, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Right> {
        self.0.iter()
    }

    /// The stores that they name, in order, each once.
    #[must_use]
    pub fn stores(&self) -> BTreeSet<&StoreName> {
        self.0.iter().filter_map(Right::store).collect()
    }

    /// The services that may be connected to, in order.
    pub fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.0.iter().filter_map(Right::service)
    }

    /// The names of the stores or services that `verb` allows, in order.
    fn names<'a>(&'a self, verb: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |right| right.verb() == verb)
            .map(Right::name)
    }
}

impl TryFrom<Vec<Right>> for Rights {
    type Error = RightsError;

    fn try_from(rights: Vec<Right>) -> Result<Self, RightsError> {
        let rights: BTreeSet<Right> = rights.into_iter().collect();
        match rights.len() {
            0 => Err(RightsError::None),
            1..=MOST_RIGHTS => Ok(Self(rights)),
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
        for verb in VERBS {
            let names: Vec<String> = self.names(verb).map(|name| format!("“{name}”")).collect();
            let Some((last, others)) = names.split_last() else {
                continue;
            };
            let to = if verb == "connect" { " to" } else { "" };
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
        for verb in VERBS {
            let names: Vec<Value<'a>> = rights.names(verb).map(Value::Text).collect();
            if !names.is_empty() {
                fields = fields.with(verb, Value::List(names));
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
        for verb in VERBS {
            let names: Option<Vec<Value<'_>>> = fields.take_optional(verb).map_err(unfit)?;
            for name in names.into_iter().flatten() {
                let unnamed = Unfit::Value("is not 1 to 63 of a-z, 0-9 and -");
                rights.extend(Right::new(verb, <&str>::from_value(name)?).map_err(|_| unnamed)?);
            }
        }
        fields.finish().map_err(unfit)?;
        // Names that are unsorted or repeated would be encoded in other bytes, so the statement's
        // decoder refuses them.
        rights
            .try_into()
            .map_err(|_| Unfit::Value("names no right, or more than 64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_reads_back_as_it_was_written() {
        for text in ["read:data", "write:data", "delete:data", "connect:psql"] {
            assert_eq!(text.parse::<Right>().unwrap().to_string(), text);
        }
        for bad in [
            "read:*",
            "*",
            "own:data",
            "read",
            "read:",
            "Read:data",
            "read:a:b",
            "",
        ] {
            assert!(bad.parse::<Right>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_right_includes_another() {
        let held = Rights::parse(["write:data", "read:data", "connect:db"]).unwrap();
        let inside = Rights::parse(["read:data"]).unwrap();
        let outside = Rights::parse(["read:data", "delete:data"]).unwrap();
        assert_eq!(held.lacks(&inside), None);
        assert_eq!(held.lacks(&outside).unwrap().to_string(), "delete:data");
    }

    #[test]
    fn stores_and_services_of_one_name_are_two_things() {
        let rights = Rights::parse(["read:data", "write:data", "connect:db"]).unwrap();
        let stores: Vec<&str> = rights.stores().into_iter().map(StoreName::as_str).collect();
        let services: Vec<&str> = rights.services().map(ServiceName::as_str).collect();
        assert_eq!((stores, services), (vec!["data"], vec!["db"]));
    }

    #[test]
    fn a_set_has_1_to_64_rights() {
        assert_eq!(Rights::parse([]), Err(RightsError::None));
        let many: Vec<String> = (0..=MOST_RIGHTS).map(|n| format!("read:s{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(
            Rights::parse(many.iter().copied()),
            Err(RightsError::TooMany(65))
        );
        assert!(Rights::parse(many[..MOST_RIGHTS].iter().copied()).is_ok());
    }

    #[test]
    fn json_is_a_sorted_list() {
        let rights = Rights::parse(["connect:db", "read:b", "read:a", "read:a"]).unwrap();
        let json = serde_json::to_string(&rights).unwrap();
        assert_eq!(json, r#"["read:a","read:b","connect:db"]"#);
        assert_eq!(serde_json::from_str::<Rights>(&json).unwrap(), rights);
    }
}
