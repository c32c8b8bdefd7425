//! The enrolled fingerprints, and their records.

use alloc::string::String;
use alloc::vec::Vec;

use hallway_ctap::cbor::{Form, Map, MapBuilder};
use zeroize::Zeroizing;

use crate::fingerprint_sensor::Template;
use crate::platform::{Change, RecordKey, Storage, StorageError};

/// Fingers that can be enrolled at most.
pub(crate) const MAX_FINGERPRINTS: u16 = 10;
/// The longest name (CTAP 2.3, section 6.7.2 wants 64 at least).
pub(crate) const MAX_NAME_BYTES: usize = 64;
/// Bytes of a template id.
pub(crate) const ID_BYTES: usize = 16;

pub(crate) type TemplateId = [u8; ID_BYTES];

/// Slots and ids of the enrolled fingerprints. Templates stay in storage until they are needed.
#[derive(Default)]
pub(crate) struct Fingerprints(Vec<(u16, TemplateId)>);

/// A fingerprint as it is stored.
pub(crate) struct Fingerprint {
    pub(crate) id: TemplateId,
    pub(crate) name: Option<String>,
    pub(crate) template: Template,
}

impl Fingerprints {
    /// Finds the records at power-up.
    pub(crate) fn power_up(storage: &impl Storage) -> Result<Self, StorageError> {
        let mut all = Vec::new();
        for slot in 0..MAX_FINGERPRINTS {
            if let Some(fingerprint) = read(storage, slot)? {
                all.push((slot, fingerprint.id));
            }
        }
        Ok(Self(all))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.0.len() >= MAX_FINGERPRINTS as usize
    }

    /// Reads all enrolled fingerprints.
    pub(crate) fn load(&self, storage: &impl Storage) -> Result<Vec<Fingerprint>, StorageError> {
        self.0
            .iter()
            .map(|(slot, _)| read(storage, *slot)?.ok_or(StorageError::Fault))
            .collect()
    }

    /// The templates of all enrolled fingerprints.
    pub(crate) fn templates(&self, storage: &impl Storage) -> Result<Vec<Template>, StorageError> {
        let all = self.load(storage)?;
        Ok(all.into_iter().map(|found| found.template).collect())
    }

    /// Stores a new fingerprint.
    pub(crate) fn add(
        &mut self,
        new: &Fingerprint,
        storage: &mut impl Storage,
    ) -> Result<(), StorageError> {
        let slot = (0..MAX_FINGERPRINTS)
            .find(|slot| self.0.iter().all(|(used, _)| used != slot))
            .ok_or(StorageError::Full)?;
        write(slot, new, storage)?;
        self.0.push((slot, new.id));
        Ok(())
    }

    /// Names a fingerprint; `false` if there is none with this id.
    pub(crate) fn rename(
        &mut self,
        id: &[u8],
        name: &str,
        storage: &mut impl Storage,
    ) -> Result<bool, StorageError> {
        let Some(slot) = self.slot(id) else {
            return Ok(false);
        };
        let mut fingerprint = read(storage, slot)?.ok_or(StorageError::Fault)?;
        fingerprint.name = Some(name.into());
        write(slot, &fingerprint, storage)?;
        Ok(true)
    }

    /// Removes a fingerprint; `false` if there is none with this id.
    pub(crate) fn remove(
        &mut self,
        id: &[u8],
        storage: &mut impl Storage,
    ) -> Result<bool, StorageError> {
        let Some(slot) = self.slot(id) else {
            return Ok(false);
        };
        storage.commit(&[Change::Remove(RecordKey::fingerprint(slot))])?;
        self.0.retain(|(used, _)| *used != slot);
        Ok(true)
    }

    fn slot(&self, id: &[u8]) -> Option<u16> {
        self.0
            .iter()
            .find(|(_, known)| known == id)
            .map(|(slot, _)| *slot)
    }
}

fn read(storage: &impl Storage, slot: u16) -> Result<Option<Fingerprint>, StorageError> {
    match storage.read(RecordKey::fingerprint(slot))? {
        Some(record) => decode(&record).map(Some).ok_or(StorageError::Fault),
        None => Ok(None),
    }
}

fn write(
    slot: u16,
    fingerprint: &Fingerprint,
    storage: &mut impl Storage,
) -> Result<(), StorageError> {
    let record = Zeroizing::new(
        MapBuilder::new()
            .put(1, fingerprint.id)
            .put_some(2, fingerprint.name.as_deref())
            .put(3, &fingerprint.template[..])
            .finish(),
    );
    storage.commit(&[Change::Put(RecordKey::fingerprint(slot), &record)])
}

fn decode(record: &[u8]) -> Option<Fingerprint> {
    let map = Map::parse(record, Form::Canonical).ok()?;
    Some(Fingerprint {
        id: *map.get(1)?.array().ok()?,
        name: match map.get(2) {
            Some(name) => Some(name.text().ok()?.into()),
            None => None,
        },
        template: Zeroizing::new(map.get(3)?.bytes().ok()?.to_vec()),
    })
}
