//! `Repr-Digest` (RFC 9530, 3), of which SHA-256 is read and written.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

/// The SHA-256 in a header's value is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Repr-Digest must be sha-256=:BASE64:")]
pub(crate) struct DigestError;

/// The SHA-256 in a header's value, if it is among the algorithms there.
///
/// # Errors
/// It is there and malformed.
pub(crate) fn read(value: &str) -> Result<Option<[u8; 32]>, DigestError> {
    for item in value.split(',') {
        if let Some(digest) = item.trim().strip_prefix("sha-256=") {
            return digest
                .strip_prefix(':')
                .and_then(|digest| digest.strip_suffix(':'))
                .and_then(|digest| STANDARD.decode(digest).ok())
                .and_then(|digest| digest.try_into().ok())
                .map(Some)
                .ok_or(DigestError);
        }
    }
    Ok(None)
}

/// The header's value.
pub(crate) fn value(sha256: &[u8; 32]) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("sha-256=:{}:", STANDARD.encode(sha256))).ok()
}
