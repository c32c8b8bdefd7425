//! authenticatorConfig (CTAP 2.3, section 6.11).

use alloc::vec::Vec;

use hallway_ctap::command::authorized::Subcommand as _;
use hallway_ctap::command::client_pin::Permissions;
use hallway_ctap::command::config::{PinPolicy, Request, Subcommand};
use hallway_ctap::status::Status;

use crate::attestation::Attestation;
use crate::authenticator::Authenticator;
use crate::persistent_token::PersistentToken;
use crate::pin;
use crate::pin_protocol::Protocol;
use crate::platform::{Change, Clock, Environment, RecordKey, Storage};
use crate::policy::{MAX_RP_IDS, Policy};

impl<E: Environment> Authenticator<E> {
    pub(crate) fn config(&mut self, request: &Request<'_>) -> Result<(), Status> {
        if !self
            .config_commands()
            .contains(&u64::from(request.subcommand.code()))
        {
            return Err(Status::InvalidSubcommand);
        }
        // The owner of a key without PIN and finger has no proof to offer: anybody may harden it.
        if self.is_protected() {
            self.may_configure(request)?;
        }
        match &request.subcommand {
            Subcommand::EnableEnterpriseAttestation => self.store_policy(Policy {
                enterprise_attestation: true,
                ..self.policy.clone()
            }),
            Subcommand::ToggleAlwaysUv => self.store_policy(Policy {
                always_uv: !self.policy.always_uv,
                ..self.policy.clone()
            }),
            Subcommand::SetMinPinLength(asked) => self.set_pin_policy(asked),
            Subcommand::EnableLongTouchForReset => self.store_policy(Policy {
                long_touch_for_reset: true,
                ..self.policy.clone()
            }),
        }
    }

    /// The codes of the subcommands that this key supports.
    pub(crate) fn config_commands(&self) -> Vec<u64> {
        let mut commands = alloc::vec![2, 3, 4];
        if self.has_enterprise_attestation() {
            commands.insert(0, 1);
        }
        commands
    }

    /// Whether this key has a certificate that identifies it individually.
    pub(crate) const fn has_enterprise_attestation(&self) -> bool {
        matches!(self.attestation, Attestation::Enterprise(_))
    }

    fn may_configure(&mut self, request: &Request<'_>) -> Result<(), Status> {
        let param = request.pin_uv_auth_param.ok_or(Status::PuatRequired)?;
        let protocol = Protocol::from_id(request.pin_uv_auth_protocol)?;
        let message = [
            &[0xff; 32][..],
            &[0x0d, request.subcommand.code()],
            request.raw_parameters.unwrap_or_default(),
        ];
        let now_ms = self.platform.clock.now_ms();
        self.token
            .verify(protocol, &message, param, Permissions::CONFIG, now_ms)
            .map(|_| ())
    }

    fn store_policy(&mut self, policy: Policy) -> Result<(), Status> {
        let change = Change::Put(RecordKey::CONFIG, &policy.encode());
        self.platform.storage.commit(&[change])?;
        self.policy = policy;
        Ok(())
    }

    /// setMinPINLength: the policy only ever becomes stricter (6.11.4).
    fn set_pin_policy(&mut self, asked: &PinPolicy<'_>) -> Result<(), Status> {
        let mut policy = self.policy.clone();
        if let Some(length) = asked.new_min_pin_length {
            let length = u8::try_from(length).map_err(|_| Status::PinPolicyViolation)?;
            if length < policy.min_pin_length || usize::from(length) > pin::MAX_BYTES {
                return Err(Status::PinPolicyViolation);
            }
            policy.min_pin_length = length;
        }
        if asked.force_change_pin == Some(true) && !self.pin.is_set() {
            return Err(Status::PinNotSet);
        }
        if let Some(rp_ids) = &asked.rp_ids {
            if rp_ids.len() > MAX_RP_IDS {
                return Err(Status::KeyStoreFull);
            }
            policy.rp_ids = rp_ids.iter().map(|id| (*id).into()).collect();
        }
        let complex = asked.pin_complexity_policy == Some(true) && !policy.pin_complexity;
        policy.pin_complexity |= complex;
        // A PIN that may not meet the policy must be changed; only its length is known.
        let too_short = self
            .pin
            .code_points()
            .is_some_and(|length| length < policy.min_pin_length);
        let must_change =
            self.pin.is_set() && (too_short || complex || asked.force_change_pin == Some(true));
        if !must_change {
            return self.store_policy(policy);
        }
        let persistent = PersistentToken {
            store_state: self.persistent.store_state,
            ..PersistentToken::generate(&mut self.platform)?
        };
        let record = policy.encode();
        let [token, state] = persistent.changes();
        let also = [Change::Put(RecordKey::CONFIG, &record), token, state];
        self.pin.force_change(&also, &mut self.platform.storage)?;
        self.persistent = persistent;
        self.policy = policy;
        self.token.stop();
        Ok(())
    }
}
