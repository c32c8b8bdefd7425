//! Looking values up by name in a CBOR item that [`hallway_ctap::cbor::check`] has walked.

use hallway_ctap::cbor::{Map, Value};

/// A map with text keys, borrowed; other keys are passed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CborMap<'a>(Map<'a>);

impl<'a> CborMap<'a> {
    /// `None` if `item` is not a map. `item` must have been walked before.
    pub(crate) fn new(item: &'a [u8]) -> Option<Self> {
        match Value::known(item) {
            Value::Map(map) => Some(Self(map)),
            _ => None,
        }
    }

    /// Whether there is no entry, with a text key or another one.
    pub(crate) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Each text key with its value, one CBOR item.
    pub(crate) fn entries(self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.0
            .items()
            .filter_map(|(key, value)| Some((text(key)?, value)))
    }

    /// The value at `name`, one CBOR item.
    pub(crate) fn get(self, name: &str) -> Option<&'a [u8]> {
        self.entries()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }
}

/// A byte string.
pub(crate) fn bytes(item: &[u8]) -> Option<&[u8]> {
    Value::known(item).bytes().ok()
}

/// A text string.
pub(crate) fn text(item: &[u8]) -> Option<&str> {
    Value::known(item).text().ok()
}

/// An integer that fits `i64`.
pub(crate) fn integer(item: &[u8]) -> Option<i64> {
    Value::known(item).integer().ok()
}

/// True or false.
pub(crate) fn boolean(item: &[u8]) -> Option<bool> {
    Value::known(item).bool().ok()
}

/// The items of an array.
pub(crate) fn array(item: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    Value::known(item).list().ok().map(|array| array.items())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_name() {
        // {"a": 1, 2: "x", "b": [h'ff', "t"]}
        let item = hex::decode("a36161010261786162824 1ff6174".replace(' ', "")).unwrap();
        let map = CborMap::new(&item).unwrap();
        assert_eq!(integer(map.get("a").unwrap()), Some(1));
        assert_eq!(map.get("x"), None);
        assert_eq!(map.entries().count(), 2);
        let items: Vec<&[u8]> = array(map.get("b").unwrap()).unwrap().collect();
        assert_eq!(bytes(items[0]), Some(&[0xff][..]));
        assert_eq!(text(items[1]), Some("t"));
        assert_eq!(bytes(items[1]), None);
    }

    #[test]
    fn what_others_write_is_passed_over() {
        // {1: 1.5 as a half float, "a": undefined, h'': simple(255), -2^64: {[]: null},
        // null: 0(""), "b": 2^64 - 1, "fmt": "none"}
        let item = hex::decode(
            "a7 01f93e00 6161f7 40f8ff 3bffffffffffffffffa180f6 f6c060 61621bffffffffffffffff \
             63666d74646e6f6e65"
                .replace(' ', ""),
        )
        .unwrap();
        hallway_ctap::cbor::check(&item, hallway_ctap::cbor::Form::Tolerant).unwrap();
        let map = CborMap::new(&item).unwrap();
        assert_eq!(text(map.get("fmt").unwrap()), Some("none"));
        assert_eq!(integer(map.get("b").unwrap()), None);
        let names: Vec<&str> = map.entries().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b", "fmt"]);
        // A map is empty when nothing is in it, not when nothing in it has a name.
        let numbered = [0xa1, 1, 0];
        assert!(!CborMap::new(&numbered).unwrap().is_empty());
    }

    #[test]
    fn what_is_not_a_map_is_refused() {
        assert_eq!(CborMap::new(&[0x80]), None);
        assert_eq!(CborMap::new(&[]), None);
        assert!(CborMap::new(&[0xa0]).unwrap().is_empty());
    }
}
