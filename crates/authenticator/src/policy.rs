//! The owner's configuration (CTAP 2.3, section 6.11), and the record that keeps it.

use alloc::string::String;
use alloc::vec::Vec;

use hallway_ctap::cbor::{Form, List, Map, MapBuilder};

use crate::platform::{RecordKey, Storage, StorageError};

/// Relying parties that may learn of the PIN policy.
pub(crate) const MAX_RP_IDS: usize = 8;
/// The shortest PIN that CTAP allows, in code points.
const MIN_PIN_CODE_POINTS: u8 = 4;

/// The owner's configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Policy {
    pub(crate) always_uv: bool,
    pub(crate) min_pin_length: u8,
    pub(crate) rp_ids: Vec<String>,
    pub(crate) enterprise_attestation: bool,
    pub(crate) long_touch_for_reset: bool,
    pub(crate) pin_complexity: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            always_uv: false,
            min_pin_length: MIN_PIN_CODE_POINTS,
            rp_ids: Vec::new(),
            enterprise_attestation: false,
            long_touch_for_reset: false,
            pin_complexity: false,
        }
    }
}

impl Policy {
    /// Reads the record at power-up.
    pub(crate) fn power_up(storage: &impl Storage) -> Result<Self, StorageError> {
        match storage.read(RecordKey::CONFIG)? {
            Some(record) => Self::decode(&record).ok_or(StorageError::Fault),
            None => Ok(Self::default()),
        }
    }

    /// Whether a relying party may learn of the PIN policy.
    pub(crate) fn tells(&self, rp_id: &str) -> bool {
        self.rp_ids.iter().any(|known| known == rp_id)
    }

    /// Encodes the record.
    pub(crate) fn encode(&self) -> Vec<u8> {
        MapBuilder::new()
            .put(1, self.always_uv)
            .put(2, self.min_pin_length)
            .put(3, List(&self.rp_ids))
            .put(4, self.enterprise_attestation)
            .put(5, self.long_touch_for_reset)
            .put(6, self.pin_complexity)
            .finish()
    }

    fn decode(record: &[u8]) -> Option<Self> {
        let map = Map::parse(record, Form::Canonical).ok()?;
        let flag = |key: i64| map.get(key)?.bool().ok();
        Some(Self {
            always_uv: flag(1)?,
            min_pin_length: u8::try_from(map.get(2)?.unsigned().ok()?).ok()?,
            rp_ids: map
                .get(3)?
                .list()
                .ok()?
                .iter()
                .map(|id| id.text().ok().map(Into::into))
                .collect::<Option<_>>()?,
            enterprise_attestation: flag(4)?,
            long_touch_for_reset: flag(5)?,
            pin_complexity: flag(6)?,
        })
    }
}

/// Whether a PIN is trivial: all one character, or a run up or down.
pub(crate) fn is_trivial(pin: &str) -> bool {
    let steps = || {
        pin.chars()
            .zip(pin.chars().skip(1))
            .map(|(a, b)| i64::from(u32::from(b)) - i64::from(u32::from(a)))
    };
    [0, 1, -1]
        .into_iter()
        .any(|step| steps().all(|found| found == step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_survives() {
        let policy = Policy {
            always_uv: true,
            min_pin_length: 6,
            rp_ids: alloc::vec!["gate.example".into()],
            pin_complexity: true,
            ..Policy::default()
        };
        assert_eq!(Policy::decode(&policy.encode()), Some(policy));
        assert_eq!(Policy::decode(&[0xa0]), None);
    }

    #[test]
    fn trivial_pins() {
        for pin in ["1111", "1234", "87654", "abcdef"] {
            assert!(is_trivial(pin), "{pin}");
        }
        for pin in ["1233", "2580", "1357"] {
            assert!(!is_trivial(pin), "{pin}");
        }
    }
}
