//! One share as words: 20 bits that all shares have in common, 20 bits of its own, the value with
//! zeros in front, and a checksum. A word is 10 bits.

use zeroize::Zeroizing;

use super::ShareError;
use super::checksum::{CHECKSUM_WORDS, checksum, holds};
use super::field::Point;

/// The values that all shares of a secret have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Common {
    /// 15 random bits.
    pub(super) identifier: u16,
    /// The secret is encrypted without regard to the identifier.
    pub(super) extendable: bool,
    /// 4 bits: each step doubles the cost of the encryption.
    pub(super) iteration_exponent: u8,
    /// 1 to 16.
    pub(super) group_threshold: u8,
    /// 1 to 16.
    pub(super) group_count: u8,
}

impl Common {
    const fn customization(&self) -> &'static [u8] {
        match self.extendable {
            true => b"shamir_extendable",
            false => b"shamir",
        }
    }
}

#[derive(PartialEq, Eq)]
pub(super) struct Share {
    pub(super) common: Common,
    /// 0 to 15.
    pub(super) group: u8,
    /// 0 to 15.
    pub(super) index: u8,
    /// 1 to 16: how many shares of its group restore the group's secret.
    pub(super) threshold: u8,
    pub(super) value: Zeroizing<Vec<u8>>,
}

/// Words before the value.
const HEAD_WORDS: usize = 4;
/// A secret has at least 128 bits.
const MIN_WORDS: usize = HEAD_WORDS + 13 + CHECKSUM_WORDS;
/// Nobody shares secrets of more than 512 bits.
const MAX_WORDS: usize = HEAD_WORDS + 52 + CHECKSUM_WORDS;

/// SLIP-0039's list: 1024 words in alphabetical order.
const WORDS: &str = include_str!("wordlist.txt");

impl Share {
    pub(super) fn point(&self) -> Point {
        Point {
            x: self.index,
            value: self.value.clone(),
        }
    }

    pub(super) fn words(&self) -> String {
        let common = &self.common;
        let first = u32::from(common.identifier) << 5
            | u32::from(common.extendable) << 4
            | u32::from(common.iteration_exponent);
        let second = [
            self.group,
            common.group_threshold - 1,
            common.group_count - 1,
            self.index,
            self.threshold - 1,
        ]
        .iter()
        .fold(0, |bits, field| bits << 4 | u32::from(*field));
        let mut words = Zeroizing::new(Vec::new());
        for twenty_bits in [first, second] {
            words.extend([(twenty_bits >> 10) as u16, (twenty_bits & 1023) as u16]);
        }
        // The value's bits, with as many zeros in front as make whole words.
        let mut waiting = (10 - self.value.len() * 8 % 10) % 10;
        let mut bits = 0;
        for byte in self.value.iter() {
            bits = bits << 8 | u32::from(*byte);
            waiting += 8;
            if waiting >= 10 {
                waiting -= 10;
                words.push((bits >> waiting & 1023) as u16);
            }
        }
        let sum = checksum(common.customization(), &words);
        words.extend(sum);
        let list: Vec<&str> = WORDS.lines().collect();
        let named: Vec<&str> = words.iter().map(|word| list[usize::from(*word)]).collect();
        named.join(" ")
    }

    /// Reads a share; `place` is its number in error messages.
    pub(super) fn from_words(place: usize, text: &str) -> Result<Self, ShareError> {
        let malformed = |problem| ShareError::Malformed {
            share: place,
            problem,
        };
        let list: Vec<&str> = WORDS.lines().collect();
        let mut words = Zeroizing::new(Vec::new());
        for word in text.split_whitespace() {
            if words.len() == MAX_WORDS {
                return Err(malformed("it has too many words"));
            }
            let known = list.binary_search(&word.to_lowercase().as_str());
            let number = known.map_err(|_| ShareError::UnknownWord {
                share: place,
                word: words.len() + 1,
            })?;
            words.push(number as u16);
        }
        if words.len() < MIN_WORDS {
            return Err(malformed("words are missing"));
        }
        let twenty_bits = |at: usize| u32::from(words[at]) << 10 | u32::from(words[at + 1]);
        let (first, second) = (twenty_bits(0), twenty_bits(2));
        let field = |shift: u32| (second >> shift & 15) as u8;
        let share = Self {
            common: Common {
                identifier: (first >> 5) as u16,
                extendable: first >> 4 & 1 == 1,
                iteration_exponent: (first & 15) as u8,
                group_threshold: field(12) + 1,
                group_count: field(8) + 1,
            },
            group: field(16),
            index: field(4),
            threshold: field(0) + 1,
            value: value(&words[HEAD_WORDS..words.len() - CHECKSUM_WORDS])
                .ok_or_else(|| malformed("words are missing or wrong"))?,
        };
        if !holds(share.common.customization(), &words) {
            return Err(malformed("a word is wrong (the checksum does not fit)"));
        }
        if share.common.group_threshold > share.common.group_count {
            return Err(malformed("it needs more groups than there are"));
        }
        Ok(share)
    }
}

/// The bytes of a value; `None` unless they are an even number with zeros in front.
fn value(words: &[u16]) -> Option<Zeroizing<Vec<u8>>> {
    let padding = words.len() * 10 % 16;
    if padding > 8 {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(words.len() * 10 / 8));
    let (mut bits, mut count) = (0_u32, 0);
    let mut in_front = padding;
    for word in words {
        bits = bits << 10 | u32::from(*word);
        count += 10;
        if in_front > 0 {
            // Less than a word, as a word is more than eight bits.
            count -= in_front;
            if bits >> count != 0 {
                return None;
            }
            in_front = 0;
        }
        while count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}
