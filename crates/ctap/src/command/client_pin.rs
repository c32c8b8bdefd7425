//! authenticatorClientPIN (CTAP 2.3, section 6.5).

use alloc::vec::Vec;
use core::ops::BitOr;

use super::code;
use crate::cbor::{Encode, Map, MapBuilder, ReadError, Value};
use crate::cose::KeyAgreementKey;
use crate::status::Status;

/// The subcommands of authenticatorClientPIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subcommand {
    /// How many PIN tries are left.
    GetPinRetries,
    /// The authenticator's key agreement key.
    GetKeyAgreement,
    /// Set the first PIN.
    SetPin,
    /// Change the PIN.
    ChangePin,
    /// Get a token by PIN, with the default permissions.
    GetPinToken,
    /// Get a token by built-in user verification.
    GetTokenUsingUv,
    /// How many tries of built-in user verification are left.
    GetUvRetries,
    /// Get a token by PIN, with the permissions asked for.
    GetTokenUsingPin,
}

impl Subcommand {
    const ALL: [(u64, Self); 8] = [
        (1, Self::GetPinRetries),
        (2, Self::GetKeyAgreement),
        (3, Self::SetPin),
        (4, Self::ChangePin),
        (5, Self::GetPinToken),
        (6, Self::GetTokenUsingUv),
        (7, Self::GetUvRetries),
        (9, Self::GetTokenUsingPin),
    ];

    fn from_code(code: u64) -> Option<Self> {
        Self::ALL.iter().find(|(c, _)| *c == code).map(|(_, s)| *s)
    }

    fn code(self) -> u64 {
        Self::ALL
            .iter()
            .find(|(_, s)| *s == self)
            .map_or(0, |(c, _)| *c)
    }
}

/// What a PIN/UV auth token permits (6.5.5.7): a set of bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Permissions(u64);

impl Permissions {
    /// mc: make a credential.
    pub const MAKE_CREDENTIAL: Self = Self(0x01);
    /// ga: get an assertion.
    pub const GET_ASSERTION: Self = Self(0x02);
    /// cm: manage credentials.
    pub const CREDENTIAL_MANAGEMENT: Self = Self(0x04);
    /// be: enrol fingerprints.
    pub const BIO_ENROLLMENT: Self = Self(0x08);
    /// lbw: write large blobs.
    pub const LARGE_BLOB_WRITE: Self = Self(0x10);
    /// acfg: configure the authenticator.
    pub const CONFIG: Self = Self(0x20);
    /// pcmr: read the list of credentials, with a token that persists.
    pub const PERSISTENT_READ_ONLY: Self = Self(0x40);

    /// Every permission that is defined.
    pub const ALL: Self = Self(0x7f);

    /// From the bits as sent, undefined ones too.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits as sent.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The permissions of both sets.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every permission of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any permission of `other` is in this set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Permissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

/// An authenticatorClientPIN request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request<'a> {
    /// pinUvAuthProtocol.
    pub protocol: Option<u64>,
    /// The operation to perform.
    pub subcommand: Subcommand,
    /// The platform's key agreement key.
    pub key_agreement: Option<KeyAgreementKey>,
    /// pinUvAuthParam.
    pub pin_uv_auth_param: Option<&'a [u8]>,
    /// The new PIN, encrypted.
    pub new_pin_enc: Option<&'a [u8]>,
    /// The first 16 bytes of the PIN's SHA-256, encrypted.
    pub pin_hash_enc: Option<&'a [u8]>,
    /// The permissions asked for the token.
    pub permissions: Option<Permissions>,
    /// The relying party id that the token will be bound to.
    pub rp_id: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// A request with nothing but its subcommand.
    pub const fn new(subcommand: Subcommand) -> Self {
        Self {
            protocol: None,
            subcommand,
            key_agreement: None,
            pin_uv_auth_param: None,
            new_pin_enc: None,
            pin_hash_enc: None,
            permissions: None,
            rp_id: None,
        }
    }

    /// Reads the members of the request.
    pub(super) fn parse(map: &Map<'a>) -> Result<Self, Status> {
        let subcommand = map.required(2)?.unsigned()?;
        Ok(Self {
            protocol: map.optional(1, Value::unsigned)?,
            subcommand: Subcommand::from_code(subcommand).ok_or(Status::InvalidSubcommand)?,
            key_agreement: map.optional(3, KeyAgreementKey::parse)?,
            pin_uv_auth_param: map.optional(4, Value::bytes)?,
            new_pin_enc: map.optional(5, Value::bytes)?,
            pin_hash_enc: map.optional(6, Value::bytes)?,
            permissions: map.optional(9, Value::unsigned)?.map(Permissions),
            rp_id: map.optional(10, Value::text)?,
        })
    }

    /// The command byte and the canonical map.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = alloc::vec![code::CLIENT_PIN];
        MapBuilder::new()
            .put_some(1, self.protocol)
            .put(2, self.subcommand.code())
            .put_some(3, self.key_agreement)
            .put_some(4, self.pin_uv_auth_param)
            .put_some(5, self.new_pin_enc)
            .put_some(6, self.pin_hash_enc)
            .put_some(9, self.permissions.map(Permissions::bits))
            .put_some(10, self.rp_id)
            .encode(&mut out);
        out
    }
}

/// The authenticator's answer; the subcommand decides which members are present.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Response {
    /// The authenticator's key agreement key.
    pub key_agreement: Option<KeyAgreementKey>,
    /// The PIN/UV auth token, encrypted.
    pub token: Option<Vec<u8>>,
    /// PIN tries left.
    pub pin_retries: Option<u64>,
    /// Whether a power cycle is needed before the next try.
    pub power_cycle_needed: Option<bool>,
    /// Tries of built-in user verification left.
    pub uv_retries: Option<u64>,
}

impl Response {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut map = MapBuilder::new();
        map.put_some(1, self.key_agreement)
            .put_some(2, self.token.as_ref())
            .put_some(3, self.pin_retries)
            .put_some(4, self.power_cycle_needed)
            .put_some(5, self.uv_retries);
        if !map.is_empty() {
            map.encode(out);
        }
    }

    /// Reads the map that [`answer`](super::answer) split off.
    pub fn parse(map: &Map<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            key_agreement: map.optional(1, KeyAgreementKey::parse)?,
            token: map.optional(2, |value| Ok(value.bytes()?.to_vec()))?,
            pin_retries: map.optional(3, Value::unsigned)?,
            power_cycle_needed: map.optional(4, Value::bool)?,
            uv_retries: map.optional(5, Value::unsigned)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;

    #[test]
    fn requests_survive_a_round_trip() {
        let request = Request {
            protocol: Some(2),
            key_agreement: Some(KeyAgreementKey {
                x: [1; 32],
                y: [2; 32],
            }),
            pin_hash_enc: Some(&[3; 32]),
            permissions: Some(Permissions::MAKE_CREDENTIAL | Permissions::GET_ASSERTION),
            rp_id: Some("example.org"),
            ..Request::new(Subcommand::GetTokenUsingPin)
        };
        assert_eq!(
            Command::parse(&request.encode()),
            Ok(Command::ClientPin(request))
        );
    }

    #[test]
    fn an_unknown_subcommand_is_refused() {
        assert_eq!(
            Command::parse(&[code::CLIENT_PIN, 0xa2, 1, 2, 2, 8]),
            Err(Status::InvalidSubcommand)
        );
    }

    #[test]
    fn responses_survive_a_round_trip() {
        let response = Response {
            token: Some(alloc::vec![1; 48]),
            pin_retries: Some(8),
            power_cycle_needed: Some(false),
            ..Response::default()
        };
        let bytes = crate::command::Response::ClientPin(response.clone()).encode();
        let map = crate::command::answer(&bytes).unwrap().unwrap();
        assert_eq!(Response::parse(&map), Ok(response));
    }
}
