//! The PIN: its verifier, its tries, and the order in which they are written
//! (CTAP 2.3, section 6.5.5).

use hallway_ctap::cbor::{Form, Map, MapBuilder, Value};
use hallway_ctap::status::Status;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::pin_protocol::hmac_sha256;
use crate::platform::{Change, RecordKey, Storage, StorageError};

/// Wrong PINs until the PIN is blocked.
pub(crate) const MAX_TRIES: u8 = 8;
/// Wrong PINs in a row until the next try needs a power cycle.
const MAX_IN_A_ROW: u8 = 3;
/// The longest PIN, in bytes.
pub(crate) const MAX_BYTES: usize = 63;

/// The PIN's verifier and its tries.
pub(crate) struct Pin {
    verifier: Option<Verifier>,
    retries: u8,
    /// Wrong PINs in this power cycle, since the last right one.
    wrong_in_a_row: u8,
}

struct Verifier {
    hash: Zeroizing<[u8; 32]>,
    code_points: u8,
    must_change: bool,
}

impl Pin {
    /// Reads the records at power-up.
    pub(crate) fn power_up(storage: &impl Storage) -> Result<Self, StorageError> {
        let verifier = match storage.read(RecordKey::PIN)? {
            Some(record) => Some(Verifier::decode(&record).ok_or(StorageError::Fault)?),
            None => None,
        };
        let retries = match storage.read(RecordKey::PIN_RETRIES)? {
            Some(record) => match record[..] {
                [retries] if retries <= MAX_TRIES => retries,
                _ => return Err(StorageError::Fault),
            },
            // The PIN and its tries are written in one batch.
            None if verifier.is_some() => return Err(StorageError::Fault),
            None => MAX_TRIES,
        };
        Ok(Self {
            verifier,
            retries,
            wrong_in_a_row: 0,
        })
    }

    pub(crate) const fn is_set(&self) -> bool {
        self.verifier.is_some()
    }

    pub(crate) const fn retries(&self) -> u8 {
        self.retries
    }

    /// Whether the next try needs a power cycle.
    pub(crate) const fn needs_power_cycle(&self) -> bool {
        self.wrong_in_a_row >= MAX_IN_A_ROW
    }

    /// Whether the PIN must be changed before it is good for anything else.
    pub(crate) fn must_change(&self) -> bool {
        self.verifier.as_ref().is_some_and(|v| v.must_change)
    }

    /// Whether tries are left, in all and in this power cycle.
    pub(crate) const fn may_try(&self) -> Result<(), Status> {
        if self.retries == 0 {
            Err(Status::PinBlocked)
        } else if self.needs_power_cycle() {
            Err(Status::PinAuthBlocked)
        } else {
            Ok(())
        }
    }

    /// Compares LEFT(SHA-256(pin), 16). The try is counted, durably, before the comparison: cutting
    /// the power cannot give it back. A right PIN gives all tries back, in one batch with `also`.
    pub(crate) fn check(
        &mut self,
        pepper: &[u8; 32],
        half_hash: &[u8],
        also: Change<'_>,
        storage: &mut impl Storage,
    ) -> Result<(), Status> {
        self.may_try()?;
        let verifier = self.verifier.as_ref().ok_or(Status::PinNotSet)?;
        let left = self.retries - 1;
        storage
            .commit(&[Change::Put(RecordKey::PIN_RETRIES, &[left])])
            .map_err(|_| Status::Other)?;
        self.retries = left;
        let hash = hmac_sha256(pepper, &[half_hash]);
        if half_hash.len() != 16 || !bool::from(hash.ct_eq(&verifier.hash[..])) {
            self.wrong_in_a_row += 1;
            self.may_try()?;
            return Err(Status::PinInvalid);
        }
        storage
            .commit(&[Change::Put(RecordKey::PIN_RETRIES, &[MAX_TRIES]), also])
            .map_err(|_| Status::Other)?;
        self.retries = MAX_TRIES;
        self.wrong_in_a_row = 0;
        Ok(())
    }

    /// The PIN's length in code points.
    pub(crate) fn code_points(&self) -> Option<u8> {
        self.verifier.as_ref().map(|v| v.code_points)
    }

    /// Demands a new PIN, in one batch with `also`.
    pub(crate) fn force_change(
        &mut self,
        also: &[Change<'_>],
        storage: &mut impl Storage,
    ) -> Result<(), Status> {
        let Some(verifier) = &self.verifier else {
            return Err(Status::PinNotSet);
        };
        let verifier = Verifier {
            hash: verifier.hash.clone(),
            code_points: verifier.code_points,
            must_change: true,
        };
        let record = verifier.encode();
        let mut changes = also.to_vec();
        changes.push(Change::Put(RecordKey::PIN, &record));
        storage.commit(&changes).map_err(|_| Status::Other)?;
        self.verifier = Some(verifier);
        Ok(())
    }

    /// Sets the PIN, with all its tries, in one batch with `also`.
    pub(crate) fn set(
        &mut self,
        pepper: &[u8; 32],
        half_hash: &[u8; 16],
        code_points: u8,
        also: &[Change<'_>],
        storage: &mut impl Storage,
    ) -> Result<(), Status> {
        let verifier = Verifier {
            hash: hmac_sha256(pepper, &[half_hash]),
            code_points,
            must_change: false,
        };
        let record = verifier.encode();
        let mut changes = also.to_vec();
        changes.push(Change::Put(RecordKey::PIN, &record));
        changes.push(Change::Put(RecordKey::PIN_RETRIES, &[MAX_TRIES]));
        storage.commit(&changes).map_err(|_| Status::Other)?;
        self.verifier = Some(verifier);
        self.retries = MAX_TRIES;
        self.wrong_in_a_row = 0;
        Ok(())
    }

    /// Whether this is the PIN that is set, without counting a try: only for a caller who has just
    /// entered the right PIN.
    pub(crate) fn is_current(&self, pepper: &[u8; 32], half_hash: &[u8; 16]) -> bool {
        self.verifier.as_ref().is_some_and(|verifier| {
            hmac_sha256(pepper, &[half_hash])
                .ct_eq(&verifier.hash[..])
                .into()
        })
    }
}

impl Verifier {
    fn encode(&self) -> Zeroizing<alloc::vec::Vec<u8>> {
        Zeroizing::new(
            MapBuilder::new()
                .put(1, &self.hash[..])
                .put(2, self.code_points)
                .put(3, self.must_change)
                .finish(),
        )
    }

    fn decode(record: &[u8]) -> Option<Self> {
        let map = Map::parse(record, Form::Canonical).ok()?;
        let Value::Integer(code_points) = map.get(2)? else {
            return None;
        };
        Some(Self {
            hash: Zeroizing::new(*map.get(1)?.array().ok()?),
            code_points: u8::try_from(code_points).ok()?,
            must_change: map.get(3)?.bool().ok()?,
        })
    }
}
