//! authenticatorLargeBlobs (CTAP 2.3, section 6.10).

use alloc::vec::Vec;

use super::code;
use crate::cbor::{Encode, Map, MapBuilder, Value};
use crate::status::Status;

/// An authenticatorLargeBlobs request. The authenticator checks which members go together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Request<'a> {
    /// Read this many bytes.
    pub get: Option<u64>,
    /// Write these bytes.
    pub set: Option<&'a [u8]>,
    /// The offset of the first byte.
    pub offset: Option<u64>,
    /// Bytes of the whole array, in the first write.
    pub length: Option<u64>,
    /// pinUvAuthParam.
    pub pin_uv_auth_param: Option<&'a [u8]>,
    /// pinUvAuthProtocol.
    pub pin_uv_auth_protocol: Option<u64>,
}

impl<'a> Request<'a> {
    /// Reads the members of the request.
    pub(super) fn parse(map: &Map<'a>) -> Result<Self, Status> {
        Ok(Self {
            get: map.optional(1, Value::unsigned)?,
            set: map.optional(2, Value::bytes)?,
            offset: map.optional(3, Value::unsigned)?,
            length: map.optional(4, Value::unsigned)?,
            pin_uv_auth_param: map.optional(5, Value::bytes)?,
            pin_uv_auth_protocol: map.optional(6, Value::unsigned)?,
        })
    }

    /// The command byte and the canonical map.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = alloc::vec![code::LARGE_BLOBS];
        MapBuilder::new()
            .put_some(1, self.get)
            .put_some(2, self.set)
            .put_some(3, self.offset)
            .put_some(4, self.length)
            .put_some(5, self.pin_uv_auth_param)
            .put_some(6, self.pin_uv_auth_protocol)
            .encode(&mut out);
        out
    }
}

/// The authenticator's answer to a read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// A part of the serialised large-blob array.
    pub config: Vec<u8>,
}

impl Response {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new().put(1, &self.config).encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;

    #[test]
    fn requests_survive_a_round_trip() {
        let request = Request {
            set: Some(&[1; 100]),
            offset: Some(0),
            length: Some(100),
            pin_uv_auth_param: Some(&[2; 32]),
            pin_uv_auth_protocol: Some(2),
            get: None,
        };
        assert_eq!(
            Command::parse(&request.encode()),
            Ok(Command::LargeBlobs(request))
        );
    }
}
