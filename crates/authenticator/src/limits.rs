//! Limits that getInfo tells and several commands keep.

/// Credentials in an allow or exclude list: this many of the longest ids do not fit a message.
pub(crate) const MAX_LISTED_CREDENTIALS: usize = 64;

/// The longest credBlob that a credential keeps.
pub(crate) const MAX_CRED_BLOB_BYTES: usize = 32;
