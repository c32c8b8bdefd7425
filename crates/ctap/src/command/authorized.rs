//! The form that commands with subcommands share: a subcommand, its parameters, and the
//! pinUvAuthParam that covers both (CTAP 2.3, sections 6.7, 6.8 and 6.11).

use alloc::vec::Vec;

use crate::cbor::{Encode, Encoded, Map, MapBuilder, ReadError, Value};
use crate::status::Status;

/// The parts in which such commands differ.
pub trait Subcommand<'a>: Sized {
    /// The command byte.
    const COMMAND: u8;
    /// The key of the member `subCommand`; parameters, protocol and pinUvAuthParam follow it.
    const FIRST_MEMBER: i64;

    /// The code that is sent and authenticated.
    fn code(&self) -> u8;

    /// subCommandParams, for subcommands that have any.
    fn parameters(&self) -> Option<Vec<u8>>;

    /// Reads the subcommand with this code.
    ///
    /// # Errors
    /// [`Status::InvalidSubcommand`] for an unknown code; otherwise the status for the parameters'
    /// fault.
    fn parse(code: u64, parameters: Parameters<'a>) -> Result<Self, Status>;
}

/// subCommandParams as they came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameters<'a>(Option<Map<'a>>);

impl<'a> Parameters<'a> {
    /// The parameter at `key`, or [`ReadError::Missing`].
    pub(super) fn required(&self, key: i64) -> Result<Value<'a>, ReadError> {
        self.0.ok_or(ReadError::Missing)?.required(key)
    }

    /// The parameter at `key` read by `read`; `None` where it is absent.
    pub(super) fn optional<T>(
        &self,
        key: i64,
        read: impl FnOnce(Value<'a>) -> Result<T, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        match &self.0 {
            Some(map) => map.optional(key, read),
            None => Ok(None),
        }
    }
}

/// A request with a subcommand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request<'a, S> {
    /// The operation to perform, with its parameters.
    pub subcommand: S,
    /// subCommandParams as they were sent: part of what pinUvAuthParam covers.
    pub raw_parameters: Option<&'a [u8]>,
    /// pinUvAuthProtocol.
    pub pin_uv_auth_protocol: Option<u64>,
    /// pinUvAuthParam.
    pub pin_uv_auth_param: Option<&'a [u8]>,
}

impl<'a, S: Subcommand<'a>> Request<'a, S> {
    /// Reads the members of the request.
    pub(super) fn parse(map: &Map<'a>) -> Result<Self, Status> {
        let code = map.required(S::FIRST_MEMBER)?.unsigned()?;
        let parameters = map.optional(S::FIRST_MEMBER + 1, Value::map)?;
        Ok(Self {
            subcommand: S::parse(code, Parameters(parameters))?,
            raw_parameters: parameters.map(|map| map.raw()),
            pin_uv_auth_protocol: map.optional(S::FIRST_MEMBER + 2, Value::unsigned)?,
            pin_uv_auth_param: map.optional(S::FIRST_MEMBER + 3, Value::bytes)?,
        })
    }

    /// The command byte and the canonical map.
    pub fn encode(&self) -> Vec<u8> {
        let mut map = MapBuilder::new();
        self.put_members(&mut map);
        let mut out = alloc::vec![S::COMMAND];
        map.encode(&mut out);
        out
    }

    /// Puts the shared members into a map.
    pub(super) fn put_members(&self, map: &mut MapBuilder) {
        map.put(S::FIRST_MEMBER, self.subcommand.code())
            .put_some(
                S::FIRST_MEMBER + 1,
                self.subcommand.parameters().as_deref().map(Encoded),
            )
            .put_some(S::FIRST_MEMBER + 2, self.pin_uv_auth_protocol)
            .put_some(S::FIRST_MEMBER + 3, self.pin_uv_auth_param);
    }
}
