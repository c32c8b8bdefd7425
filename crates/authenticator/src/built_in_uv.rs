//! User verification by the key's own sensor (CTAP 2.3, sections 6.5.2.3 and 6.5.3). Each
//! try is stored before the finger is compared.

use hallway_ctap::status::Status;

use crate::authenticator::Authenticator;
use crate::fingerprint_sensor::{FingerprintSensor, Identification};
use crate::platform::{Change, Environment, RecordKey, Storage, StorageError};
use crate::uv_state::UvState;

/// Fingers that may be tried within one request.
const ATTEMPTS_IN_ONE_REQUEST: u8 = 3;
/// Tries that a platform should make before it asks for the PIN.
pub(crate) const PREFERRED_ATTEMPTS: u64 = 3;
/// How long to wait for a finger.
pub(crate) const WAIT_MS: u64 = 30_000;

/// How often the sensor is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Persistence {
    /// Once: the platform asks again.
    OneAttempt,
    /// `internalRetry`.
    WithinTheRequest,
}

/// Why the user was not verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UvFailure {
    /// No tries are left.
    Blocked,
    /// No finger matched.
    NoMatch,
    /// Nobody touched the sensor.
    TimedOut,
    /// The platform cancelled.
    Cancelled,
    /// Storage failed.
    Fault,
}

impl From<StorageError> for UvFailure {
    fn from(_: StorageError) -> Self {
        Self::Fault
    }
}

impl<E: Environment> Authenticator<E> {
    /// Whether a finger is enrolled that can verify the owner.
    pub(crate) fn has_built_in_uv(&self) -> bool {
        !self.fingerprints.is_empty() && self.platform.fingerprints.info().is_some()
    }

    /// Whether this key can verify its owner, by PIN or finger.
    pub(crate) fn is_protected(&self) -> bool {
        self.pin.is_set() || self.has_built_in_uv()
    }

    /// `performBuiltInUv(internalRetry)`. Each try is counted, durably, before the finger is looked
    /// at: cutting the power cannot give it back.
    pub(crate) fn perform_built_in_uv(
        &mut self,
        persistence: Persistence,
    ) -> Result<(), UvFailure> {
        let attempts = match persistence {
            Persistence::OneAttempt => 1,
            Persistence::WithinTheRequest => ATTEMPTS_IN_ONE_REQUEST,
        };
        let templates = self.fingerprints.templates(&self.platform.storage)?;
        for _ in 0..attempts {
            let before = self.uv;
            self.store_uv(before.tried().ok_or(UvFailure::Blocked)?)?;
            let failure = match self.platform.fingerprints.identify(&templates, WAIT_MS) {
                Identification::Match => return Ok(self.store_uv(self.uv.matched())?),
                Identification::NoMatch => continue,
                Identification::TimedOut => UvFailure::TimedOut,
                Identification::Cancelled => UvFailure::Cancelled,
            };
            // No finger was compared: the try does not count.
            self.store_uv(before)?;
            return Err(failure);
        }
        Err(match self.uv.retries() {
            0 => UvFailure::Blocked,
            _ => UvFailure::NoMatch,
        })
    }

    fn store_uv(&mut self, uv: UvState) -> Result<(), StorageError> {
        let change = Change::Put(RecordKey::UV_STATE, &uv.encode());
        self.platform.storage.commit(&[change])?;
        self.uv = uv;
        Ok(())
    }
}

impl UvFailure {
    /// The answer to getPinUvAuthTokenUsingUvWithPermissions (6.5.5.7.3).
    pub(crate) const fn of_token(self) -> Status {
        match self {
            Self::Blocked => Status::UvBlocked,
            Self::NoMatch => Status::UvInvalid,
            Self::TimedOut => Status::UserActionTimeout,
            Self::Cancelled => Status::KeepaliveCancel,
            Self::Fault => Status::Other,
        }
    }

    /// The answer to a ceremony (6.1.2, step 11.2; 6.2.2, step 6.2): where there is a PIN, the
    /// platform may ask for that.
    pub(crate) const fn of_ceremony(self, has_pin: bool) -> Status {
        match self {
            Self::Blocked | Self::NoMatch if has_pin => Status::PuatRequired,
            Self::Blocked | Self::NoMatch => Status::OperationDenied,
            failure => failure.of_token(),
        }
    }
}
