//! Base64url digits one by one, so that a challenge is compared without allocating.

use std::fmt;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The base64url digits of `bytes`, without padding (RFC 4648, section 5).
pub(crate) fn base64url_digits(bytes: &[u8]) -> impl Iterator<Item = char> + '_ {
    bytes.chunks(3).flat_map(|chunk| {
        let group = chunk.iter().enumerate().fold(0u32, |group, (i, byte)| {
            group | u32::from(*byte) << (16 - 8 * i)
        });
        (0..=chunk.len()).map(move |i| char::from(ALPHABET[(group >> (18 - 6 * i)) as usize & 63]))
    })
}

/// Prints bytes as base64url.
pub(crate) struct Base64UrlDigits<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Base64UrlDigits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        base64url_digits(self.0).try_for_each(|digit| write!(f, "{digit}"))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;

    use super::*;

    proptest::proptest! {
        #[test]
        fn digits_are_base64url(bytes: Vec<u8>) {
            let expected = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&bytes);
            proptest::prop_assert_eq!(Base64UrlDigits(&bytes).to_string(), expected);
        }
    }
}
