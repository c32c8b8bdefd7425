//! Between the types of the program and the few types that every database has.

use core::str::FromStr;

use hallway_evidence::{CredentialId, Timestamp};

use super::error::StoreError;

/// Names the table and column of a value that cannot be read back.
#[derive(Clone, Copy)]
pub struct Cell(pub &'static str, pub &'static str);

impl Cell {
    /// The error for its value.
    pub const fn corrupt(self) -> StoreError {
        StoreError::Corrupt {
            table: self.0,
            column: self.1,
        }
    }

    /// A hash of 32 bytes.
    pub fn hash<T: From<[u8; 32]>>(self, bytes: &[u8]) -> Result<T, StoreError> {
        <[u8; 32]>::try_from(bytes)
            .map(T::from)
            .map_err(|_| self.corrupt())
    }

    /// A hash that may be missing.
    pub fn hash_option<T: From<[u8; 32]>>(
        self,
        bytes: Option<&[u8]>,
    ) -> Result<Option<T>, StoreError> {
        bytes.map(|bytes| self.hash(bytes)).transpose()
    }

    /// One of a set of words.
    pub fn word<T: FromStr>(self, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|_| self.corrupt())
    }

    /// A credential id.
    pub fn credential(self, bytes: Vec<u8>) -> Result<CredentialId, StoreError> {
        CredentialId::new(bytes).map_err(|_| self.corrupt())
    }

    /// A number that is never negative.
    pub fn number(self, value: i64) -> Result<u64, StoreError> {
        u64::try_from(value).map_err(|_| self.corrupt())
    }

    /// A signature counter.
    pub fn counter(self, value: i64) -> Result<u32, StoreError> {
        u32::try_from(value).map_err(|_| self.corrupt())
    }
}

/// A time as the database keeps it. No time after the year 9999 exists, so it always fits.
pub fn ms(time: Timestamp) -> i64 {
    i64::try_from(time.as_ms()).unwrap_or(i64::MAX)
}

/// A time from the database. What is before 1970 was never written and counts as 1970.
pub fn time(ms: i64) -> Timestamp {
    Timestamp::from_ms(u64::try_from(ms).unwrap_or(0))
}

/// Text of others as every database keeps it: PostgreSQL takes no U+0000, which becomes U+FFFD.
pub fn text(of_others: &str) -> String {
    of_others.replace('\0', "\u{fffd}")
}

/// A number as the database keeps it.
pub fn number(what: &'static str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::TooLarge(what))
}

/// Repeats the last item until there is a power of two of them, so that few different statements
/// are prepared.
pub fn pad<T: Clone>(mut items: Vec<T>) -> Vec<T> {
    if let Some(last) = items.last().cloned() {
        items.resize(items.len().next_power_of_two(), last);
    }
    items
}
