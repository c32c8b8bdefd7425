//! authenticatorClientPIN (CTAP 2.3, section 6.5.5).

use hallway_ctap::command::client_pin::{Permissions, Request, Response, Subcommand};
use hallway_ctap::status::Status;
use zeroize::Zeroizing;

use crate::authenticator::Authenticator;
use crate::built_in_uv::{Persistence, UvFailure};
use crate::credential::sha256;
use crate::fingerprint_sensor::FingerprintSensor;
use crate::persistent_token::PersistentToken;
use crate::pin;
use crate::pin_protocol::{KeyAgreement, Protocol, SharedSecret};
use crate::platform::{Change, Clock, Environment, RecordKey};
use crate::policy::is_trivial;
use crate::settings::PinUse;
use crate::uv_state::UvState;
use crate::verified_by::VerifiedBy;

/// The permissions that registration and sign-in need.
const CEREMONIES: Permissions = Permissions::MAKE_CREDENTIAL.or(Permissions::GET_ASSERTION);

/// A PIN that the platform proposes.
struct NewPin {
    half_hash: Zeroizing<[u8; 16]>,
    code_points: u8,
}

impl<E: Environment> Authenticator<E> {
    pub(crate) fn client_pin(&mut self, request: &Request<'_>) -> Result<Response, Status> {
        match request.subcommand {
            // 6.5.5.2 names no answer for a key without a PIN; this status says so.
            Subcommand::GetPinRetries if !self.pin.is_set() => Err(Status::PinNotSet),
            Subcommand::GetPinRetries => Ok(Response {
                pin_retries: Some(u64::from(self.pin.retries())),
                power_cycle_needed: Some(self.pin.needs_power_cycle()),
                ..Response::default()
            }),
            Subcommand::GetKeyAgreement => {
                Protocol::from_id(request.protocol)?;
                Ok(Response {
                    key_agreement: Some(self.agreement.public()),
                    ..Response::default()
                })
            }
            Subcommand::SetPin => self.set_pin(request).map(|()| Response::default()),
            Subcommand::ChangePin => self.change_pin(request).map(|()| Response::default()),
            Subcommand::GetPinToken => {
                if request.permissions.is_some() || request.rp_id.is_some() {
                    return Err(Status::InvalidParameter);
                }
                // 6.5.5.7.1, step 14.
                let default = match self.settings.pin_use {
                    PinUse::Everything => CEREMONIES,
                    PinUse::Management => Permissions::from_bits(0),
                };
                // A platform that does not know permissions does not know forced changes either.
                self.token_using_pin(request, default, Status::PinInvalid)
            }
            Subcommand::GetTokenUsingPin => {
                let mut refused = Permissions::from_bits(0);
                if self.platform.fingerprints.info().is_none() {
                    refused = refused | Permissions::BIO_ENROLLMENT;
                }
                if self.settings.pin_use == PinUse::Management {
                    refused = refused | CEREMONIES;
                }
                let permissions = self.permitted(request, refused)?;
                self.token_using_pin(request, permissions, Status::PinPolicyViolation)
            }
            Subcommand::GetTokenUsingUv => self.token_using_uv(request),
            Subcommand::GetUvRetries => match self.platform.fingerprints.info() {
                Some(_) => Ok(Response {
                    uv_retries: Some(u64::from(self.uv.retries())),
                    ..Response::default()
                }),
                None => Err(Status::InvalidSubcommand),
            },
        }
    }

    /// The shortest PIN, in code points.
    pub(crate) const fn min_pin_length(&self) -> u8 {
        self.policy.min_pin_length
    }

    /// 6.5.5.5, setting a new PIN.
    fn set_pin(&mut self, request: &Request<'_>) -> Result<(), Status> {
        let protocol = Protocol::from_id(request.protocol)?;
        let peer = request.key_agreement.ok_or(Status::MissingParameter)?;
        let new_pin_enc = request.new_pin_enc.ok_or(Status::MissingParameter)?;
        let tag = request.pin_uv_auth_param.ok_or(Status::MissingParameter)?;
        if self.pin.is_set() {
            return Err(Status::PinAuthInvalid);
        }
        let shared = self.agreement.shared_secret(protocol, &peer)?;
        shared.verify(&[new_pin_enc], tag)?;
        let new = self.new_pin(&shared, new_pin_enc)?;
        self.store_pin(&new)
    }

    /// 6.5.5.6, changing the PIN.
    fn change_pin(&mut self, request: &Request<'_>) -> Result<(), Status> {
        let protocol = Protocol::from_id(request.protocol)?;
        let peer = request.key_agreement.ok_or(Status::MissingParameter)?;
        let new_pin_enc = request.new_pin_enc.ok_or(Status::MissingParameter)?;
        let pin_hash_enc = request.pin_hash_enc.ok_or(Status::MissingParameter)?;
        let tag = request.pin_uv_auth_param.ok_or(Status::MissingParameter)?;
        if !self.pin.is_set() {
            return Err(Status::PinNotSet);
        }
        self.pin.may_try()?;
        let shared = self.agreement.shared_secret(protocol, &peer)?;
        shared.verify(&[new_pin_enc, pin_hash_enc], tag)?;
        self.check_pin(&shared, pin_hash_enc)?;
        let new = self.new_pin(&shared, new_pin_enc)?;
        if self.pin.must_change() && self.pin.is_current(&self.secrets.pin, &new.half_hash) {
            return Err(Status::PinPolicyViolation);
        }
        self.store_pin(&new)
    }

    /// 6.5.5.7.1 and 6.5.5.7.2, a token for the PIN; `to_change` is the answer when the PIN must be
    /// changed first.
    fn token_using_pin(
        &mut self,
        request: &Request<'_>,
        permissions: Permissions,
        to_change: Status,
    ) -> Result<Response, Status> {
        let protocol = Protocol::from_id(request.protocol)?;
        let peer = request.key_agreement.ok_or(Status::MissingParameter)?;
        let pin_hash_enc = request.pin_hash_enc.ok_or(Status::MissingParameter)?;
        if !self.pin.is_set() {
            return Err(Status::PinNotSet);
        }
        self.pin.may_try()?;
        let shared = self.agreement.shared_secret(protocol, &peer)?;
        self.check_pin(&shared, pin_hash_enc)?;
        if self.pin.must_change() {
            return Err(to_change);
        }
        self.issue(request, &shared, permissions, VerifiedBy::Pin)
    }

    /// 6.5.5.7.3, a token for a finger. It cannot enrol other fingers or configure the key
    /// (`uvBioEnroll` and `uvAcfg`): that takes the PIN.
    fn token_using_uv(&mut self, request: &Request<'_>) -> Result<Response, Status> {
        if self.platform.fingerprints.info().is_none() {
            return Err(Status::InvalidSubcommand);
        }
        let protocol = Protocol::from_id(request.protocol)?;
        let peer = request.key_agreement.ok_or(Status::MissingParameter)?;
        let refused = Permissions::BIO_ENROLLMENT | Permissions::CONFIG;
        let permissions = self.permitted(request, refused)?;
        if !self.has_built_in_uv() {
            return Err(Status::NotAllowed);
        }
        let shared = self.agreement.shared_secret(protocol, &peer)?;
        self.perform_built_in_uv(Persistence::OneAttempt)
            .map_err(UvFailure::of_token)?;
        self.issue(request, &shared, permissions, VerifiedBy::Finger)
    }

    /// Gives out a token: the persistent one, or a new one in place of the one in use.
    fn issue(
        &mut self,
        request: &Request<'_>,
        shared: &SharedSecret,
        permissions: Permissions,
        verified_by: VerifiedBy,
    ) -> Result<Response, Status> {
        if permissions == Permissions::PERSISTENT_READ_ONLY {
            let token = &self.persistent.bytes[..];
            return Ok(Response {
                token: Some(shared.encrypt(token, &mut self.platform.randomness)?),
                ..Response::default()
            });
        }
        let bytes = self.platform.random::<32>()?;
        let token = shared.encrypt(&bytes[..], &mut self.platform.randomness)?;
        let now_ms = self.platform.clock.now_ms();
        self.token.begin(
            bytes,
            shared.protocol(),
            permissions,
            request.rp_id,
            verified_by,
            now_ms,
        );
        Ok(Response {
            token: Some(token),
            ..Response::default()
        })
    }

    /// Decrypts LEFT(SHA-256(pin), 16) and compares it. A wrong one also changes the key agreement
    /// key, so that a captured exchange cannot be tried again.
    fn check_pin(&mut self, shared: &SharedSecret, pin_hash_enc: &[u8]) -> Result<(), Status> {
        // A hash that does not decrypt is a wrong PIN like any other: it costs a try.
        let half_hash = shared.decrypt(pin_hash_enc).unwrap_or_default();
        // The right PIN gives fingers their tries back (6.5.2.3).
        let also = Change::Remove(RecordKey::UV_STATE);
        let storage = &mut self.platform.storage;
        let checked = self.pin.check(&self.secrets.pin, &half_hash, also, storage);
        match checked {
            Ok(()) => self.uv = UvState::FRESH,
            Err(_) => self.agreement = KeyAgreement::generate(&mut self.platform.randomness)?,
        }
        checked
    }

    /// Decrypts a new PIN and checks it against the policy.
    fn new_pin(&self, shared: &SharedSecret, new_pin_enc: &[u8]) -> Result<NewPin, Status> {
        let padded = shared.decrypt(new_pin_enc)?;
        if padded.len() != 64 {
            return Err(Status::InvalidParameter);
        }
        let length = padded
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        let pin = &padded[..length];
        if pin.len() > pin::MAX_BYTES {
            return Err(Status::PinPolicyViolation);
        }
        let text = core::str::from_utf8(pin).map_err(|_| Status::PinPolicyViolation)?;
        let code_points = text.chars().count() as u8;
        if code_points < self.min_pin_length() {
            return Err(Status::PinPolicyViolation);
        }
        if self.policy.pin_complexity && is_trivial(text) {
            return Err(Status::PinPolicyViolation);
        }
        let mut half_hash = Zeroizing::new([0; 16]);
        half_hash.copy_from_slice(&sha256(pin)[..16]);
        Ok(NewPin {
            half_hash,
            code_points,
        })
    }

    /// The permissions that a request names, if this key can grant them and none is `refused`
    /// (6.5.5.7.2 and 6.5.5.7.3, steps 3 and 4). Undefined ones are ignored. One for ceremonies
    /// without a relying party id is bound to the first relying party that it is used for.
    fn permitted(
        &self,
        request: &Request<'_>,
        refused: Permissions,
    ) -> Result<Permissions, Status> {
        let asked = request.permissions.ok_or(Status::MissingParameter)?;
        if asked.bits() == 0 {
            return Err(Status::InvalidParameter);
        }
        let asked = Permissions::from_bits(asked.bits() & Permissions::ALL.bits());
        let alone = Permissions::PERSISTENT_READ_ONLY;
        let no_array = self.settings.large_blobs.max_array().is_none();
        if asked.intersects(refused)
            || asked.intersects(alone) && asked != alone
            || asked.intersects(Permissions::LARGE_BLOB_WRITE) && no_array
        {
            return Err(Status::UnauthorizedPermission);
        }
        Ok(asked)
    }

    /// Stores a new PIN and a new persistent token, so that holders of the old token lose access.
    fn store_pin(&mut self, new: &NewPin) -> Result<(), Status> {
        let persistent = PersistentToken {
            store_state: self.persistent.store_state,
            ..PersistentToken::generate(&mut self.platform)?
        };
        self.pin.set(
            &self.secrets.pin,
            &new.half_hash,
            new.code_points,
            &persistent.changes(),
            &mut self.platform.storage,
        )?;
        self.persistent = persistent;
        self.token.stop();
        Ok(())
    }
}
