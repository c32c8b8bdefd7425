//! Numbers, set so that they can be compared down a column.

use std::fmt;

use askama::filters::HtmlSafe;

/// A whole number in groups of three: `12 345`, with spaces that do not break.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count(pub u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                f.write_str("\u{202f}")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

impl HtmlSafe for Count {}

/// An amount of bytes, in decimal units: `1.8 MB`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1_000 {
            return write!(f, "{}\u{a0}B", self.0);
        }
        // Rounded to the nearest tenth; what rounds up to 1000 is one of the next unit.
        let tenths = |unit: u64| (self.0 / (unit / 20)).div_ceil(2);
        let units = [
            (1_000, "kB"),
            (1_000_000, "MB"),
            (1_000_000_000, "GB"),
            (1_000_000_000_000, "TB"),
        ];
        let fitting = units.into_iter().find(|(unit, _)| tenths(*unit) < 10_000);
        let (unit, name) = fitting.unwrap_or((1_000_000_000_000, "TB"));
        let tenths = tenths(unit);
        write!(f, "{}.{}\u{a0}{name}", tenths / 10, tenths % 10)
    }
}

impl HtmlSafe for Size {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1\u{202f}000"),
            (1_234_567, "1\u{202f}234\u{202f}567"),
        ] {
            assert_eq!(Count(number).to_string(), expected);
        }
    }

    #[test]
    fn sizes_have_one_decimal() {
        for (bytes, expected) in [
            (999, "999\u{a0}B"),
            (1_000, "1.0\u{a0}kB"),
            (1_849, "1.8\u{a0}kB"),
            (1_850, "1.9\u{a0}kB"),
            (999_949, "999.9\u{a0}kB"),
            (999_950, "1.0\u{a0}MB"),
            (2_000_000, "2.0\u{a0}MB"),
            (1_999_999_999, "2.0\u{a0}GB"),
            (u64::MAX, "18446744.1\u{a0}TB"),
        ] {
            assert_eq!(Size(bytes).to_string(), expected);
        }
    }
}
