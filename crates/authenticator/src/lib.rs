//! A security key as a state machine over four traits: [`Storage`], [`Presence`], [`Clock`] and
//! [`Randomness`]. Signatures come from a fifth, [`Signatures`], so that a computer can use
//! aws-lc-rs where a small device uses [`RustCrypto`]; a key with a fingerprint sensor has a
//! sixth, [`FingerprintSensor`].
//!
//! [`Authenticator::process`] takes a CTAP2 request and gives its response, bytes for bytes;
//! [`Authenticator::handle`] does the same with parsed commands, without CBOR.
//!
//! ```
//! use hallway_authenticator::*;
//! use hallway_ctap::command::{Command, Response};
//! use zeroize::Zeroizing;
//!
//! /// Keeps nothing.
//! struct Blank;
//! impl Storage for Blank {
//!     fn read(&self, _: RecordKey) -> Result<Option<Zeroizing<Vec<u8>>>, StorageError> {
//!         Ok(None)
//!     }
//!     fn each(&self, _: &mut dyn FnMut(RecordKey, &[u8])) -> Result<(), StorageError> {
//!         Ok(())
//!     }
//!     fn commit(&mut self, _: &[Change<'_>]) -> Result<(), StorageError> {
//!         Ok(())
//!     }
//! }
//! /// Always says yes.
//! struct Willing;
//! impl Presence for Willing {
//!     fn confirm(&mut self, _: &Question<'_>) -> Answer {
//!         Answer::Granted
//!     }
//! }
//! struct Stopped;
//! impl Clock for Stopped {
//!     fn now_ms(&self) -> u64 {
//!         0
//!     }
//! }
//! /// Not random at all.
//! struct Sevens;
//! impl Randomness for Sevens {
//!     fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
//!         bytes.fill(7);
//!         Ok(())
//!     }
//! }
//! struct Example;
//! impl Environment for Example {
//!     type Storage = Blank;
//!     type Presence = Willing;
//!     type Clock = Stopped;
//!     type Randomness = Sevens;
//!     type Signatures = RustCrypto;
//!     type Fingerprints = NoSensor;
//! }
//!
//! let platform = Platform::<Example> {
//!     storage: Blank,
//!     presence: Willing,
//!     clock: Stopped,
//!     randomness: Sevens,
//!     signatures: RustCrypto,
//!     fingerprints: NoSensor,
//! };
//! let mut key = Authenticator::power_up(platform, Settings::default())?;
//! let Ok(Response::GetInfo(info)) = key.handle(Caller::ONLY, &Command::GetInfo) else { panic!() };
//! assert_eq!(info.option("rk"), Some(true));
//! # Ok::<(), PowerUpError>(())
//! ```
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod arkg;
mod attestation;
mod authenticator;
mod backup;
mod bio_enrollment;
mod built_in_uv;
mod client_pin;
mod config;
mod counter;
mod credential;
mod credential_management;
mod fingerprint_sensor;
mod fingerprints;
mod get_assertion;
mod get_info;
mod hid;
mod hmac_secret;
mod index;
mod large_blob_extension;
mod large_blobs;
mod limits;
mod make_credential;
mod persistent_token;
mod pin;
mod pin_protocol;
mod platform;
mod policy;
mod preview_sign;
mod reset;
mod seed;
mod sequence;
mod settings;
mod signatures;
mod simulated_sensor;
mod smart_card;
mod step;
mod token;
mod u2f;
mod uv_state;
mod uvm;
mod verification;
mod verified_by;
mod version;

pub use attestation::{Attestation, Enterprise, Everyday};
pub use authenticator::{AttestationRecord, Authenticator, PowerUpError};
pub use backup::{BackupError, RestoredCredentials};
pub use fingerprint_sensor::{
    Capture, Feedback, FingerprintKind, FingerprintSensor, Identification, NoSensor, SensorInfo,
    Template,
};
pub use hid::{HidAction, HidDevice, KeepaliveStatus, RequestKind};
pub use platform::{
    Answer, BackupContent, Change, Clock, Environment, Platform, Presence, Question, Randomness,
    RandomnessError, RecordKey, ResetTouch, Storage, StorageError,
};
pub use sequence::Caller;
pub use settings::{LargeBlobs, PinUse, Settings};
pub use signatures::{PrivateKey, PrivateKeyError, RustCrypto, SignatureError, Signatures};
pub use simulated_sensor::{Gesture, GestureError, SimulatedSensor};
pub use smart_card::{CardAction, Ctap1, SmartCard};
pub use version::DEVICE_VERSION;
