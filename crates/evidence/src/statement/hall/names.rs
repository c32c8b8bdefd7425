//! Sets of names, as statements list them.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::fields::{FromValue, Unfit, Value};

/// The most names of a kind that one statement lists.
pub const MOST_NAMES: usize = 64;

/// At most [`MOST_NAMES`] names, each once. In a statement and in JSON a sorted list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeSet<N>",
    into = "BTreeSet<N>",
    bound(
        serialize = "N: Ord + Clone + Serialize",
        deserialize = "N: Ord + Deserialize<'de>"
    )
)]
pub struct Names<N>(BTreeSet<N>);

/// More than [`MOST_NAMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} names are more than the {MOST_NAMES} that can be named at once")]
pub struct TooManyNames(usize);

impl<N> Default for Names<N> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<N: Ord> Names<N> {
    /// Whether the set has `name`.
    #[must_use]
    pub fn contains(&self, name: &N) -> bool {
        self.0.contains(name)
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &N> {
        self.0.iter()
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: fmt::Display> Names<N> {
    /// As it stands in a sentence: `the stores “a” and “b”`; nothing for none.
    pub(super) fn phrase(&self, one: &str, several: &str) -> Option<String> {
        let names: Vec<String> = self.0.iter().map(|name| format!("“{name}”")).collect();
        let (last, others) = names.split_last()?;
        Some(match others {
            [] => format!("{one} {last}"),
            others => format!("{several} {} and {last}", others.join(", ")),
        })
    }
}

impl<N: fmt::Display> fmt::Display for Names<N> {
    /// The names between commas; “nothing” for none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (at, name) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{name}")?;
        }
        Ok(())
    }
}

impl<N: Ord> TryFrom<BTreeSet<N>> for Names<N> {
    type Error = TooManyNames;

    fn try_from(names: BTreeSet<N>) -> Result<Self, TooManyNames> {
        match names.len() {
            0..=MOST_NAMES => Ok(Self(names)),
            more => Err(TooManyNames(more)),
        }
    }
}

impl<N> From<Names<N>> for BTreeSet<N> {
    fn from(names: Names<N>) -> Self {
        names.0
    }
}

impl<'a, N: AsRef<str>> From<&'a Names<N>> for Value<'a> {
    fn from(names: &'a Names<N>) -> Self {
        let names = names.0.iter().map(|name| Value::Text(name.as_ref()));
        Self::List(names.collect())
    }
}

impl<'a, N: Ord + FromStr> FromValue<'a> for Names<N> {
    fn from_value(value: Value<'a>) -> Result<Self, Unfit> {
        let unnamed = Unfit::Value("is not a list of names of 1 to 63 of a-z, 0-9 and -");
        let names =
            Vec::<Value<'a>>::from_value(value)?
                .into_iter()
                .map(|name| -> Result<N, Unfit> {
                    <&str>::from_value(name)?.parse().map_err(|_| unnamed)
                });
        // Names that are unsorted or repeated would be encoded in other bytes, so the statement's
        // decoder refuses them.
        let names: BTreeSet<N> = names.collect::<Result<_, Unfit>>()?;
        names
            .try_into()
            .map_err(|_| Unfit::Value("lists more than 64 names"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::hall::StoreName;

    fn names(names: &[&str]) -> Names<StoreName> {
        let names: BTreeSet<StoreName> = names.iter().map(|name| name.parse().unwrap()).collect();
        names.try_into().unwrap()
    }

    #[test]
    fn names_are_sorted_in_json_and_in_sentences() {
        let some = names(&["b", "a", "c"]);
        let json = serde_json::to_string(&some).unwrap();
        assert_eq!(json, r#"["a","b","c"]"#);
        assert_eq!(
            serde_json::from_str::<Names<StoreName>>(&json).unwrap(),
            some
        );
        let said = |names: &Names<StoreName>| names.phrase("the store", "the stores");
        assert_eq!(said(&some).unwrap(), "the stores “a”, “b” and “c”");
        assert_eq!(said(&names(&["a"])).unwrap(), "the store “a”");
        assert_eq!(said(&names(&[])), None);
    }

    #[test]
    fn a_set_has_at_most_64_names() {
        let many: BTreeSet<StoreName> = (0..=MOST_NAMES)
            .map(|n| format!("s{n}").parse().unwrap())
            .collect();
        assert_eq!(Names::try_from(many), Err(TooManyNames(65)));
    }
}
