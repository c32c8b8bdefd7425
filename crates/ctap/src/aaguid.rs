//! The identifier of an authenticator's model.

use core::fmt;
use core::str::FromStr;

/// An AAGUID: 16 bytes that name the model of an authenticator (WebAuthn Level 3, 6.5.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Aaguid(pub [u8; 16]);

impl Aaguid {
    /// All zero: a U2F authenticator, or a platform that hides the model.
    pub const ZERO: Self = Self([0; 16]);

    /// A key in a file: Hallway's software key, unless its maker gave it another model.
    pub const SOFTWARE_KEY: Self = Self([
        0x68, 0x61, 0x6c, 0x6c, 0x77, 0x61, 0x79, 0x4b, 0x8e, 0x1d, 0x5c, 0x27, 0xa0, 0x9b, 0x44,
        0x01,
    ]);
}

impl fmt::Display for Aaguid {
    /// Prints in the form of a UUID, `8-4-4-4-12` hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Aaguid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aaguid({self})")
    }
}

/// The text is not an AAGUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an AAGUID is 32 hexadecimal digits, with or without hyphens")]
pub struct AaguidError;

impl FromStr for Aaguid {
    type Err = AaguidError;

    fn from_str(text: &str) -> Result<Self, AaguidError> {
        let mut bytes = [0u8; 16];
        let mut digits = 0;
        for c in text.chars().filter(|c| *c != '-') {
            let value = c.to_digit(16).ok_or(AaguidError)?;
            let byte = bytes.get_mut(digits / 2).ok_or(AaguidError)?;
            *byte = *byte << 4 | value as u8;
            digits += 1;
        }
        if digits == 32 {
            Ok(Self(bytes))
        } else {
            Err(AaguidError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn text_and_bytes_agree() {
        let text = "8446ccb9-ab1d-b374-750b-2367ff6f3a1f";
        let parsed: Aaguid = text.parse().unwrap();
        assert_eq!(parsed.0[0], 0x84);
        assert_eq!(parsed.to_string(), text);
    }

    #[test]
    fn wrong_lengths_and_letters_are_refused() {
        for text in [
            "",
            "8446ccb9",
            "8446ccb9ab1db374750b2367ff6f3a1f00",
            "zz46ccb9ab1db374750b2367ff6f3a1f",
        ] {
            assert_eq!(text.parse::<Aaguid>(), Err(AaguidError));
        }
    }
}
