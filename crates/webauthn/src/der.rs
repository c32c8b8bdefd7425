//! A strict reader of DER (X.690, section 10) for the few structures that are read by hand:
//! definite lengths in their shortest form only.
//!
//! The reader of `x509-parser`'s own family, `asn1-rs` 0.7, also takes lengths in a longer form.

/// One element: its tag and its content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Element<'a> {
    /// The tag number with the class and the constructed bit.
    pub(crate) tag: Tag,
    pub(crate) content: &'a [u8],
    /// Tag, length and content.
    pub(crate) raw: &'a [u8],
}

/// A tag: class and constructed bit as in the identifier octet, and the number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tag {
    form: u8,
    number: u32,
}

impl Tag {
    pub(crate) const INTEGER: Self = Self::universal(2);
    pub(crate) const BIT_STRING: Self = Self::universal(3);
    pub(crate) const OCTET_STRING: Self = Self::universal(4);
    pub(crate) const OID: Self = Self::universal(6);
    pub(crate) const ENUMERATED: Self = Self::universal(10);
    pub(crate) const SEQUENCE: Self = Self::constructed(16);
    pub(crate) const SET: Self = Self::constructed(17);

    pub(crate) const fn universal(number: u32) -> Self {
        Self { form: 0, number }
    }

    const fn constructed(number: u32) -> Self {
        Self { form: 0x20, number }
    }

    /// `[number] EXPLICIT`.
    pub(crate) const fn context(number: u32) -> Self {
        Self { form: 0xa0, number }
    }

    /// The number of a context-specific constructed tag.
    pub(crate) fn context_number(self) -> Option<u32> {
        (self.form == 0xa0).then_some(self.number)
    }
}

/// Reads elements one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next element, of any tag.
    pub(crate) fn next(&mut self) -> Option<Element<'a>> {
        let (first, mut rest) = self.0.split_first()?;
        let mut number = u32::from(first & 0x1f);
        if number == 0x1f {
            number = 0;
            loop {
                let (byte, after) = rest.split_first()?;
                rest = after;
                number = number.checked_mul(128)? | u32::from(byte & 0x7f);
                if byte & 0x80 == 0 {
                    break;
                }
                if number == 0 {
                    return None;
                }
            }
            if number < 31 {
                return None;
            }
        }
        let length = length(&mut rest)?;
        let (content, after) = rest.split_at_checked(length)?;
        let raw = self.0.get(..self.0.len() - after.len())?;
        self.0 = after;
        let form = first & 0xe0;
        Some(Element {
            tag: Tag { form, number },
            content,
            raw,
        })
    }

    /// The content of the next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: Tag) -> Option<&'a [u8]> {
        let element = self.next()?;
        (element.tag == tag).then_some(element.content)
    }

    /// The content of the next element if it has this tag; otherwise nothing is read.
    pub(crate) fn optional(&mut self, tag: Tag) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let content = ahead.expect(tag)?;
        *self = ahead;
        Some(content)
    }
}

/// The content of the only element in `bytes`.
pub(crate) fn only(bytes: &[u8], tag: Tag) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes);
    let content = reader.expect(tag)?;
    reader.is_empty().then_some(content)
}

fn length(rest: &mut &[u8]) -> Option<usize> {
    let (first, mut after) = rest.split_first()?;
    let length = if first & 0x80 == 0 {
        usize::from(*first)
    } else {
        let (digits, tail) = after.split_at_checked(usize::from(first & 0x7f))?;
        after = tail;
        if digits.is_empty() || digits.len() > 4 || digits.first() == Some(&0) {
            return None;
        }
        let length = digits
            .iter()
            .fold(0usize, |length, digit| length << 8 | usize::from(*digit));
        if length < 128 {
            return None;
        }
        length
    };
    *rest = after;
    Some(length)
}

/// An INTEGER or ENUMERATED that is not negative and fits 64 bits.
pub(crate) fn unsigned(content: &[u8]) -> Option<u64> {
    let digits = match content {
        [0] => return Some(0),
        // A leading zero is there only to keep the number positive.
        [0, digits @ ..] if digits.first()? & 0x80 != 0 => digits,
        [first, ..] if (1..0x80).contains(first) => content,
        _ => return None,
    };
    (digits.len() <= 8).then(|| digits.iter().fold(0, |n, digit| n << 8 | u64::from(*digit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_in_order() {
        // SEQUENCE { INTEGER 5, [709] { NULL }, OCTET STRING ff }
        let bytes = hex::decode("300c020105bf8545020500040 1ff".replace(' ', "")).unwrap();
        let mut inside = Reader::new(only(&bytes, Tag::SEQUENCE).unwrap());
        assert_eq!(inside.expect(Tag::INTEGER).and_then(unsigned), Some(5));
        assert_eq!(inside.optional(Tag::OCTET_STRING), None);
        let tagged = inside.next().unwrap();
        assert_eq!(tagged.tag.context_number(), Some(709));
        assert_eq!(tagged.tag, Tag::context(709));
        assert_eq!(tagged.raw.len(), 6);
        assert_eq!(inside.expect(Tag::OCTET_STRING), Some(&[0xff][..]));
        assert!(inside.is_empty());
    }

    #[test]
    fn what_der_forbids_is_refused() {
        for hex in [
            "",
            "30",
            "3001",
            "3080",
            "308101",
            "30820001",
            "04810100",
            "1f0500",
            "1f8000",
            "308500000000010",
            "1fffffffffff7f00",
        ] {
            let bytes = hex::decode(if hex.len() % 2 == 0 {
                hex.to_owned()
            } else {
                format!("{hex}0")
            });
            assert!(Reader::new(&bytes.unwrap()).next().is_none(), "{hex}");
        }
        assert!(only(&[4, 0, 0], Tag::OCTET_STRING).is_none());
    }

    #[test]
    fn integers_are_in_their_shortest_form() {
        assert_eq!(unsigned(&[0]), Some(0));
        assert_eq!(unsigned(&[0, 0x80]), Some(128));
        assert_eq!(
            unsigned(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Some(u64::MAX)
        );
        for refused in [
            &[][..],
            &[0x80],
            &[0, 1],
            &[1, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0; 10],
        ] {
            assert_eq!(unsigned(refused), None, "{refused:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while reader.next().is_some() {}
        }
    }
}
