//! What a grant lets its holder do: rights, and sets of them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::{NameError, ServiceName, StoreName};

/// The most rights that one grant or admission lists.
pub const MOST_RIGHTS: usize = 64;

/// One thing that somebody may do in a hall. There are no wildcards.
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

/// A text that is no right, or too many of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RightError {
    /// It does not begin with one of the four verbs and a colon.
    #[error("{0:?} is no right: write read:STORE, write:STORE, delete:STORE or connect:SERVICE")]
    Verb(String),
    /// What follows the colon is no name.
    #[error("a right names a store or a service: {0}")]
    Name(#[from] NameError),
    /// More than [`MOST_RIGHTS`].
    #[error("{0} rights are too many: at most {MOST_RIGHTS} go into one grant")]
    TooMany(usize),
}

impl FromStr for Right {
    type Err = RightError;

    fn from_str(text: &str) -> Result<Self, RightError> {
        let unknown = || RightError::Verb(text.chars().take(80).collect());
        let (verb, name) = text.split_once(':').ok_or_else(unknown)?;
        Ok(match verb {
            "read" => Self::Read(name.parse()?),
            "write" => Self::Write(name.parse()?),
            "delete" => Self::Delete(name.parse()?),
            "connect" => Self::Connect(name.parse()?),
            _ => return Err(unknown()),
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
        match self {
            Self::Read(store) => write!(f, "read:{store}"),
            Self::Write(store) => write!(f, "write:{store}"),
            Self::Delete(store) => write!(f, "delete:{store}"),
            Self::Connect(service) => write!(f, "connect:{service}"),
        }
    }
}

/// A set of at most [`MOST_RIGHTS`] rights, in one order. JSON: a list of texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Right>", into = "Vec<Right>")]
pub struct Rights(BTreeSet<Right>);

impl Rights {
    /// Reads rights from texts such as `read:data`.
    ///
    /// # Errors
    /// One of them is no right, or there are too many.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, RightError> {
        let rights: Vec<Right> = texts
            .into_iter()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Self::try_from(rights)
    }

    /// Whether `right` is among them.
    #[must_use]
    pub fn contains(&self, right: &Right) -> bool {
        self.0.contains(right)
    }

    /// Whether every right of `wanted` is among them.
    #[must_use]
    pub fn contain_all(&self, wanted: &Self) -> bool {
        wanted.0.is_subset(&self.0)
    }

    /// What of `wanted` is not among them.
    pub fn missing<'a>(&'a self, wanted: &'a Self) -> impl Iterator<Item = &'a Right> {
        wanted.0.difference(&self.0)
    }

    /// Each right, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Right> {
        self.0.iter()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they allow on `store`.
    #[must_use]
    pub fn on_store(&self, store: &StoreName) -> StoreAccess {
        StoreAccess {
            read: self.contains(&Right::Read(store.clone())),
            write: self.contains(&Right::Write(store.clone())),
            delete: self.contains(&Right::Delete(store.clone())),
        }
    }

    /// The stores of which they speak, in order, each once.
    #[must_use]
    pub fn stores(&self) -> BTreeSet<&StoreName> {
        self.0
            .iter()
            .filter_map(|right| match right {
                Right::Read(store) | Right::Write(store) | Right::Delete(store) => Some(store),
                Right::Connect(_) => None,
            })
            .collect()
    }

    /// The services that may be connected to.
    #[must_use]
    pub fn services(&self) -> BTreeSet<&ServiceName> {
        self.0
            .iter()
            .filter_map(|right| match right {
                Right::Connect(service) => Some(service),
                _ => None,
            })
            .collect()
    }
}

impl TryFrom<Vec<Right>> for Rights {
    type Error = RightError;

    fn try_from(rights: Vec<Right>) -> Result<Self, RightError> {
        if rights.len() > MOST_RIGHTS {
            return Err(RightError::TooMany(rights.len()));
        }
        Ok(Self(rights.into_iter().collect()))
    }
}

impl From<Rights> for Vec<Right> {
    fn from(rights: Rights) -> Self {
        rights.0.into_iter().collect()
    }
}

/// What one asker may do with one store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StoreAccess {
    /// List and get.
    pub read: bool,
    /// Make and replace.
    pub write: bool,
    /// Remove.
    pub delete: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_reads_back_as_it_was_written() {
        for text in ["read:data", "write:data", "delete:data", "connect:psql"] {
            assert_eq!(text.parse::<Right>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn wildcards_and_unknown_verbs_are_no_rights() {
        for text in [
            "read:*",
            "*",
            "admin:data",
            "read",
            "read:",
            "Read:data",
            "read:a:b",
            "",
        ] {
            assert!(text.parse::<Right>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_set_allows_exactly_what_it_lists() {
        let rights = Rights::parse(["read:data", "connect:psql"]).unwrap();
        let access = rights.on_store(&"data".parse().unwrap());
        assert_eq!(
            access,
            StoreAccess {
                read: true,
                write: false,
                delete: false
            }
        );
        assert_eq!(
            rights.on_store(&"other".parse().unwrap()),
            StoreAccess::default()
        );
        assert!(rights.contain_all(&Rights::parse(["read:data"]).unwrap()));
        let wider = Rights::parse(["read:data", "write:data"]).unwrap();
        assert!(!rights.contain_all(&wider));
        let missing: Vec<String> = rights.missing(&wider).map(ToString::to_string).collect();
        assert_eq!(missing, ["write:data"]);
    }

    #[test]
    fn json_is_a_list_and_its_length_is_bounded() {
        let rights: Rights = serde_json::from_str(r#"["write:a","read:a","read:a"]"#).unwrap();
        assert_eq!(
            serde_json::to_string(&rights).unwrap(),
            r#"["read:a","write:a"]"#
        );
        let many: Vec<String> = (0..=MOST_RIGHTS).map(|n| format!("read:s{n}")).collect();
        assert_eq!(
            Rights::parse(many.iter().map(String::as_str)),
            Err(RightError::TooMany(MOST_RIGHTS + 1))
        );
    }
}
