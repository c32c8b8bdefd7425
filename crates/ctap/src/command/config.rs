//! authenticatorConfig (CTAP 2.3, section 6.11).

use alloc::vec::Vec;

use super::authorized::{self, Parameters};
use super::code;
use crate::cbor::{List, MapBuilder, Value};
use crate::status::Status;

/// The subcommands of authenticatorConfig.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subcommand<'a> {
    /// Allow enterprise attestation.
    EnableEnterpriseAttestation,
    /// Always require user verification, or stop requiring it.
    ToggleAlwaysUv,
    /// Set the PIN policy.
    SetMinPinLength(PinPolicy<'a>),
    /// Require a long touch before a reset.
    EnableLongTouchForReset,
}

/// The parameters of setMinPINLength.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PinPolicy<'a> {
    /// The shortest PIN, in code points; never less than before.
    pub new_min_pin_length: Option<u64>,
    /// The ids of relying parties that may read the policy.
    pub rp_ids: Option<Vec<&'a str>>,
    /// The PIN must be changed before it can be used for anything else.
    pub force_change_pin: Option<bool>,
    /// PINs must not be trivial.
    pub pin_complexity_policy: Option<bool>,
}

/// An authenticatorConfig request.
pub type Request<'a> = authorized::Request<'a, Subcommand<'a>>;

impl<'a> authorized::Subcommand<'a> for Subcommand<'a> {
    const COMMAND: u8 = code::CONFIG;
    const FIRST_MEMBER: i64 = 1;

    fn code(&self) -> u8 {
        match self {
            Self::EnableEnterpriseAttestation => 1,
            Self::ToggleAlwaysUv => 2,
            Self::SetMinPinLength(_) => 3,
            Self::EnableLongTouchForReset => 4,
        }
    }

    fn parameters(&self) -> Option<Vec<u8>> {
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

    fn parse(code: u64, parameters: Parameters<'a>) -> Result<Self, Status> {
        Ok(match code {
            1 => Self::EnableEnterpriseAttestation,
            2 => Self::ToggleAlwaysUv,
            3 => Self::SetMinPinLength(PinPolicy {
                new_min_pin_length: parameters.optional(1, Value::unsigned)?,
                rp_ids: parameters
                    .optional(2, |value| value.list()?.iter().map(Value::text).collect())?,
                force_change_pin: parameters.optional(3, Value::bool)?,
                pin_complexity_policy: parameters.optional(4, Value::bool)?,
            }),
            4 => Self::EnableLongTouchForReset,
            _ => return Err(Status::InvalidSubcommand),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::command::authorized::Subcommand as _;

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
