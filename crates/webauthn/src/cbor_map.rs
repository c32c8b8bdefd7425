//! Looking values up by name in a CBOR map that [`hallway_ctap::cbor::check`] has walked.

use minicbor::Decoder;
use minicbor::data::Type;

/// A map with text keys, borrowed; other keys are passed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CborMap<'a>(&'a [u8]);

impl<'a> CborMap<'a> {
    /// `None` if `item` is not a map of definite length. `item` must have been walked before.
    pub(crate) fn new(item: &'a [u8]) -> Option<Self> {
        Decoder::new(item).map().ok().flatten().map(|_| Self(item))
    }

    pub(crate) fn is_empty(self) -> bool {
        self.entries().next().is_none()
    }

    /// Each text key with its value, one CBOR item.
    pub(crate) fn entries(self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let mut decoder = Decoder::new(self.0);
        let mut left = decoder.map().ok().flatten().unwrap_or(0);
        let item = self.0;
        std::iter::from_fn(move || {
            while left > 0 {
                left -= 1;
                let name = match decoder.datatype().ok()? {
                    Type::String => decoder.str().ok(),
                    _ => {
                        decoder.skip().ok()?;
                        None
                    }
                };
                let start = decoder.position();
                decoder.skip().ok()?;
                if let Some(name) = name {
                    return Some((name, item.get(start..decoder.position())?));
                }
            }
            None
        })
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
    Decoder::new(item).bytes().ok()
}

/// A text string.
pub(crate) fn text(item: &[u8]) -> Option<&str> {
    Decoder::new(item).str().ok()
}

/// An integer that fits 64 bits.
pub(crate) fn integer(item: &[u8]) -> Option<i64> {
    Decoder::new(item).i64().ok()
}

/// True or false.
pub(crate) fn boolean(item: &[u8]) -> Option<bool> {
    Decoder::new(item).bool().ok()
}

/// The items of an array.
pub(crate) fn array(item: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let mut decoder = Decoder::new(item);
    let mut left = decoder.array().ok().flatten()?;
    Some(std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let start = decoder.position();
        decoder.skip().ok()?;
        item.get(start..decoder.position())
    }))
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
    fn what_is_not_a_map_is_refused() {
        assert_eq!(CborMap::new(&[0x80]), None);
        assert_eq!(CborMap::new(&[]), None);
        assert!(CborMap::new(&[0xa0]).unwrap().is_empty());
    }
}
