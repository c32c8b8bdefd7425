//! What the authenticator needs from the machine that it runs on: four traits, and the signatures.

use alloc::vec::Vec;

use hallway_ctap::command::preview_sign::SigningPolicy;
use zeroize::Zeroizing;

use crate::fingerprint_sensor::FingerprintSensor;
use crate::signatures::Signatures;

/// Which record.
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
    /// What the owner configured.
    pub(crate) const CONFIG: Self = Self(5);
    /// The attestation key and chain, which outlive a reset.
    pub(crate) const ATTESTATION: Self = Self(6);
    /// The large-blob array.
    pub(crate) const LARGE_BLOBS: Self = Self(7);
    /// The persistent PIN/UV auth token.
    pub(crate) const PERSISTENT_TOKEN: Self = Self(8);
    /// What changes with every change of a discoverable credential.
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

    /// From the number that [`number`](Self::number) gave.
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
    /// Write a record, new or not.
    Put(RecordKey, &'a [u8]),
    /// Remove a record, if it is there.
    Remove(RecordKey),
    /// Remove all records but these.
    KeepOnly(&'a [RecordKey]),
}

/// Why storage could not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// No room.
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
        /// For which relying party.
        rp_id: &'a str,
        /// For which account, if it has a name.
        user: Option<&'a str>,
        /// Whether the credential gets a signing key, for data that the relying party chooses
        /// (extension previewSign), and what it will take to sign.
        signing_key: Option<SigningPolicy>,
    },
    /// Sign in.
    GetAssertion {
        /// At which relying party.
        rp_id: &'a str,
    },
    /// Sign in, and sign data that the relying party chose (extension previewSign).
    SignData {
        /// Which relying party.
        rp_id: &'a str,
    },
    /// Register by U2F, where the key is told only a hash.
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
        /// How hard the owner made it.
        touch: ResetTouch,
    },
    /// Give secrets out.
    Backup(BackupContent),
    /// Take discoverable credentials in.
    Restore {
        /// How many.
        credentials: usize,
    },
}

/// What leaves the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BackupContent {
    /// The seed.
    Seed,
    /// All discoverable credentials.
    Credentials,
}

/// What a reset takes (CTAP 2.3, section 6.11.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResetTouch {
    /// A touch.
    Short,
    /// A touch of five seconds at least, or what is as hard to do by mistake.
    Long,
}

/// What the owner said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Yes: a touch.
    Granted,
    /// No.
    Denied,
    /// Nothing, for too long.
    TimedOut,
    /// The platform no longer wants to know.
    Cancelled,
}

/// The owner, who may be there or not.
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

/// The source of randomness failed.
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
    /// Where records live.
    type Storage: Storage;
    /// Who confirms.
    type Presence: Presence;
    /// What time it is.
    type Clock: Clock;
    /// Where randomness comes from.
    type Randomness: Randomness;
    /// Who computes signatures.
    type Signatures: Signatures;
    /// Who knows fingers; [`NoSensor`](crate::NoSensor) where nobody does.
    type Fingerprints: FingerprintSensor;
}

/// The machine that an authenticator runs on.
pub struct Platform<E: Environment> {
    /// Where records live.
    pub storage: E::Storage,
    /// Who confirms.
    pub presence: E::Presence,
    /// What time it is.
    pub clock: E::Clock,
    /// Where randomness comes from.
    pub randomness: E::Randomness,
    /// Who computes signatures.
    pub signatures: E::Signatures,
    /// Who knows fingers.
    pub fingerprints: E::Fingerprints,
}

impl<E: Environment> Platform<E> {
    pub(crate) fn random<const N: usize>(&mut self) -> Result<Zeroizing<[u8; N]>, RandomnessError> {
        let mut bytes = Zeroizing::new([0; N]);
        self.randomness.fill(&mut bytes[..])?;
        Ok(bytes)
    }
}
