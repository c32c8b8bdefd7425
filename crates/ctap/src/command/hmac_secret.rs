//! The input of the hmac-secret and hmac-secret-mc extensions (CTAP 2.3, sections 12.7 and 12.8).

use alloc::vec::Vec;

use crate::cbor::{Encode, MapBuilder, ReadError, Value};
use crate::cose::KeyAgreementKey;

/// One or two salts, encrypted under the shared secret of a PIN/UV auth protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Input<'a> {
    /// The platform's key agreement key.
    pub key_agreement: KeyAgreementKey,
    /// The salts, encrypted: 32 or 64 bytes, 16 more under protocol 2.
    pub salt_enc: &'a [u8],
    /// The authentication tag over `salt_enc`.
    pub salt_auth: &'a [u8],
    /// The PIN/UV auth protocol; absent means 1.
    pub protocol: Option<u64>,
}

impl<'a> Input<'a> {
    /// Reads the extension's map.
    pub fn parse(value: Value<'a>) -> Result<Self, ReadError> {
        let map = value.map()?;
        Ok(Self {
            key_agreement: KeyAgreementKey::parse(map.required(1)?)?,
            salt_enc: map.required(2)?.bytes()?,
            salt_auth: map.required(3)?.bytes()?,
            protocol: map.optional(4, Value::unsigned)?,
        })
    }
}

impl Encode for Input<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new()
            .put(1, self.key_agreement)
            .put(2, self.salt_enc)
            .put(3, self.salt_auth)
            .put_some(4, self.protocol)
            .encode(out);
    }
}
