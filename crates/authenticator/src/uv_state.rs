//! How many fingers may still be tried at the key's own sensor: a record that outlives power cuts.

use crate::platform::{RecordKey, Storage, StorageError};

/// Fingers that may fail to match before only the PIN verifies the owner.
const MAX_TRIES: u8 = 5;

/// The stored state of built-in user verification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct UvState {
    retries: u8,
    /// Verifications since the PIN was last entered, including failed ones.
    since_pin: u32,
}

impl UvState {
    /// All tries are left.
    pub(crate) const FRESH: Self = Self {
        retries: MAX_TRIES,
        since_pin: 0,
    };

    /// Reads the record at power-up.
    pub(crate) fn power_up(storage: &impl Storage) -> Result<Self, StorageError> {
        match storage.read(RecordKey::UV_STATE)? {
            Some(record) => match record[..] {
                [retries, a, b, c, d] if retries <= MAX_TRIES => Ok(Self {
                    retries,
                    since_pin: u32::from_be_bytes([a, b, c, d]),
                }),
                _ => Err(StorageError::Fault),
            },
            None => Ok(Self::FRESH),
        }
    }

    /// Counts one more try, unless none is left.
    pub(crate) fn tried(self) -> Option<Self> {
        let retries = self.retries.checked_sub(1)?;
        Some(Self {
            retries,
            since_pin: self.since_pin.saturating_add(1),
        })
    }

    /// A finger matched: all tries are left again.
    pub(crate) const fn matched(self) -> Self {
        Self {
            retries: MAX_TRIES,
            ..self
        }
    }

    pub(crate) const fn retries(self) -> u8 {
        self.retries
    }

    pub(crate) const fn since_pin(self) -> u32 {
        self.since_pin
    }

    /// Encodes the record.
    pub(crate) const fn encode(self) -> [u8; 5] {
        let [a, b, c, d] = self.since_pin.to_be_bytes();
        [self.retries, a, b, c, d]
    }
}
