//! The one-time code that a device shows and its owner types (RFC 8628, 6.1).

use std::fmt;

use hallway_spine::operator_key::{OperatorKeyError, random_bytes};
use hallway_spine::sha256;

/// Letters without vowels, so that no code spells a word, and without look-alikes: 20 of them,
/// as RFC 8628, 6.1 proposes. Eight make 2.56 × 10^10 codes.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

/// A code of eight letters.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode([u8; LENGTH]);

impl UserCode {
    /// A new code, every letter equally likely.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn generate() -> Result<Self, OperatorKeyError> {
        let mut code = [0; LENGTH];
        for letter in &mut code {
            // 240 is the largest multiple of 20 that a byte can hold: larger ones would favour
            // the first letters.
            let index = loop {
                let [byte] = *random_bytes::<1>()?;
                if byte < 240 {
                    break usize::from(byte) % LETTERS.len();
                }
            };
            *letter = LETTERS[index];
        }
        Ok(Self(code))
    }

    /// Reads what a person typed: case, spaces and hyphens do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let mut code = [0; LENGTH];
        let mut length = 0;
        for c in text
            .chars()
            .take(4 * LENGTH)
            .filter(|c| !c.is_whitespace() && *c != '-')
        {
            let letter = u8::try_from(c.to_ascii_uppercase())
                .ok()
                .filter(|l| LETTERS.contains(l))?;
            *code.get_mut(length)? = letter;
            length += 1;
        }
        (length == LENGTH).then_some(Self(code))
    }

    /// SHA-256 of the letters: what the store keeps.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.0)
    }
}

impl fmt::Display for UserCode {
    /// `BCDF-GHJK`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, letter) in self.0.iter().enumerate() {
            if i == LENGTH / 2 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(*letter))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_code_can_be_typed_back() {
        let code = UserCode::generate().unwrap();
        let shown = code.to_string();
        assert_eq!(shown.len(), 9);
        assert!(UserCode::parse(&shown) == Some(code.clone()));
        assert!(
            UserCode::parse(&format!(" {} ", shown.to_lowercase().replace('-', " "))) == Some(code)
        );
    }

    #[test]
    fn anything_else_is_no_code() {
        for text in [
            "",
            "BCDF",
            "BCDF-GHJA",
            "BCDF-GHJKL",
            "ÄCDF-GHJK",
            &"-".repeat(1000),
        ] {
            assert!(UserCode::parse(text).is_none(), "{text}");
        }
    }
}
