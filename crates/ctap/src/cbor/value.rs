//! Reading the members of a CBOR item without decoding the rest.

use super::{Form, Malformed, next_known_item};

/// One CBOR item, borrowed from its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// An integer that fits `i64`.
    Integer(i64),
    /// A byte string.
    Bytes(&'a [u8]),
    /// A text string.
    Text(&'a str),
    /// An array.
    Array(Array<'a>),
    /// A map.
    Map(Map<'a>),
    /// `true` or `false`.
    Bool(bool),
    /// Anything else: a float, null, a tag, an integer beyond `i64`.
    Other,
}

/// Why a member could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not acceptable CBOR.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// A required member is missing.
    #[error("a required member is missing")]
    Missing,
    /// A member has the wrong CBOR type.
    #[error("a member has the wrong CBOR type")]
    WrongType,
    /// A byte string is longer or shorter than it may be.
    #[error("a member has the wrong length")]
    Length,
    /// A member has the right type, but a value that is not allowed.
    #[error("a member has a value that is not allowed")]
    Value,
}

/// The key of a map entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key<'a> {
    /// An integer key.
    Integer(i64),
    /// A text key.
    Text(&'a str),
}

impl From<i64> for Key<'_> {
    fn from(key: i64) -> Self {
        Self::Integer(key)
    }
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(key: &'a str) -> Self {
        Self::Text(key)
    }
}

impl<'a> Value<'a> {
    /// Checks that `bytes` are exactly one item in `form`, and reads its head.
    pub fn parse(bytes: &'a [u8], form: Form) -> Result<Self, Malformed> {
        super::check(bytes, form)?;
        Ok(Self::known(bytes))
    }

    /// Reads the head of an item that was checked before, alone or as a part of another. For
    /// unchecked bytes the result means nothing, but nothing panics.
    pub fn known(item: &'a [u8]) -> Self {
        let Some((&first, rest)) = item.split_first() else {
            return Self::Other;
        };
        let (value, body) = match first & 0x1f {
            direct @ 0..=23 => (u64::from(direct), rest),
            wide @ 24..=27 => {
                let (head, body) = rest
                    .split_at_checked(1 << (wide - 24))
                    .unwrap_or((&[], rest));
                let value = head.iter().fold(0, |v, byte| v << 8 | u64::from(*byte));
                (value, body)
            }
            _ => return Self::Other,
        };
        match first >> 5 {
            0 => i64::try_from(value).map_or(Self::Other, Self::Integer),
            1 => i64::try_from(value).map_or(Self::Other, |v| Self::Integer(-1 - v)),
            2 | 3 if body.len() as u64 != value => Self::Other,
            2 => Self::Bytes(body),
            3 => core::str::from_utf8(body).map_or(Self::Other, Self::Text),
            4 => Self::Array(Array {
                item,
                body,
                length: value,
            }),
            5 => Self::Map(Map {
                item,
                body,
                entries: value,
            }),
            7 if first == 0xf4 => Self::Bool(false),
            7 if first == 0xf5 => Self::Bool(true),
            _ => Self::Other,
        }
    }

    /// The integer, or [`ReadError::WrongType`].
    pub fn integer(self) -> Result<i64, ReadError> {
        match self {
            Self::Integer(value) => Ok(value),
            _ => Err(ReadError::WrongType),
        }
    }

    /// The integer; [`ReadError::WrongType`] if it is negative.
    pub fn unsigned(self) -> Result<u64, ReadError> {
        u64::try_from(self.integer()?).map_err(|_| ReadError::WrongType)
    }

    /// The byte string, or [`ReadError::WrongType`].
    pub fn bytes(self) -> Result<&'a [u8], ReadError> {
        match self {
            Self::Bytes(value) => Ok(value),
            _ => Err(ReadError::WrongType),
        }
    }

    /// The byte string; [`ReadError::Length`] unless it has exactly `N` bytes.
    pub fn array<const N: usize>(self) -> Result<&'a [u8; N], ReadError> {
        self.bytes()?.try_into().map_err(|_| ReadError::Length)
    }

    /// The text, or [`ReadError::WrongType`].
    pub fn text(self) -> Result<&'a str, ReadError> {
        match self {
            Self::Text(value) => Ok(value),
            _ => Err(ReadError::WrongType),
        }
    }

    /// The boolean, or [`ReadError::WrongType`].
    pub fn bool(self) -> Result<bool, ReadError> {
        match self {
            Self::Bool(value) => Ok(value),
            _ => Err(ReadError::WrongType),
        }
    }

    /// The map, or [`ReadError::WrongType`].
    pub fn map(self) -> Result<Map<'a>, ReadError> {
        match self {
            Self::Map(value) => Ok(value),
            _ => Err(ReadError::WrongType),
        }
    }

    /// The array, or [`ReadError::WrongType`].
    pub fn list(self) -> Result<Array<'a>, ReadError> {
        match self {
            Self::Array(value) => Ok(value),
            _ => Err(ReadError::WrongType),
        }
    }
}

/// A map whose bytes were checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Map<'a> {
    item: &'a [u8],
    body: &'a [u8],
    entries: u64,
}

/// An array whose bytes were checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Array<'a> {
    item: &'a [u8],
    body: &'a [u8],
    length: u64,
}

impl<'a> Map<'a> {
    /// Checks that `bytes` are exactly one map in `form`.
    pub fn parse(bytes: &'a [u8], form: Form) -> Result<Self, ReadError> {
        match Value::parse(bytes, form)? {
            Value::Map(map) => Ok(map),
            _ => Err(ReadError::Malformed(Malformed::NotMap)),
        }
    }

    /// The whole map as it was sent.
    pub const fn raw(&self) -> &'a [u8] {
        self.item
    }

    /// How many entries there are.
    pub const fn len(&self) -> u64 {
        self.entries
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// The value at `key`.
    pub fn get<'k>(&self, key: impl Into<Key<'k>>) -> Option<Value<'a>> {
        let key = key.into();
        self.iter().find_map(|(k, value)| {
            let hit = match (key, k) {
                (Key::Integer(wanted), Value::Integer(found)) => wanted == found,
                (Key::Text(wanted), Value::Text(found)) => wanted == found,
                _ => false,
            };
            hit.then_some(value)
        })
    }

    /// The value at `key`, or [`ReadError::Missing`].
    pub fn required<'k>(&self, key: impl Into<Key<'k>>) -> Result<Value<'a>, ReadError> {
        self.get(key).ok_or(ReadError::Missing)
    }

    /// The value at `key` read by `read`; `None` where the member is absent.
    pub fn optional<'k, T>(
        &self,
        key: impl Into<Key<'k>>,
        read: impl FnOnce(Value<'a>) -> Result<T, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        self.get(key).map(read).transpose()
    }

    /// The entries in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (Value<'a>, Value<'a>)> + use<'a> {
        self.items()
            .map(|(key, value)| (Value::known(key), Value::known(value)))
    }

    /// The entries in the order in which they came, keys and values as they were sent.
    pub fn items(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut items = Items { rest: self.body };
        (0..self.entries).map_while(move |_| Some((items.next()?, items.next()?)))
    }
}

impl<'a> Array<'a> {
    /// The whole array as it was sent.
    pub const fn raw(&self) -> &'a [u8] {
        self.item
    }

    /// How many items there are.
    pub const fn len(&self) -> u64 {
        self.length
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The items in order.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        self.items().map(Value::known)
    }

    /// The items in order, as they were sent.
    pub fn items(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut items = Items { rest: self.body };
        (0..self.length).map_while(move |_| items.next())
    }
}

struct Items<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (item, rest) = next_known_item(self.rest)?;
        self.rest = rest;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_integer_and_text() {
        // {1: h'0102', -1: 5, "a": [true, "x"], "bb": {}}
        let bytes = hex::decode("a4014201022005616182f5617862626 2a0".replace(' ', "")).unwrap();
        let map = Map::parse(&bytes, Form::Canonical).unwrap();
        assert_eq!(map.len(), 4);
        assert_eq!(map.required(1).unwrap().array::<2>(), Ok(&[1, 2]));
        assert_eq!(
            map.required(1).unwrap().array::<3>(),
            Err(ReadError::Length)
        );
        assert_eq!(map.get(-1), Some(Value::Integer(5)));
        let list = map.required("a").unwrap().list().unwrap();
        assert!(list.iter().eq([Value::Bool(true), Value::Text("x")]));
        assert!(map.required("bb").unwrap().map().unwrap().is_empty());
        assert_eq!(map.required(2), Err(ReadError::Missing));
        assert_eq!(map.get("bb").unwrap().text(), Err(ReadError::WrongType));
    }

    #[test]
    fn integers_at_the_edges() {
        let parse = |hex: &str| {
            let bytes = hex::decode(hex).unwrap();
            match Value::parse(&bytes, Form::Canonical).unwrap() {
                Value::Integer(value) => Some(value),
                _ => None,
            }
        };
        assert_eq!(parse("1b7fffffffffffffff"), Some(i64::MAX));
        assert_eq!(parse("3b7fffffffffffffff"), Some(i64::MIN));
        assert_eq!(parse("1b8000000000000000"), None);
        assert_eq!(parse("3b8000000000000000"), None);
    }

    #[test]
    fn a_string_is_as_long_as_it_says() {
        assert_eq!(Value::known(&[0x42, 1, 2]), Value::Bytes(&[1, 2]));
        assert_eq!(Value::known(&[0x42, 1]), Value::Other);
        assert_eq!(Value::known(&[0x61, b'a', b'b']), Value::Other);
        assert_eq!(Value::known(&[]), Value::Other);
    }

    proptest::proptest! {
        #[test]
        fn walking_unchecked_bytes_never_panics(bytes: std::vec::Vec<u8>) {
            match Value::known(&bytes) {
                Value::Map(map) => drop(map.iter().count()),
                Value::Array(array) => drop(array.iter().count()),
                _ => {}
            }
        }

        #[test]
        fn walking_a_checked_item_never_panics(bytes: std::vec::Vec<u8>) {
            if let Ok(Value::Map(map)) = Value::parse(&bytes, Form::Tolerant) {
                proptest::prop_assert_eq!(map.iter().count() as u64, map.len());
            }
        }
    }
}
