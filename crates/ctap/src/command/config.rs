//! authenticatorConfig (CTAP 2.3, section 6.11).

use alloc::vec::Vec;

use super::code;
use crate::cbor::{Encode, Encoded, List, Map, MapBuilder, Value};
use crate::status::Status;

/// The subcommands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subcommand<'a> {
    /// Allow enterprise attestation.
    EnableEnterpriseAttestation,
    /// Demand user verification always, or no longer.
    ToggleAlwaysUv,
    /// Set the PIN policy.
    SetMinPinLength(PinPolicy<'a>),
    /// Demand a long touch before a reset.
    EnableLongTouchForReset,
}

/// The parameters of setMinPINLength.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PinPolicy<'a> {
    /// The shortest PIN, in code points; never less than before.
    pub new_min_pin_length: Option<u64>,
    /// Relying parties that may learn of the policy.
    pub rp_ids: Option<Vec<&'a str>>,
    /// The PIN must be changed before it is good for anything else.
    pub force_change_pin: Option<bool>,
    /// PINs must not be trivial.
    pub pin_complexity_policy: Option<bool>,
}

/// What the platform asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request<'a> {
    /// Which operation.
    pub subcommand: Subcommand<'a>,
    /// subCommandParams as they were sent: part of what pinUvAuthParam covers.
    pub raw_parameters: Option<&'a [u8]>,
    /// pinUvAuthProtocol.
    pub pin_uv_auth_protocol: Option<u64>,
    /// pinUvAuthParam.
    pub pin_uv_auth_param: Option<&'a [u8]>,
}

impl Subcommand<'_> {
    /// The code that is sent and authenticated.
    pub const fn code(&self) -> u8 {
        match self {
            Self::EnableEnterpriseAttestation => 1,
            Self::ToggleAlwaysUv => 2,
            Self::SetMinPinLength(_) => 3,
            Self::EnableLongTouchForReset => 4,
        }
    }

    /// subCommandParams, for the subcommand that has any.
    pub fn parameters(&self) -> Option<Vec<u8>> {
        let Self::SetMinPinLength(policy) = self else {
            return None;
        };
        Some(
            MapBuilder::new()
                .put_some(1, policy.new_min_pin_length)
                .put_some(2, policy.rp_ids.as_deref().map(List))
                .put_some(3, policy.force_change_pin)
                .put_some(4, policy.pin_complexity_policy)
                .finish(),
        )
    }
}

impl<'a> Request<'a> {
    /// Reads the members of the request.
    pub(super) fn parse(map: &Map<'a>) -> Result<Self, Status> {
        let parameters = map.optional(2, Value::map)?;
        let subcommand = match map.required(1)?.unsigned()? {
            1 => Subcommand::EnableEnterpriseAttestation,
            2 => Subcommand::ToggleAlwaysUv,
            3 => Subcommand::SetMinPinLength(match &parameters {
                Some(map) => PinPolicy {
                    new_min_pin_length: map.optional(1, Value::unsigned)?,
                    rp_ids: map
                        .optional(2, |value| value.list()?.iter().map(Value::text).collect())?,
                    force_change_pin: map.optional(3, Value::bool)?,
                    pin_complexity_policy: map.optional(4, Value::bool)?,
                },
                None => PinPolicy::default(),
            }),
            4 => Subcommand::EnableLongTouchForReset,
            _ => return Err(Status::InvalidSubcommand),
        };
        Ok(Self {
            subcommand,
            raw_parameters: parameters.map(|map| map.raw()),
            pin_uv_auth_protocol: map.optional(3, Value::unsigned)?,
            pin_uv_auth_param: map.optional(4, Value::bytes)?,
        })
    }

    /// The command byte and the canonical map.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = alloc::vec![code::CONFIG];
        MapBuilder::new()
            .put(1, self.subcommand.code())
            .put_some(2, self.subcommand.parameters().as_deref().map(Encoded))
            .put_some(3, self.pin_uv_auth_protocol)
            .put_some(4, self.pin_uv_auth_param)
            .encode(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;

    #[test]
    fn requests_survive_a_round_trip() {
        for subcommand in [
            Subcommand::EnableEnterpriseAttestation,
            Subcommand::ToggleAlwaysUv,
            Subcommand::SetMinPinLength(PinPolicy {
                new_min_pin_length: Some(6),
                rp_ids: Some(alloc::vec!["gate.example"]),
                force_change_pin: Some(true),
                pin_complexity_policy: None,
            }),
            Subcommand::EnableLongTouchForReset,
        ] {
            let raw = subcommand.parameters();
            let request = Request {
                subcommand,
                raw_parameters: raw.as_deref(),
                pin_uv_auth_protocol: Some(2),
                pin_uv_auth_param: Some(&[3; 32]),
            };
            assert_eq!(
                Command::parse(&request.encode()),
                Ok(Command::Config(request))
            );
        }
    }
}
