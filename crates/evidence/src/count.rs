//! Numbers that every store can keep.

use core::fmt;
use core::str::FromStr;

/// A number from 0 to 2^63 - 1, the largest that databases keep. Every number from outside
/// is read as a count, so that none is too large for a store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Count(u64);

/// The number is larger than [`Count::MAX`], or no decimal number at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a number from 0 to 9223372036854775807")]
pub struct CountError;

impl Count {
    /// 2^63 - 1.
    pub const MAX: Self = Self(i64::MAX.unsigned_abs());

    /// The number, if it is not too large.
    ///
    /// # Errors
    /// [`CountError`].
    pub const fn new(number: u64) -> Result<Self, CountError> {
        if number > Self::MAX.0 {
            return Err(CountError);
        }
        Ok(Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for Count {
    type Err = CountError;

    /// Reads decimal digits, with no sign before them.
    fn from_str(text: &str) -> Result<Self, CountError> {
        if !text.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(CountError);
        }
        Self::new(text.parse().map_err(|_| CountError)?)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_number_is_the_last_that_is_read() {
        let largest = i64::MAX as u64;
        assert_eq!("9223372036854775807".parse(), Count::new(largest));
        assert_eq!(Count::new(largest + 1), Err(CountError));
        for text in [
            "9223372036854775808",
            "18446744073709551616",
            "",
            "+1",
            "-1",
            " 1",
        ] {
            assert_eq!(text.parse::<Count>(), Err(CountError), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_count_fits_a_signed_number(number: u64) {
            let read = Count::new(number);
            proptest::prop_assert_eq!(read.is_ok(), i64::try_from(number).is_ok());
            proptest::prop_assert_eq!(number.to_string().parse::<Count>(), read);
        }
    }
}
