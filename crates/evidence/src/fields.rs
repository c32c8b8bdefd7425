//! Deterministic CBOR maps with text keys (RFC 8949, 4.2.1), read strictly.
//!
//! For text keys the deterministic order (bytewise, of the encoded keys) and the CTAP2 canonical
//! order (length first) are the same, so [`hallway_ctap::cbor`] checks the form. Bytes that
//! pass, have the expected types and leave no member over are the only encoding of their content.

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::cbor::{self, Form, Malformed};
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use crate::count::Count;
use crate::credential_id::CredentialId;
use crate::id::{DeviceId, GrantId, PersonId};
use crate::line::Line;
use crate::log::tlog_proof::TlogProofError;
use crate::timestamp::Timestamp;

/// Why bytes are not a statement, evidence, a receipt or a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Longer than is allowed.
    #[error("{got} bytes are more than the {limit} that are allowed here")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
        /// The length, in bytes.
        got: usize,
    },
    /// Not deterministic CBOR.
    #[error("not deterministic CBOR: {0}")]
    Malformed(#[from] Malformed),
    /// A member is missing.
    #[error("the member {0:?} is missing")]
    Missing(&'static str),
    /// A member has the wrong CBOR type.
    #[error("the member {0:?} has the wrong CBOR type")]
    WrongType(&'static str),
    /// A member's value is not acceptable.
    #[error("the member {member:?} {reason}")]
    Value {
        /// The name of the member.
        member: &'static str,
        /// The fault in the value.
        reason: &'static str,
    },
    /// A member that does not belong here.
    #[error("the member {0:?} does not belong here")]
    Unknown(String),
    /// A statement of a later version of this format.
    #[error("version {0} of the statement format is not known; this program knows version 1")]
    Version(u64),
    /// An act that no door of this program knows.
    #[error("the act {0:?} is not known to this program; a newer one may know it")]
    UnknownAct(String),
    /// The proof in a receipt is not a tlog-proof.
    #[error("the log proof cannot be read: {0}")]
    Proof(TlogProofError),
    /// The proof in a receipt carries extra data.
    #[error(
        "the log proof has a line of extra data: nothing would authenticate it, and a receipt has one \
         encoding, which has none"
    )]
    ExtraData,
    /// The bytes can be read, but are not the only valid encoding of their content.
    #[error("the bytes are not the only valid encoding of their content")]
    NotDeterministic,
}

/// A word that stands for no value of the enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the word is not known")]
pub struct UnknownWord;

/// A CBOR value as statements use them. Borrows from the encoding or from the typed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// An unsigned integer.
    Uint(u64),
    /// A byte string.
    Bytes(&'a [u8]),
    /// A text string.
    Text(&'a str),
    /// A map with text keys.
    Map(Fields<'a>),
    /// An array.
    List(Vec<Value<'a>>),
}

/// The members of a map.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Fields<'a>(Vec<(&'a str, Value<'a>)>);

/// Why a value does not fit its member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Another CBOR type is expected.
    Type,
    /// The type is right, the value is not.
    Value(&'static str),
}

/// A type that a member's value can be turned into.
pub(crate) trait FromValue<'a>: Sized {
    fn from_value(value: Value<'a>) -> Result<Self, Unfit>;
}

impl<'a> Fields<'a> {
    /// The same members and one more.
    #[must_use]
    pub(crate) fn with(mut self, key: &'a str, value: impl Into<Value<'a>>) -> Self {
        self.0.push((key, value.into()));
        self
    }

    /// The deterministic encoding.
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::with_capacity(512));
        Value::Map(self).write(&mut encoder);
        encoder.into_writer()
    }

    /// Reads exactly one map of at most `limit` bytes.
    pub(crate) fn decode(bytes: &'a [u8], limit: usize) -> Result<Self, DecodeError> {
        if bytes.len() > limit {
            return Err(DecodeError::TooLarge {
                limit,
                got: bytes.len(),
            });
        }
        cbor::check(bytes, Form::Canonical)?;
        match Value::read(&mut Decoder::new(bytes)) {
            Ok(Value::Map(fields)) => Ok(fields),
            Ok(_) => Err(DecodeError::Malformed(Malformed::NotMap)),
            Err(error) => Err(error),
        }
    }

    /// Whether there is such a member.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| *name == key)
    }

    /// Takes a member that must be there.
    pub(crate) fn take<T: FromValue<'a>>(&mut self, key: &'static str) -> Result<T, DecodeError> {
        self.take_optional(key)?.ok_or(DecodeError::Missing(key))
    }

    /// Takes a member that may be missing.
    pub(crate) fn take_optional<T: FromValue<'a>>(
        &mut self,
        key: &'static str,
    ) -> Result<Option<T>, DecodeError> {
        let Some(at) = self.0.iter().position(|(name, _)| *name == key) else {
            return Ok(None);
        };
        match T::from_value(self.0.swap_remove(at).1) {
            Ok(value) => Ok(Some(value)),
            Err(Unfit::Type) => Err(DecodeError::WrongType(key)),
            Err(Unfit::Value(reason)) => Err(DecodeError::Value {
                member: key,
                reason,
            }),
        }
    }

    /// Checks that every member was taken.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        match self.0.first() {
            None => Ok(()),
            Some((key, _)) => Err(DecodeError::Unknown((*key).to_owned())),
        }
    }
}

impl<'a> Value<'a> {
    fn write(self, encoder: &mut Encoder<Vec<u8>>) {
        // Writing to a Vec cannot fail.
        let _ = match self {
            Self::Uint(value) => encoder.u64(value).map(drop),
            Self::Bytes(bytes) => encoder.bytes(bytes).map(drop),
            Self::Text(text) => encoder.str(text).map(drop),
            Self::List(values) => {
                let started = encoder.array(values.len() as u64).map(drop);
                values.into_iter().for_each(|value| value.write(encoder));
                started
            }
            Self::Map(Fields(mut entries)) => {
                entries.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then(a.cmp(b)));
                let started = encoder.map(entries.len() as u64).map(drop);
                for (key, value) in entries {
                    let _ = encoder.str(key);
                    value.write(encoder);
                }
                started
            }
        };
    }

    /// Reads a value whose form was checked: the depth is bounded by [`Form::Canonical`].
    fn read(decoder: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        // The form was checked before: what fails now is a type that statements do not use.
        let unused = |_| DecodeError::Malformed(Malformed::Length);
        match decoder.datatype().map_err(unused)? {
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => {
                decoder.u64().map(Self::Uint).map_err(unused)
            }
            Type::Bytes => decoder.bytes().map(Self::Bytes).map_err(unused),
            Type::String => decoder.str().map(Self::Text).map_err(unused),
            Type::Array => {
                let length = decoder.array().map_err(unused)?.unwrap_or(0);
                (0..length)
                    .map(|_| Self::read(decoder))
                    .collect::<Result<_, _>>()
                    .map(Self::List)
            }
            Type::Map => {
                let length = decoder.map().map_err(unused)?.unwrap_or(0);
                let mut entries = Vec::new();
                for _ in 0..length {
                    let key = decoder.str().map_err(|_| DecodeError::WrongType("a key"))?;
                    entries.push((key, Self::read(decoder)?));
                }
                Ok(Self::Map(Fields(entries)))
            }
            _ => Err(DecodeError::WrongType("a value")),
        }
    }
}

/// Conversions in both directions, for the types that members have.
macro_rules! member {
    ($type:ty, $value:ident => $to:expr, $from:pat => $read:expr) => {
        impl<'a> From<&'a $type> for Value<'a> {
            fn from($value: &'a $type) -> Self {
                $to
            }
        }

        impl<'a> FromValue<'a> for $type {
            fn from_value(value: Value<'a>) -> Result<Self, Unfit> {
                match value {
                    $from => $read,
                    _ => Err(Unfit::Type),
                }
            }
        }
    };
}

member!(Count, value => Value::Uint(value.get()), Value::Uint(number) => {
    Count::new(number).map_err(|_| Unfit::Value("is larger than 2^63 - 1"))
});
member!(Timestamp, value => Value::Uint(value.as_ms()), Value::Uint(ms) => {
    Timestamp::try_from(ms).map_err(|_| Unfit::Value("lies after the year 9999"))
});
member!(Line, value => Value::Text(value), Value::Text(text) => {
    Line::new(text).map_err(|_| Unfit::Value("is empty, too long, or has characters that could deceive"))
});
member!(PersonId, value => Value::Bytes(value.as_bytes()), Value::Bytes(bytes) => {
    array(bytes).map(PersonId::from_bytes)
});
member!(DeviceId, value => Value::Bytes(value.as_bytes()), Value::Bytes(bytes) => {
    array(bytes).map(DeviceId::from_bytes)
});
member!(GrantId, value => Value::Bytes(value.as_bytes()), Value::Bytes(bytes) => {
    array(bytes).map(GrantId::from_bytes)
});
member!(Aaguid, value => Value::Bytes(&value.0), Value::Bytes(bytes) => array(bytes).map(Aaguid));
member!(CredentialId, value => Value::Bytes(value.as_bytes()), Value::Bytes(bytes) => {
    CredentialId::new(bytes).map_err(|_| Unfit::Value("is empty or longer than 1023 bytes"))
});

// A `u64` is only written: a number is read as a `Count`.
impl<'a> From<&'a u64> for Value<'a> {
    fn from(number: &'a u64) -> Self {
        Self::Uint(*number)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a, const N: usize> FromValue<'a> for [u8; N] {
    fn from_value(value: Value<'a>) -> Result<Self, Unfit> {
        <&[u8]>::from_value(value).and_then(array)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> FromValue<'a> for &'a [u8] {
    fn from_value(value: Value<'a>) -> Result<Self, Unfit> {
        match value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(Unfit::Type),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> FromValue<'a> for &'a str {
    fn from_value(value: Value<'a>) -> Result<Self, Unfit> {
        match value {
            Value::Text(text) => Ok(text),
            _ => Err(Unfit::Type),
        }
    }
}

impl<'a> From<Fields<'a>> for Value<'a> {
    fn from(fields: Fields<'a>) -> Self {
        Self::Map(fields)
    }
}

impl<'a> FromValue<'a> for Fields<'a> {
    fn from_value(value: Value<'a>) -> Result<Self, Unfit> {
        match value {
            Value::Map(fields) => Ok(fields),
            _ => Err(Unfit::Type),
        }
    }
}

impl<'a> FromValue<'a> for Vec<Value<'a>> {
    fn from_value(value: Value<'a>) -> Result<Self, Unfit> {
        match value {
            Value::List(values) => Ok(values),
            _ => Err(Unfit::Type),
        }
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Unfit> {
    bytes
        .try_into()
        .map_err(|_| Unfit::Value("has the wrong length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_sorted_and_read_back() {
        let bytes = Fields::default()
            .with("bb", &7u64)
            .with("c", "text")
            .with("a", &[1u8, 2][..])
            .encode();
        assert_eq!(hex::encode(&bytes), "a361614201026163647465787462626207");
        let mut fields = Fields::decode(&bytes, 64).unwrap();
        assert_eq!(
            fields.take("bb"),
            Count::new(7).map_err(|_| DecodeError::NotDeterministic)
        );
        assert_eq!(fields.take::<&[u8]>("a"), Ok(&[1u8, 2][..]));
        assert_eq!(
            fields.clone().finish(),
            Err(DecodeError::Unknown("c".into()))
        );
        assert_eq!(fields.take::<&str>("c"), Ok("text"));
        assert_eq!(fields.finish(), Ok(()));
    }

    #[test]
    fn malformed_maps_are_refused() {
        let refuse = |hex: &str| Fields::decode(&hex::decode(hex).unwrap(), 8).unwrap_err();
        assert_eq!(refuse("01"), DecodeError::Malformed(Malformed::NotMap));
        assert_eq!(refuse("a16161f5"), DecodeError::WrongType("a value"));
        assert_eq!(refuse("a16161f90000"), DecodeError::WrongType("a value"));
        assert_eq!(refuse("a1616120"), DecodeError::WrongType("a value"));
        assert_eq!(refuse("a10102"), DecodeError::WrongType("a key"));
        assert_eq!(
            refuse("a161611817"),
            DecodeError::Malformed(Malformed::NotShortest)
        );
        assert_eq!(
            refuse("a1616146000000000000"),
            DecodeError::TooLarge { limit: 8, got: 10 }
        );
        let bytes = Fields::default().with("n", &[0u8; 15]).encode();
        let mut fields = Fields::decode(&bytes, 64).unwrap();
        assert_eq!(fields.take::<Count>("m"), Err(DecodeError::Missing("m")));
        assert_eq!(
            fields.take::<[u8; 16]>("n"),
            Err(DecodeError::Value {
                member: "n",
                reason: "has the wrong length"
            })
        );
    }

    proptest::proptest! {
        #[test]
        fn a_number_is_read_if_a_store_can_keep_it(number: u64) {
            let bytes = Fields::default().with("n", &number).encode();
            let read = Fields::decode(&bytes, 64).unwrap().take::<Count>("n");
            match i64::try_from(number) {
                Ok(_) => proptest::prop_assert_eq!(read.unwrap().get(), number),
                Err(_) => proptest::prop_assert_eq!(
                    read,
                    Err(DecodeError::Value { member: "n", reason: "is larger than 2^63 - 1" })
                ),
            }
        }

        #[test]
        fn a_map_that_is_read_has_one_encoding(bytes: Vec<u8>) {
            if let Ok(fields) = Fields::decode(&bytes, 4096) {
                proptest::prop_assert_eq!(fields.encode(), bytes);
            }
        }
    }
}
