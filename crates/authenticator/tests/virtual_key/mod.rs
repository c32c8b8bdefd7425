//! A key whose storage, power and clock the test controls.

#![allow(dead_code, reason = "each test uses its own part")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use hallway_authenticator::{
    Answer, Authenticator, Caller, Capture, Change, Clock, Environment, FingerprintSensor,
    Identification, Platform, Presence, Question, Randomness, RandomnessError, RecordKey,
    RustCrypto, SensorInfo, Settings, SimulatedSensor, Storage, StorageError, Template,
};
use hallway_client::{Connection, ConnectionError, Keepalive};
use zeroize::Zeroizing;

pub(crate) type Records = BTreeMap<RecordKey, Vec<u8>>;

/// When the power goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    Never,
    /// Before the commit with this number, counted from 0: it is lost.
    Before(usize),
    /// After it: it is durable, but reports a failure.
    After(usize),
}

pub(crate) struct Hands {
    pub(crate) records: RefCell<Records>,
    pub(crate) commits: Cell<usize>,
    pub(crate) cut: Cell<Cut>,
    pub(crate) dead: Cell<bool>,
    pub(crate) now_ms: Cell<u64>,
    pub(crate) answer: Cell<Answer>,
    pub(crate) touches: Cell<usize>,
    /// The fingerprint sensor, if the key has one.
    pub(crate) sensor: RefCell<Option<SimulatedSensor>>,
    random: Cell<u64>,
}

impl Hands {
    pub(crate) fn new() -> Rc<Self> {
        Self::holding(Records::new(), 1)
    }

    pub(crate) fn holding(records: Records, seed: u64) -> Rc<Self> {
        Rc::new(Self {
            records: RefCell::new(records),
            commits: Cell::new(0),
            cut: Cell::new(Cut::Never),
            dead: Cell::new(false),
            now_ms: Cell::new(0),
            answer: Cell::new(Answer::Granted),
            touches: Cell::new(0),
            sensor: RefCell::new(None),
            random: Cell::new(seed),
        })
    }
}

pub(crate) struct Held(pub(crate) Rc<Hands>);

impl Storage for Held {
    fn read(&self, key: RecordKey) -> Result<Option<Zeroizing<Vec<u8>>>, StorageError> {
        if self.0.dead.get() {
            return Err(StorageError::Fault);
        }
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
        let hands = &self.0;
        let number = hands.commits.get();
        hands.commits.set(number + 1);
        if hands.dead.get() || hands.cut.get() == Cut::Before(number) {
            hands.dead.set(true);
            return Err(StorageError::Fault);
        }
        let mut records = hands.records.borrow_mut();
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
        if hands.cut.get() == Cut::After(number) {
            hands.dead.set(true);
            return Err(StorageError::Fault);
        }
        Ok(())
    }
}

impl Presence for Held {
    fn confirm(&mut self, _: &Question<'_>) -> Answer {
        self.0.touches.set(self.0.touches.get() + 1);
        self.0.answer.get()
    }
}

impl Clock for Held {
    fn now_ms(&self) -> u64 {
        self.0.now_ms.get()
    }
}

impl Randomness for Held {
    /// SplitMix64: the same each time, which is all that a test wants.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        for byte in bytes {
            let state = self.0.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            self.0.random.set(state);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *byte = (mixed >> 32) as u8;
        }
        Ok(())
    }
}

impl FingerprintSensor for Held {
    fn info(&self) -> Option<SensorInfo> {
        self.0.sensor.borrow().info()
    }

    fn capture(&mut self, template: &mut Template, enrolled: &[Template], wait_ms: u64) -> Capture {
        let mut sensor = self.0.sensor.borrow_mut();
        sensor.capture(template, enrolled, wait_ms)
    }

    fn identify(&mut self, enrolled: &[Template], wait_ms: u64) -> Identification {
        self.0.sensor.borrow_mut().identify(enrolled, wait_ms)
    }
}

pub(crate) struct Virtual;

impl Environment for Virtual {
    type Storage = Held;
    type Presence = Held;
    type Clock = Held;
    type Randomness = Held;
    type Signatures = RustCrypto;
    type Fingerprints = Held;
}

/// A key under power.
pub(crate) struct VirtualKey(pub(crate) Authenticator<Virtual>);

impl VirtualKey {
    pub(crate) fn power_up(hands: &Rc<Hands>) -> Self {
        Self::power_up_with(hands, Settings::default())
    }

    pub(crate) fn power_up_with(hands: &Rc<Hands>, settings: Settings) -> Self {
        let held = || Held(Rc::clone(hands));
        let platform = Platform::<Virtual> {
            storage: held(),
            presence: held(),
            clock: held(),
            randomness: held(),
            signatures: RustCrypto,
            fingerprints: held(),
        };
        Self(Authenticator::power_up(platform, settings).unwrap())
    }
}

impl Connection for VirtualKey {
    fn transact(
        &mut self,
        request: &[u8],
        _: &mut dyn FnMut(Keepalive),
    ) -> Result<Vec<u8>, ConnectionError> {
        Ok(self.0.process(Caller::ONLY, request))
    }
}
