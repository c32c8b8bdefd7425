//! Text that is shown to people before they touch their key.

use core::fmt;
use core::ops::Deref;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::printable::is_unprintable;

/// One line of text: 1 to 255 bytes of UTF-8 without control characters, line separators, invisible
/// characters or those that change the writing direction, so that a sentence reads as it was meant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Line(String);

/// Why text is not a [`Line`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// No text at all.
    #[error("it is empty; write something")]
    Empty,
    /// More than [`Line::MAX_BYTES`].
    #[error("it is {0} bytes long; at most 255 are allowed")]
    TooLong(usize),
    /// A control character, line separator, direction mark or invisible character.
    #[error("it holds the character U+{:04X}, which could hide what it says", u32::from(*.0))]
    Character(char),
}

impl Line {
    /// The longest line, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 255;

    /// Takes `text` if it is acceptable.
    ///
    /// # Errors
    /// [`LineError`] says what is wrong with it.
    pub fn new(text: impl Into<String>) -> Result<Self, LineError> {
        let text = text.into();
        if text.is_empty() {
            return Err(LineError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(LineError::TooLong(text.len()));
        }
        match text.chars().find(|c| deceptive(*c)) {
            Some(c) => Err(LineError::Character(c)),
            None => Ok(Self(text)),
        }
    }

    /// The nearest acceptable line: each character that is not acceptable becomes U+FFFD, a long
    /// text is cut, and an empty one becomes `-`. For names from outside, such as those of files.
    #[must_use]
    pub fn nearest(text: &str) -> Self {
        let mut line = String::new();
        for c in text.chars() {
            let c = if deceptive(c) { '\u{fffd}' } else { c };
            if line.len() + c.len_utf8() > Self::MAX_BYTES {
                break;
            }
            line.push(c);
        }
        if line.is_empty() {
            line.push('-');
        }
        Self(line)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a character can change how the text around it looks. Variation selectors only choose
/// among the shapes of the character before them, which many emoji need.
fn deceptive(c: char) -> bool {
    is_unprintable(c) && !matches!(c, '\u{fe00}'..='\u{fe0f}')
}

impl Deref for Line {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl FromStr for Line {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Line {
    type Error = LineError;

    fn try_from(text: String) -> Result<Self, LineError> {
        Self::new(text)
    }
}

impl From<Line> for String {
    fn from(line: Line) -> Self {
        line.0
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deceptive_characters_are_refused() {
        assert_eq!(Line::new(""), Err(LineError::Empty));
        assert_eq!(Line::new("a\nb"), Err(LineError::Character('\n')));
        assert_eq!(
            Line::new("gpj\u{202e}.exe"),
            Err(LineError::Character('\u{202e}'))
        );
        assert_eq!(Line::new("x".repeat(256)), Err(LineError::TooLong(256)));
        for hidden in [
            '\u{61c}',
            '\u{ad}',
            '\u{200d}',
            '\u{e0041}',
            '\u{fff9}',
            '\u{ffff}',
        ] {
            let text = format!("a{hidden}b");
            assert_eq!(Line::new(text), Err(LineError::Character(hidden)));
        }
        assert!(Line::new("Emily’s camera – 写真 ❤\u{fe0f}").is_ok());
    }

    proptest::proptest! {
        #[test]
        fn the_nearest_line_is_a_line(text: String) {
            let line = Line::nearest(&text);
            proptest::prop_assert_eq!(Line::new(line.as_str()), Ok(line));
        }
    }
}
