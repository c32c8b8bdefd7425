//! How bytes in statements look in JSON.

use serde::Serializer;

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hexadecimal<S: Serializer>(
    bytes: impl AsRef<[u8]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

/// The same for bytes that may be missing.
pub(super) fn optional_hexadecimal<S: Serializer>(
    bytes: &Option<[u8; 32]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => hexadecimal(bytes, serializer),
        None => serializer.serialize_none(),
    }
}

/// Whatever prints, as it prints.
pub(super) fn displayed<T: core::fmt::Display, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
