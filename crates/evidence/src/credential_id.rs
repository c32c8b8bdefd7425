//! Credential ids.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallway_ctap::authenticator_data::MAX_CREDENTIAL_ID;
use serde::{Serialize, Serializer};

/// A credential id: 1 to 1023 bytes that an authenticator chose (WebAuthn Level 3, 4). Prints in
/// base64url.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(Vec<u8>);

/// The bytes are not a credential id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a credential id has 1 to 1023 bytes, this one has {0}")]
pub struct CredentialIdError(pub usize);

impl CredentialId {
    /// Accepts 1 to 1023 bytes.
    ///
    /// # Errors
    /// [`CredentialIdError`] for any other number of bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, CredentialIdError> {
        let bytes = bytes.into();
        match bytes.len() {
            1..=MAX_CREDENTIAL_ID => Ok(Self(bytes)),
            length => Err(CredentialIdError(length)),
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialId({self})")
    }
}

impl Serialize for CredentialId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
