//! The shape of CBOR items, checked before anything is decoded.
//!
//! Decoding with `minicbor` alone would accept duplicate keys, non-minimal lengths and unsorted
//! maps. [`first_item`] walks one item without decoding it and enforces a [`Form`], so that a
//! decoder behind it only has to look for the values it wants: [`Map`] and [`Value`] do that.
//! [`MapBuilder`] prints the canonical form.

use alloc::vec::Vec;

mod value;
mod write;

pub use value::{Array, Key, Map, ReadError, Value};
pub use write::{Encode, Encoded, List, MapBuilder};

/// The encoding rules that an item must follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// The CTAP2 canonical form (CTAP 2.3, section 8): shortest lengths, definite lengths only,
    /// map keys unique and sorted by major type, then length, then bytes, no tags, at most four
    /// levels of nesting.
    Canonical,
    /// Well-formed CBOR of definite length with unique map keys, at most 16 levels deep: what a
    /// relying party accepts, since some authenticators sort or pad carelessly.
    Tolerant,
}

impl Form {
    const fn depth(self) -> u8 {
        match self {
            Self::Canonical => 4,
            Self::Tolerant => 16,
        }
    }
}

/// Why bytes are not an acceptable CBOR item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The input ends inside an item.
    #[error("the CBOR ends in the middle of an item")]
    Truncated,
    /// Bytes follow the item.
    #[error("{0} bytes follow the CBOR item")]
    Trailing(usize),
    /// A length or integer is longer than it needs to be.
    #[error("a CBOR integer or length is not in its shortest form")]
    NotShortest,
    /// Indefinite length, a reserved additional value, or a stray break.
    #[error("indefinite or reserved CBOR length")]
    Length,
    /// A map key occurs twice.
    #[error("a CBOR map has the same key twice")]
    DuplicateKey,
    /// Map keys are not in canonical order.
    #[error("the keys of a CBOR map are not in canonical order")]
    KeyOrder,
    /// Nested deeper than the form allows.
    #[error("the CBOR is nested too deeply")]
    TooDeep,
    /// More than [`MAX_MAP_ENTRIES`] entries in one map.
    #[error("a CBOR map has more than 256 entries")]
    TooManyEntries,
    /// A tag in canonical CBOR.
    #[error("a CBOR tag where none is allowed")]
    Tag,
    /// Something other than a map where a map belongs.
    #[error("not a CBOR map")]
    NotMap,
    /// A text string that is not UTF-8.
    #[error("a CBOR text string is not UTF-8")]
    Utf8,
    /// A map with members that its definition does not allow.
    #[error("a CBOR map has members that its definition does not allow")]
    NotAllowed,
}

/// The most entries that one map may have: bounds the work that a small hostile input can cause.
pub const MAX_MAP_ENTRIES: u64 = 256;

/// Splits the first item off `bytes`: `(item, rest)`.
pub fn first_item(bytes: &[u8], form: Form) -> Result<(&[u8], &[u8]), Malformed> {
    let keys = match form {
        Form::Canonical => Keys::Sorted,
        Form::Tolerant => Keys::Unique,
    };
    let length = Walk { bytes, form, keys }.item(0, form.depth())?;
    Ok(bytes.split_at(length))
}

/// Splits the first item off `bytes`, which were walked before: only looks for the item's end.
fn next_known_item(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let walk = Walk {
        bytes,
        form: Form::Tolerant,
        keys: Keys::Known,
    };
    let length = walk.item(0, Form::Tolerant.depth()).ok()?;
    Some(bytes.split_at(length))
}

/// Checks that `bytes` are exactly one item.
pub fn check(bytes: &[u8], form: Form) -> Result<(), Malformed> {
    match first_item(bytes, form)? {
        (_, []) => Ok(()),
        (_, rest) => Err(Malformed::Trailing(rest.len())),
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    form: Form,
    keys: Keys,
}

/// The check that a walk makes on the keys of a map.
#[derive(Clone, Copy)]
enum Keys {
    Sorted,
    Unique,
    /// None: the item was walked before.
    Known,
}

struct Head {
    major: u8,
    value: u64,
    end: usize,
}

impl Walk<'_> {
    /// Walks the item at `start` and returns the offset behind it.
    fn item(&self, start: usize, depth: u8) -> Result<usize, Malformed> {
        let head = self.head(start)?;
        match head.major {
            0 | 1 | 7 => Ok(head.end),
            2 => self.skip(head.end, head.value),
            3 => {
                let end = self.skip(head.end, head.value)?;
                let text = self.bytes.get(head.end..end).ok_or(Malformed::Truncated)?;
                core::str::from_utf8(text).map_err(|_| Malformed::Utf8)?;
                Ok(end)
            }
            4 => {
                let depth = depth.checked_sub(1).ok_or(Malformed::TooDeep)?;
                let mut at = head.end;
                for _ in 0..head.value {
                    at = self.item(at, depth)?;
                }
                Ok(at)
            }
            5 => self.map(&head, depth.checked_sub(1).ok_or(Malformed::TooDeep)?),
            _ if self.form == Form::Canonical => Err(Malformed::Tag),
            _ => self.item(head.end, depth.checked_sub(1).ok_or(Malformed::TooDeep)?),
        }
    }

    fn map(&self, head: &Head, depth: u8) -> Result<usize, Malformed> {
        if head.value > MAX_MAP_ENTRIES {
            return Err(Malformed::TooManyEntries);
        }
        let mut at = head.end;
        let mut previous: Option<&[u8]> = None;
        // Keys that ascend are unique. The first one that does not makes the earlier ones be kept:
        // looking for them anew each time would walk the values between them again.
        let mut earlier: Option<Vec<MapKey<'_>>> = None;
        for entry in 0..head.value {
            let key_end = self.item(at, depth)?;
            let key = self.bytes.get(at..key_end).ok_or(Malformed::Truncated)?;
            match self.keys {
                Keys::Sorted => {
                    if let Some(previous) = previous {
                        match canonical_order(previous, key) {
                            core::cmp::Ordering::Less => {}
                            core::cmp::Ordering::Equal => return Err(Malformed::DuplicateKey),
                            core::cmp::Ordering::Greater => return Err(Malformed::KeyOrder),
                        }
                    }
                }
                Keys::Unique => {
                    let (new, last) = (MapKey::of(key), previous.map(MapKey::of));
                    if earlier.is_none() && last >= Some(new) {
                        earlier = Some(self.keys(head.end, entry, depth)?);
                    }
                    if let Some(earlier) = &mut earlier {
                        if earlier.contains(&new) {
                            return Err(Malformed::DuplicateKey);
                        }
                        earlier.push(new);
                    }
                }
                Keys::Known => {}
            }
            previous = Some(key);
            at = self.item(key_end, depth)?;
        }
        Ok(at)
    }

    /// The first `count` keys of the map whose entries begin at `at`; they were walked before.
    fn keys(&self, mut at: usize, count: u64, depth: u8) -> Result<Vec<MapKey<'_>>, Malformed> {
        let walk = Walk {
            keys: Keys::Known,
            ..*self
        };
        let mut keys = Vec::new();
        for _ in 0..count {
            let end = walk.item(at, depth)?;
            keys.push(MapKey::of(self.bytes.get(at..end).unwrap_or_default()));
            at = walk.item(end, depth)?;
        }
        Ok(keys)
    }

    fn head(&self, start: usize) -> Result<Head, Malformed> {
        let first = *self.bytes.get(start).ok_or(Malformed::Truncated)?;
        let (major, additional) = (first >> 5, first & 0x1f);
        let width = match additional {
            0..=23 => {
                return Ok(Head {
                    major,
                    value: u64::from(additional),
                    end: start + 1,
                });
            }
            24..=27 => 1usize << (additional - 24),
            _ => return Err(Malformed::Length),
        };
        let end = start + 1 + width;
        let value = self
            .bytes
            .get(start + 1..end)
            .ok_or(Malformed::Truncated)?
            .iter()
            .fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        let shortest = match width {
            1 => value >= 24,
            2 => value > 0xff,
            4 => value > 0xffff,
            _ => value > 0xffff_ffff,
        };
        // Major type 7 holds floats here, whose width is part of the value, and one-byte simple
        // values, which RFC 8949, 3.3 forbids below 32.
        let exempt = major == 7 && (width > 1 || value >= 32);
        if !exempt && !shortest && (self.form == Form::Canonical || major == 7) {
            return Err(Malformed::NotShortest);
        }
        Ok(Head { major, value, end })
    }

    fn skip(&self, start: usize, length: u64) -> Result<usize, Malformed> {
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| start.checked_add(length))
            .ok_or(Malformed::Truncated)?;
        if end > self.bytes.len() {
            Err(Malformed::Truncated)
        } else {
            Ok(end)
        }
    }
}

/// A key for comparing: its major type, then the number or length in its head, then the rest. Keys
/// are equal even if the head of an integer or string is longer than it needs to be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct MapKey<'a>(u8, u64, &'a [u8]);

impl<'a> MapKey<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let walk = Walk {
            bytes,
            form: Form::Tolerant,
            keys: Keys::Known,
        };
        match walk.head(0) {
            Ok(head) if head.major <= 3 => Self(
                head.major,
                head.value,
                bytes.get(head.end..).unwrap_or_default(),
            ),
            _ => Self(u8::MAX, 0, bytes),
        }
    }
}

/// The order of map keys: major type, then length of the encoding, then its bytes.
fn canonical_order(a: &[u8], b: &[u8]) -> core::cmp::Ordering {
    let major = |key: &[u8]| key.first().map_or(0, |byte| byte >> 5);
    major(a)
        .cmp(&major(b))
        .then(a.len().cmp(&b.len()))
        .then(a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(hex: &str, form: Form) -> Malformed {
        check(&hex::decode(hex).unwrap(), form).unwrap_err()
    }

    #[test]
    fn canonical_maps_pass() {
        // {1: 2, 3: h'00', "a": [], "bb": {}}
        let bytes = hex::decode("a401020341006161806262 62a0".replace(' ', "")).unwrap();
        assert_eq!(check(&bytes, Form::Canonical), Ok(()));
    }

    #[test]
    fn what_canonical_form_forbids() {
        use Malformed::*;
        for (hex, why) in [
            ("1801", NotShortest),
            ("190001", NotShortest),
            ("5801ff", NotShortest),
            ("a201000100", DuplicateKey),
            ("a203000100", KeyOrder),
            ("a2626262006161 00", KeyOrder),
            ("9f00ff", Length),
            ("c000", Tag),
            ("8181818180", TooDeep),
            ("6100ff", Trailing(1)),
            ("61ff", Utf8),
            ("42ff", Truncated),
            ("", Truncated),
            ("5bffffffffffffffff", Truncated),
            ("f800", NotShortest),
        ] {
            assert_eq!(
                refused(&hex.replace(' ', ""), Form::Canonical),
                why,
                "{hex}"
            );
        }
    }

    #[test]
    fn tolerant_takes_any_order_but_no_duplicates() {
        assert_eq!(check(&[0xa2, 3, 0, 1, 0], Form::Tolerant), Ok(()));
        assert_eq!(
            refused("a301000200 0100".replace(' ', "").as_str(), Form::Tolerant),
            Malformed::DuplicateKey
        );
        // The same key with heads of different lengths: one reader would take the first value,
        // another the last.
        for twice in [
            "a20100180100",
            "a23900000020f5",
            "a261780078017800",
            "a2417800590001780 0",
        ] {
            assert_eq!(
                refused(&twice.replace(' ', ""), Form::Tolerant),
                Malformed::DuplicateKey
            );
        }
        assert_eq!(check(&[0xa2, 1, 0, 0x20, 0], Form::Tolerant), Ok(()));
        assert_eq!(
            check(&[0xa2, 0x61, 1, 0, 0x41, 1, 0], Form::Tolerant),
            Ok(())
        );
        assert_eq!(refused("b90101", Form::Tolerant), Malformed::TooManyEntries);
    }

    #[test]
    fn nested_maps_with_many_keys_stay_cheap() {
        let mut bytes = std::vec::Vec::new();
        for _ in 0..15 {
            bytes.extend([0xb8, 200]);
            for key in 24..=222u8 {
                bytes.extend([0x18, key, 0]);
            }
            bytes.extend([0x18, 223]);
        }
        bytes.push(0);
        // The nested map stands last in each level; a second copy that starts with it follows.
        assert_eq!(check(&bytes, Form::Tolerant), Ok(()));
        let mut first = std::vec![0xb8, 200, 0x18, 24];
        first.extend(&bytes[2 + 199 * 3 + 2..]);
        for key in 25..=223u8 {
            first.extend([0x18, key, 0]);
        }
        assert_eq!(check(&first, Form::Tolerant), Ok(()));
    }

    /// The values between the keys are walked once, and not again for each later key: else this
    /// takes 16 * 256 * 200,000 steps.
    #[test]
    fn long_values_between_many_keys_stay_cheap() {
        let mut bytes = std::vec![0x9a, 0, 3, 0x0d, 0x40];
        bytes.resize(bytes.len() + 200_000, 0);
        for _ in 0..14 {
            // The value of the first of 200 keys.
            let mut map = std::vec![0xb8, 200, 0x18, 24];
            map.append(&mut bytes);
            for key in 25..=223u8 {
                map.extend([0x18, key, 0]);
            }
            bytes = map;
        }
        assert_eq!(check(&bytes, Form::Tolerant), Ok(()));
    }

    #[test]
    fn a_hostile_array_length_costs_nothing() {
        assert_eq!(
            refused("9bffffffffffffffff", Form::Tolerant),
            Malformed::Truncated
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics_and_never_overruns(bytes: std::vec::Vec<u8>) {
            for form in [Form::Canonical, Form::Tolerant] {
                if let Ok((item, rest)) = first_item(&bytes, form) {
                    proptest::prop_assert_eq!(item.len() + rest.len(), bytes.len());
                    proptest::prop_assert_eq!(check(item, form), Ok(()));
                }
            }
        }
    }
}
