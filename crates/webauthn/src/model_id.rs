//! The identifier of a model of authenticators.

use std::fmt;
use std::str::FromStr;

use hallway_ctap::aaguid::Aaguid;

use crate::observer::Hex;

/// The identifier of a U2F model: SHA-1 of the attestation certificate's public key (RFC 5280,
/// 4.2.1.2, method 1).
pub(crate) type KeyIdentifier = [u8; 20];

/// Reads 40 hexadecimal digits.
pub(crate) fn key_identifier_from_hex(text: &str) -> Option<KeyIdentifier> {
    let mut key = [0; 20];
    if text.len() != 2 * key.len() || !text.is_ascii() {
        return None;
    }
    for (i, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(key)
}

/// The identifier of a model.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ModelId {
    /// A FIDO2 model.
    Aaguid(Aaguid),
    /// A U2F model, by its attestation certificate's key.
    Key(KeyIdentifier),
}

/// The text identifies no model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a model: an AAGUID such as 12345678-1234-1234-1234-123456789abc, or the key identifier \
     of a U2F model's attestation certificate, 40 hexadecimal digits"
)]
pub struct NotAModel;

impl FromStr for ModelId {
    type Err = NotAModel;

    fn from_str(text: &str) -> Result<Self, NotAModel> {
        match KeyIdentifier::default().len() * 2 {
            digits if text.len() == digits => key_identifier_from_hex(text)
                .map(Self::Key)
                .ok_or(NotAModel),
            _ => text.parse().map(Self::Aaguid).map_err(|_| NotAModel),
        }
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aaguid(aaguid) => write!(f, "{aaguid}"),
            Self::Key(key) => write!(f, "{}", Hex(key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_named_as_metadata_name_them() {
        for text in [
            "cb69481e-8ff7-4039-93ec-0a2729a154a8",
            "7c0903708b87115b0b422def3138c3c864e44573",
        ] {
            assert_eq!(text.parse::<ModelId>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "7c09",
            "zc0903708b87115b0b422def3138c3c864e44573",
            "any",
        ] {
            assert_eq!(text.parse::<ModelId>(), Err(NotAModel), "{text}");
        }
    }
}
