//! Printing canonical CBOR.

use alloc::vec::Vec;

use super::canonical_order;
use super::value::Key;

/// A value that prints as one CBOR item.
pub trait Encode {
    /// Appends the item to `out`.
    fn encode(&self, out: &mut Vec<u8>);
}

impl<T: Encode + ?Sized> Encode for &T {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}

fn head(out: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    match value {
        0..=23 => out.push(major | value as u8),
        24..=0xff => out.extend([major | 24, value as u8]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend((value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend((value as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend(value.to_be_bytes());
        }
    }
}

impl Encode for u64 {
    fn encode(&self, out: &mut Vec<u8>) {
        head(out, 0, *self);
    }
}

impl Encode for u32 {
    fn encode(&self, out: &mut Vec<u8>) {
        head(out, 0, u64::from(*self));
    }
}

impl Encode for u8 {
    fn encode(&self, out: &mut Vec<u8>) {
        head(out, 0, u64::from(*self));
    }
}

impl Encode for usize {
    fn encode(&self, out: &mut Vec<u8>) {
        head(out, 0, *self as u64);
    }
}

impl Encode for i64 {
    fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            value @ 0.. => head(out, 0, value as u64),
            value => head(out, 1, !value as u64),
        }
    }
}

impl Encode for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(if *self { 0xf5 } else { 0xf4 });
    }
}

impl Encode for str {
    fn encode(&self, out: &mut Vec<u8>) {
        head(out, 3, self.len() as u64);
        out.extend_from_slice(self.as_bytes());
    }
}

/// Prints as a byte string.
impl Encode for [u8] {
    fn encode(&self, out: &mut Vec<u8>) {
        head(out, 2, self.len() as u64);
        out.extend_from_slice(self);
    }
}

/// Prints as a byte string.
impl<const N: usize> Encode for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        self[..].encode(out);
    }
}

/// Prints as a byte string.
impl Encode for Vec<u8> {
    fn encode(&self, out: &mut Vec<u8>) {
        self[..].encode(out);
    }
}

/// One item that is CBOR already.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a>(pub &'a [u8]);

impl Encode for Encoded<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }
}

/// An array of items of one kind.
#[derive(Clone, Copy, Debug)]
pub struct List<'a, T>(pub &'a [T]);

impl<T: Encode> Encode for List<'_, T> {
    fn encode(&self, out: &mut Vec<u8>) {
        head(out, 4, self.0.len() as u64);
        for item in self.0 {
            item.encode(out);
        }
    }
}

/// A map under construction: entries may be put in any order and come out in the canonical one.
///
/// ```
/// use hallway_ctap::cbor::MapBuilder;
///
/// let mut map = MapBuilder::new();
/// map.put("up", true).put("rk", false).put_some(1, None::<u64>);
/// assert_eq!(map.finish(), b"\xa2\x62rk\xf4\x62up\xf5");
/// ```
#[derive(Clone, Default, Debug)]
pub struct MapBuilder {
    body: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    value: usize,
    end: usize,
}

impl MapBuilder {
    /// A map without entries.
    pub const fn new() -> Self {
        Self {
            body: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Adds an entry. A key must be put once only.
    pub fn put<'k>(&mut self, key: impl Into<Key<'k>>, value: impl Encode) -> &mut Self {
        let start = self.body.len();
        match key.into() {
            Key::Integer(key) => key.encode(&mut self.body),
            Key::Text(key) => key.encode(&mut self.body),
        }
        let middle = self.body.len();
        value.encode(&mut self.body);
        self.entries.push(Entry {
            start,
            value: middle,
            end: self.body.len(),
        });
        self
    }

    /// Adds an entry if there is a value.
    pub fn put_some<'k>(
        &mut self,
        key: impl Into<Key<'k>>,
        value: Option<impl Encode>,
    ) -> &mut Self {
        if let Some(value) = value {
            self.put(key, value);
        }
        self
    }

    /// Whether the map has no entries.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The encoded map.
    pub fn finish(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 3);
        self.encode(&mut out);
        out
    }
}

impl Encode for MapBuilder {
    fn encode(&self, out: &mut Vec<u8>) {
        head(out, 5, self.entries.len() as u64);
        let key = |entry: &Entry| &self.body[entry.start..entry.value];
        if self
            .entries
            .is_sorted_by(|a, b| canonical_order(key(a), key(b)).is_lt())
        {
            return out.extend_from_slice(&self.body);
        }
        let mut sorted = self.entries.clone();
        sorted.sort_by(|a, b| canonical_order(key(a), key(b)));
        for entry in sorted {
            out.extend_from_slice(&self.body[entry.start..entry.end]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::{Form, Value, check};

    #[test]
    fn maps_come_out_canonical_whatever_the_order() {
        let mut inner = MapBuilder::new();
        inner.put("type", "public-key").put("alg", -7i64);
        let mut map = MapBuilder::new();
        map.put("bb", List(&[inner]))
            .put("a", [1u8, 2])
            .put(-1, i64::MIN)
            .put(300, u64::from(u32::MAX) + 1)
            .put(2, 70_000usize);
        check(&map.finish(), Form::Canonical).unwrap();
    }

    proptest::proptest! {
        #[test]
        fn integers_survive(value: i64) {
            let mut out = Vec::new();
            value.encode(&mut out);
            proptest::prop_assert_eq!(
                Value::parse(&out, Form::Canonical),
                Ok(Value::Integer(value))
            );
        }
    }
}
