//! The signature counter (WebAuthn Level 3, section 6.1.1).

use crate::platform::{Change, RecordKey, Storage, StorageError};

/// One counter for all credentials, as credentials without a record cannot have their own.
///
/// Values are reserved in ranges: the record holds the first value that was never reserved, so that
/// a crash skips values and never repeats one, and most signatures write nothing.
pub(crate) struct Counter {
    next: u32,
    reserved_below: u32,
}

const VALUES_PER_RANGE: u32 = 1024;

impl Counter {
    /// Continues where the record says; at 1 without one.
    pub(crate) fn resume(storage: &impl Storage) -> Result<Self, StorageError> {
        let next = match storage.read(RecordKey::COUNTER)? {
            Some(record) => {
                u32::from_be_bytes(record[..].try_into().map_err(|_| StorageError::Fault)?)
            }
            None => 1,
        };
        Ok(Self {
            next,
            reserved_below: next,
        })
    }

    /// The next value, never given before.
    pub(crate) fn next(&mut self, storage: &mut impl Storage) -> Result<u32, StorageError> {
        if self.next == self.reserved_below {
            let below = self
                .next
                .checked_add(VALUES_PER_RANGE)
                .ok_or(StorageError::Full)?;
            storage.commit(&[Change::Put(RecordKey::COUNTER, &below.to_be_bytes())])?;
            self.reserved_below = below;
        }
        let value = self.next;
        self.next += 1;
        Ok(value)
    }

    /// Gives back the values that were reserved and not used.
    pub(crate) fn settle(&mut self, storage: &mut impl Storage) -> Result<(), StorageError> {
        if self.next != self.reserved_below {
            storage.commit(&[Change::Put(RecordKey::COUNTER, &self.next.to_be_bytes())])?;
            self.reserved_below = self.next;
        }
        Ok(())
    }
}
