//! The largeBlob extension, which hands whole blobs to the authenticator (CTAP 2.3, section 12.4).

use alloc::vec::Vec;

use crate::cbor::{Encode, Malformed, Map, MapBuilder, ReadError, Value};

/// Inputs that the definition does not allow are refused as invalid CBOR.
const NOT_ALLOWED: ReadError = ReadError::Malformed(Malformed::NotAllowed);

/// The input at makeCredential.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Support {
    /// The credential should be able to have a blob.
    Preferred,
    /// makeCredential fails if the credential cannot have a blob.
    Required,
}

impl Support {
    /// Reads the extension's map.
    ///
    /// # Errors
    /// [`ReadError::Malformed`] for anything but `support`.
    pub fn parse(value: Value<'_>) -> Result<Self, ReadError> {
        let map = members(value, &["support"])?;
        match map.get("support") {
            Some(Value::Text("preferred")) => Ok(Self::Preferred),
            Some(Value::Text("required")) => Ok(Self::Required),
            _ => Err(NOT_ALLOWED),
        }
    }
}

impl Encode for Support {
    fn encode(&self, out: &mut Vec<u8>) {
        let support = match self {
            Self::Preferred => "preferred",
            Self::Required => "required",
        };
        MapBuilder::new().put("support", support).encode(out);
    }
}

/// The input at getAssertion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access<'a> {
    /// Return the blob.
    Read,
    /// Store this blob in place of the one before.
    Write {
        /// Compressed by the platform (RFC 1951).
        blob: &'a [u8],
        /// Bytes before compression.
        original_size: u64,
    },
}

impl<'a> Access<'a> {
    /// Reads the extension's map.
    ///
    /// # Errors
    /// [`ReadError::Malformed`] for anything but `read` alone, or `write` with `originalSize`.
    pub fn parse(value: Value<'a>) -> Result<Self, ReadError> {
        let map = members(value, &["read", "write", "originalSize"])?;
        match (map.get("read"), map.get("write"), map.get("originalSize")) {
            (Some(Value::Bool(true)), None, None) => Ok(Self::Read),
            (None, Some(Value::Bytes(blob)), Some(size)) => Ok(Self::Write {
                blob,
                original_size: size.unsigned().map_err(|_| NOT_ALLOWED)?,
            }),
            _ => Err(NOT_ALLOWED),
        }
    }
}

impl Encode for Access<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut map = MapBuilder::new();
        match *self {
            Self::Read => map.put("read", true),
            Self::Write {
                blob,
                original_size,
            } => map.put("write", blob).put("originalSize", original_size),
        };
        map.encode(out);
    }
}

fn members<'a>(value: Value<'a>, known: &[&str]) -> Result<Map<'a>, ReadError> {
    let Value::Map(map) = value else {
        return Err(NOT_ALLOWED);
    };
    let all_known = map
        .iter()
        .all(|(key, _)| matches!(key, Value::Text(key) if known.contains(&key)));
    if all_known { Ok(map) } else { Err(NOT_ALLOWED) }
}

/// The authenticator's output, unsigned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// To makeCredential: the credential can have a blob.
    Supported,
    /// To a read; a credential without a blob has no output.
    Blob {
        /// The compressed blob, as it was written.
        blob: Vec<u8>,
        /// Bytes before compression.
        original_size: u64,
    },
    /// To a write: whether the blob was stored.
    Written(bool),
}

impl Output {
    /// The map unsignedExtensionOutputs.
    pub(super) fn unsigned(&self) -> Vec<u8> {
        MapBuilder::new().put("largeBlob", self).finish()
    }

    /// Reads this extension's output from the map unsignedExtensionOutputs.
    pub(super) fn parse(value: Value<'_>) -> Result<Option<Self>, ReadError> {
        let Some(output) = value.map()?.optional("largeBlob", Value::map)? else {
            return Ok(None);
        };
        if let Some(supported) = output.optional("supported", Value::bool)? {
            return Ok(supported.then_some(Self::Supported));
        }
        if let Some(written) = output.optional("written", Value::bool)? {
            return Ok(Some(Self::Written(written)));
        }
        let Some(blob) = output.optional("blob", Value::bytes)? else {
            return Ok(None);
        };
        Ok(Some(Self::Blob {
            blob: blob.to_vec(),
            original_size: output.required("originalSize")?.unsigned()?,
        }))
    }
}

impl Encode for Output {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut map = MapBuilder::new();
        match self {
            Self::Supported => map.put("supported", true),
            Self::Written(written) => map.put("written", *written),
            Self::Blob {
                blob,
                original_size,
            } => map.put("blob", blob).put("originalSize", *original_size),
        };
        map.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::Form;

    fn refused(map: &MapBuilder) -> bool {
        let bytes = map.finish();
        let value = Value::parse(&bytes, Form::Canonical).unwrap();
        Access::parse(value) == Err(NOT_ALLOWED)
    }

    #[test]
    fn only_a_read_or_a_whole_write_is_taken() {
        assert!(refused(&MapBuilder::new()));
        assert!(refused(MapBuilder::new().put("wrong", "123")));
        assert!(refused(MapBuilder::new().put("read", "true")));
        assert!(refused(MapBuilder::new().put("read", false)));
        assert!(refused(MapBuilder::new().put("write", [1u8; 3])));
        assert!(refused(
            MapBuilder::new()
                .put("read", true)
                .put("write", [1u8; 3])
                .put("originalSize", 3u8)
        ));
        for access in [
            Access::Read,
            Access::Write {
                blob: &[1; 3],
                original_size: 9,
            },
        ] {
            let mut bytes = Vec::new();
            access.encode(&mut bytes);
            let value = Value::parse(&bytes, Form::Canonical).unwrap();
            assert_eq!(Access::parse(value), Ok(access));
        }
    }

    #[test]
    fn outputs_survive_a_round_trip() {
        for output in [
            Output::Supported,
            Output::Written(false),
            Output::Blob {
                blob: alloc::vec![1; 40],
                original_size: 90,
            },
        ] {
            let bytes = output.unsigned();
            let value = Value::parse(&bytes, Form::Canonical).unwrap();
            assert_eq!(Output::parse(value), Ok(Some(output)));
        }
    }
}
