//! A key in memory. The input decides how its owner answers and how time passes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use hallway_authenticator::{
    Answer, Authenticator, Change, Clock, Environment, Gesture, Platform, PowerUpError, Presence,
    Question, Randomness, RandomnessError, RecordKey, RustCrypto, Settings, SimulatedSensor,
    Storage, StorageError,
};
use zeroize::Zeroizing;

pub(crate) type Records = BTreeMap<RecordKey, Vec<u8>>;

/// The storage, owner and clock of the key.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) records: RefCell<Records>,
    pub(crate) now_ms: Cell<u64>,
    pub(crate) answer: Cell<u8>,
    random: Cell<u8>,
}

#[derive(Clone)]
pub(crate) struct Held(Rc<World>);

impl Storage for Held {
    fn read(&self, key: RecordKey) -> Result<Option<Zeroizing<Vec<u8>>>, StorageError> {
        Ok(self
            .0
            .records
            .borrow()
            .get(&key)
            .cloned()
            .map(Zeroizing::new))
    }

    fn each(&self, visit: &mut dyn FnMut(RecordKey, &[u8])) -> Result<(), StorageError> {
        for (key, record) in self.0.records.borrow().iter() {
            visit(*key, record);
        }
        Ok(())
    }

    fn commit(&mut self, changes: &[Change<'_>]) -> Result<(), StorageError> {
        let mut records = self.0.records.borrow_mut();
        for change in changes {
            match change {
                Change::Put(key, value) => {
                    records.insert(*key, value.to_vec());
                }
                Change::Remove(key) => {
                    records.remove(key);
                }
                Change::KeepOnly(keys) => records.retain(|key, _| keys.contains(key)),
            }
        }
        Ok(())
    }
}

impl Presence for Held {
    fn confirm(&mut self, _: &Question<'_>) -> Answer {
        match self.0.answer.get() % 8 {
            0 => Answer::Denied,
            1 => Answer::TimedOut,
            2 => Answer::Cancelled,
            _ => Answer::Granted,
        }
    }
}

impl Clock for Held {
    fn now_ms(&self) -> u64 {
        self.0.now_ms.get()
    }
}

impl Randomness for Held {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        for byte in bytes {
            self.0.random.set(self.0.random.get().wrapping_add(1));
            *byte = self.0.random.get();
        }
        Ok(())
    }
}

pub(crate) struct Virtual;

impl Environment for Virtual {
    type Storage = Held;
    type Presence = Held;
    type Clock = Held;
    type Randomness = Held;
    type Signatures = RustCrypto;
    type Fingerprints = Option<SimulatedSensor>;
}

/// Starts a key in this world, with finger 1 on its sensor.
pub(crate) fn power_up(
    world: &Rc<World>,
    settings: Settings,
) -> Result<Authenticator<Virtual>, PowerUpError> {
    let held = || Held(Rc::clone(world));
    let platform = Platform::<Virtual> {
        storage: held(),
        presence: held(),
        clock: held(),
        randomness: held(),
        signatures: RustCrypto,
        fingerprints: Some(SimulatedSensor::new([Gesture::Finger(1)])),
    };
    Authenticator::power_up(platform, settings)
}
