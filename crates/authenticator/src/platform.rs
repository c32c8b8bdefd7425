//! The traits through which an authenticator uses the machine that it runs on.

use alloc::vec::Vec;

use hallway_ctap::command::preview_sign::SigningPolicy;
use zeroize::Zeroizing;

use crate::fingerprint_sensor::FingerprintSensor;
use crate::signatures::Signatures;

/// The key of a storage record: a number of 16 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordKey(u16);

impl RecordKey {
    /// The master seed.
    pub(crate) const SEED: Self = Self(1);
    /// The PIN's verifier.
    pub(crate) const PIN: Self = Self(2);
    /// The tries that the PIN has left.
    pub(crate) const PIN_RETRIES: Self = Self(3);
    /// The first signature counter value that is not reserved.
    pub(crate) const COUNTER: Self = Self(4);
    /// The owner's configuration.
    pub(crate) const CONFIG: Self = Self(5);
    /// The attestation key and chain, which outlive a reset.
    pub(crate) const ATTESTATION: Self = Self(6);
    /// The large-blob array.
    pub(crate) const LARGE_BLOBS: Self = Self(7);
    /// The persistent PIN/UV auth token.
    pub(crate) const PERSISTENT_TOKEN: Self = Self(8);
    /// A random value that is replaced with every change to a discoverable credential.
    pub(crate) const STORE_STATE: Self = Self(9);
    /// The tries that built-in user verification has left.
    pub(crate) const UV_STATE: Self = Self(10);

    const FIRST_FINGERPRINT: u16 = 0x0100;
    /// Whether secrets may leave the key; it outlives resets.
    pub(crate) const BACKUP: Self = Self(11);

    const FIRST_CREDENTIAL: u16 = 0x1000;
    /// How many discoverable credentials have a record key.
    pub const CREDENTIAL_SLOTS: u16 = 0x7000;
    const FIRST_BLOB: u16 = Self::FIRST_CREDENTIAL + Self::CREDENTIAL_SLOTS;

    pub(crate) const fn fingerprint(slot: u16) -> Self {
        Self(Self::FIRST_FINGERPRINT + slot)
    }

    pub(crate) const fn credential(slot: u16) -> Self {
        Self(Self::FIRST_CREDENTIAL + slot)
    }

    /// The large blob of the credential in this slot.
    pub(crate) const fn blob(slot: u16) -> Self {
        Self(Self::FIRST_BLOB + slot)
    }

    pub(crate) const fn slot(self) -> Option<u16> {
        match self.0.checked_sub(Self::FIRST_CREDENTIAL) {
            Some(slot) if slot < Self::CREDENTIAL_SLOTS => Some(slot),
            _ => None,
        }
    }

    /// The key with a number that [`number`](Self::number) gave.
    pub const fn from_number(number: u16) -> Self {
        Self(number)
    }

    /// A number to store the key under.
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// One change of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change<'a> {
    /// Write a record, or overwrite it.
    Put(RecordKey, &'a [u8]),
    /// Remove a record, if it is there.
    Remove(RecordKey),
    /// Remove all records but these.
    KeepOnly(&'a [RecordKey]),
}

/// Why a storage operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// There is no room for the record.
    #[error("the storage is full")]
    Full,
    /// The medium failed or holds something that is not a record.
    #[error("the storage failed")]
    Fault,
}

/// Records that survive power loss.
///
/// A fault is never an absent record: `read` says `Ok(None)` only when the record is known not to
/// be there.
pub trait Storage {
    /// Reads one record.
    ///
    /// # Errors
    /// [`StorageError::Fault`].
    fn read(&self, key: RecordKey) -> Result<Option<Zeroizing<Vec<u8>>>, StorageError>;

    /// Visits every record, in any order; used once, at power-up.
    ///
    /// # Errors
    /// [`StorageError::Fault`].
    fn each(&self, visit: &mut dyn FnMut(RecordKey, &[u8])) -> Result<(), StorageError>;

    /// Makes all changes, in order, or none: after a power loss at any moment the records are as
    /// before or as after. When it returns, the changes are durable.
    ///
    /// # Errors
    /// [`StorageError`]; then no change was made.
    fn commit(&mut self, changes: &[Change<'_>]) -> Result<(), StorageError>;
}

/// What the owner is asked to confirm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Question<'a> {
    /// Make a credential.
    MakeCredential {
        /// The relying party's id.
        rp_id: &'a str,
        /// The account's name, or else its display name.
        user: Option<&'a str>,
        /// What each signature will take if the credential gets a signing key, for data that the
        /// relying party chooses (extension previewSign).
        signing_key: Option<SigningPolicy>,
    },
    /// Sign in.
    GetAssertion {
        /// The relying party's id.
        rp_id: &'a str,
    },
    /// Sign in, and sign data that the relying party chose (extension previewSign).
    SignData {
        /// The relying party's id.
        rp_id: &'a str,
    },
    /// Register by U2F, where the key learns only a hash of the application.
    RegisterU2f {
        /// SHA-256 of the application identity.
        application: &'a [u8; 32],
    },
    /// Sign in by U2F.
    AuthenticateU2f {
        /// SHA-256 of the application identity.
        application: &'a [u8; 32],
    },
    /// Pick this key among several.
    Selection,
    /// Erase everything.
    Reset {
        /// The touch that the owner's configuration demands.
        touch: ResetTouch,
    },
    /// Give secrets out.
    Backup(BackupContent),
    /// Store discoverable credentials from a backup.
    Restore {
        /// How many credentials would be stored.
        credentials: usize,
    },
}

/// The secrets that a backup gives out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BackupContent {
    /// The seed.
    Seed,
    /// All discoverable credentials.
    Credentials,
}

/// The touch that a reset takes (CTAP 2.3, section 6.11.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResetTouch {
    /// A touch.
    Short,
    /// A touch of at least five seconds, or a gesture as hard to make by mistake.
    Long,
}

/// The owner's answer to a [`Question`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Yes: a touch.
    Granted,
    /// No.
    Denied,
    /// No answer in time.
    TimedOut,
    /// The platform cancelled the request.
    Cancelled,
}

/// Asks the owner, who may be there or not.
pub trait Presence {
    /// Asks, and waits for the answer. The implementation bounds the wait (CTAP 2.3 suggests
    /// about 30 seconds), sends keepalives meanwhile and notices a cancellation.
    fn confirm(&mut self, question: &Question<'_>) -> Answer;
}

/// Time since some moment before power-up.
pub trait Clock {
    /// Milliseconds; never goes back.
    fn now_ms(&self) -> u64;
}

/// [`Randomness::fill`] failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the source of randomness failed")]
pub struct RandomnessError;

/// Randomness fit for keys.
pub trait Randomness {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`RandomnessError`]; then `bytes` must not be used.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomnessError>;
}

/// Names the six types that make up a platform.
pub trait Environment {
    /// Keeps records.
    type Storage: Storage;
    /// Asks the owner.
    type Presence: Presence;
    /// Tells the time.
    type Clock: Clock;
    /// Makes random bytes.
    type Randomness: Randomness;
    /// Computes signatures.
    type Signatures: Signatures;
    /// Recognises fingers; [`NoSensor`](crate::NoSensor) for a key without a sensor.
    type Fingerprints: FingerprintSensor;
}

/// The machine that an authenticator runs on.
pub struct Platform<E: Environment> {
    /// Keeps records.
    pub storage: E::Storage,
    /// Asks the owner.
    pub presence: E::Presence,
    /// Tells the time.
    pub clock: E::Clock,
    /// Makes random bytes.
    pub randomness: E::Randomness,
    /// Computes signatures.
    pub signatures: E::Signatures,
    /// Recognises fingers.
    pub fingerprints: E::Fingerprints,
}

impl<E: Environment> Platform<E> {
    pub(crate) fn random<const N: usize>(&mut self) -> Result<Zeroizing<[u8; N]>, RandomnessError> {
        let mut bytes = Zeroizing::new([0; N]);
        self.randomness.fill(&mut bytes[..])?;
        Ok(bytes)
    }
}
