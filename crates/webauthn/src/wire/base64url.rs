//! Bytes as base64url text without padding (RFC 4648, section 5).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are base64url text in JSON.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Base64Url(pub Vec<u8>);

/// The text is not base64url without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base64url without padding")]
pub struct Base64UrlError;

impl FromStr for Base64Url {
    type Err = Base64UrlError;

    fn from_str(text: &str) -> Result<Self, Base64UrlError> {
        URL_SAFE_NO_PAD
            .decode(text)
            .map(Self)
            .map_err(|_| Base64UrlError)
    }
}

impl fmt::Display for Base64Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl fmt::Debug for Base64Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base64Url({self})")
    }
}

impl From<Vec<u8>> for Base64Url {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Base64Url {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl AsRef<[u8]> for Base64Url {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Base64Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Base64Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Base64Url;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64url text without padding")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Base64Url, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_agree() {
        let bytes = Base64Url(vec![0xff, 0xee, 0]);
        assert_eq!(serde_json::to_string(&bytes).unwrap(), "\"_-4A\"");
        assert_eq!(
            serde_json::from_str::<Base64Url>("\"_-4A\"").unwrap(),
            bytes
        );
    }

    #[test]
    fn padding_and_other_alphabets_are_refused() {
        for text in ["_-4=", "/+4A", "a", "a b", "_-5"] {
            assert_eq!(text.parse::<Base64Url>(), Err(Base64UrlError), "{text}");
        }
    }
}
