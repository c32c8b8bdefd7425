//! Public keys of devices, kept in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use hallway_evidence::{CredentialId, DeviceId, Timestamp};
use hallway_spine::store::{Holder, StoreError, Unit};
use hallway_webauthn::CredentialRecord;

/// How many keys are kept in memory: 160 MB at most, as `bench/benches/ingest` measures.
const MAX_KEYS: usize = 100_000;

/// A device's key.
#[derive(Debug)]
pub struct DeviceKey {
    /// The device that signs with it.
    pub device: DeviceId,
    /// When the device announced the key: it signed nothing before.
    pub made: Timestamp,
    /// What verifies its signatures. Its signature counter is 0: whether the counter went on is
    /// decided in [`super::Ingest`], against the one in the database.
    pub record: CredentialRecord,
    /// The epoch in which the key's model was last found acceptable; 0 for never.
    admitted: AtomicU64,
}

impl DeviceKey {
    /// Whether the key's model was found acceptable in this `epoch`: then it still is.
    pub fn is_admitted(&self, epoch: u64) -> bool {
        self.admitted.load(Ordering::Relaxed) == epoch
    }

    /// Notes that the model was found acceptable in this epoch.
    pub fn admit(&self, epoch: u64) {
        self.admitted.store(epoch, Ordering::Relaxed);
    }
}

/// The keys of the devices that sent something lately.
///
/// A credential id stands for one public key and one device for good, so a key in memory is never
/// out of date; whether the device may still use it is decided when the transaction is kept.
#[derive(Debug, Default)]
pub struct Keyring {
    keys: RwLock<HashMap<CredentialId, Arc<DeviceKey>>>,
}

impl Keyring {
    fn at_hand(&self, id: &CredentialId) -> Option<Arc<DeviceKey>> {
        self.keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    /// The key with this id; nothing when no device has it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get(
        &self,
        store: &Unit<'_>,
        id: &CredentialId,
    ) -> Result<Option<Arc<DeviceKey>>, StoreError> {
        if let Some(key) = self.at_hand(id) {
            return Ok(Some(key));
        }
        let Some(credential) = store.credentials().get(id).await? else {
            return Ok(None);
        };
        let Holder::Device(device) = credential.holder else {
            return Ok(None);
        };
        let key = Arc::new(DeviceKey {
            device,
            made: credential.created,
            record: CredentialRecord {
                sign_count: 0,
                ..credential.record()
            },
            admitted: AtomicU64::new(0),
        });
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MAX_KEYS {
            // This happens seldom, and each key that is needed again costs one query.
            keys.clear();
        }
        keys.insert(id.clone(), Arc::clone(&key));
        Ok(Some(key))
    }
}
