//! Whose devices were when, against a model that remembers it entry by entry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hallway_door_device::ingest::Ingest;
use hallway_door_device::store::{
    Device, DeviceState, DeviceTables, Enrolment, HandOver, TransactionFilter,
};
use hallway_evidence::{CredentialId, DeviceId, PersonId};
use hallway_spine::ledger::Ledger;
use hallway_spine::store::{EvidenceHash, Holder, Limit, PageRequest, Role, Store, Unit};

use crate::database::Database;
use crate::sample::{
    Dice, at, credential, device, entry, evidence, hash32, ledger, maker, mark, person, submission,
};

/// An entry of the log about a device.
struct Logged {
    index: u64,
    device: DeviceId,
    owner: Option<PersonId>,
    name: String,
    is_transaction: bool,
}

/// A device as the model knows it.
struct Held {
    device: Device,
    owner: Option<PersonId>,
    name: String,
    sequence: u64,
}

struct World {
    store: Store,
    ledger: Arc<Ledger>,
    ingest: Ingest,
    dice: Dice,
    people: Vec<PersonId>,
    held: Vec<Held>,
    log: Vec<Logged>,
}

/// Sequences of claims, transfers, releases, renamings and transactions at random.
pub(crate) async fn whose_it_was_is_told_for_good(database: &Database) {
    let seed = std::env::var("HALLWAY_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("HALLWAY_TEST_SEED={seed}");
    let mut world = World::new(database, seed).await;
    for step in 0..160 {
        let (device, person) = (world.dice.below(3) as usize, world.dice.below(3) as usize);
        match world.dice.below(10) {
            0..=5 => world.send(device).await,
            6 => world.claim(device, person).await,
            7 => world.hand_over(device, person).await,
            8 => world.release(device).await,
            _ => world.rename(device, format!("name {step}")).await,
        }
        if step % 16 == 15 {
            world.check().await;
        }
    }
}

impl World {
    async fn new(database: &Database, seed: u64) -> Self {
        let (store, ledger) = (database.store().await, ledger());
        let clock = AtomicU64::new(1_000_000);
        let now = move || at(clock.fetch_add(1, Ordering::Relaxed));
        let ingest = Ingest::start(store.clone(), ledger.clone(), now);
        let (maker, people) = (maker(), [(); 3].map(|()| person(Role::Member)));
        let unit = store.begin().await.unwrap();
        unit.makers().add(&maker).await.unwrap();
        let mut held = Vec::new();
        for person in &people {
            unit.people().add(person).await.unwrap();
            let camera = Device {
                owner: None,
                state: DeviceState::Announced,
                credential: None,
                era: 0,
                enrolment: None,
                claim: None,
                ..device(maker.id, person.id)
            };
            unit.devices().add(&camera, &[mark()]).await.unwrap();
            held.push(Held {
                name: camera.serial.clone(),
                device: camera,
                owner: None,
                sequence: 0,
            });
        }
        unit.save().await.unwrap();
        Self {
            store,
            ledger,
            ingest,
            dice: Dice::new(seed),
            people: people.iter().map(|person| person.id).collect(),
            held,
            log: Vec::new(),
        }
    }

    /// Puts an entry about a device into the log.
    async fn append(&self, unit: &Unit<'_>, device: DeviceId) -> u64 {
        let entry = entry(evidence()).of_device(device);
        let receipts = self.ledger.append(unit, vec![entry]).await.unwrap();
        receipts[0].proof.index()
    }

    fn note(&mut self, index: u64, device: usize, is_transaction: bool) {
        let held = &self.held[device];
        self.log.push(Logged {
            index,
            device: held.device.id,
            owner: held.owner,
            name: held.name.clone(),
            is_transaction,
        });
    }

    async fn send(&mut self, device: usize) {
        let held = &mut self.held[device];
        if held.owner.is_none() {
            return;
        }
        held.sequence += 1 + self.dice.below(3);
        let submission = submission(&held.device, held.sequence, 1);
        let receipt = self.ingest.submit(submission).await.unwrap().into_receipt();
        self.note(receipt.proof.index(), device, true);
    }

    async fn claim(&mut self, device: usize, person: usize) {
        let (id, owner) = (self.held[device].device.id, self.people[person]);
        if self.held[device].owner.is_some_and(|other| other != owner) {
            return;
        }
        let mut key = credential(Holder::Device(id));
        key.id = CredentialId::new(hash32()).unwrap();
        let name = format!("claimed {}", self.log.len());
        let unit = self.store.begin().await.unwrap();
        let enrolled = self.append(&unit, id).await;
        let claimed = self.append(&unit, id).await;
        if self.held[device].owner.is_some() {
            let released = DeviceState::Released;
            unit.devices().set_state(id, released).await.unwrap();
        }
        unit.credentials().add(&key).await.unwrap();
        let enrolment = Enrolment {
            credential: key.id.clone(),
            maker: self.held[device].device.maker,
            owner,
            name: name.clone(),
            enrolment: EvidenceHash(hash32()),
            claim: EvidenceHash(hash32()),
            from: enrolled,
        };
        unit.devices().enrol(id, &enrolment).await.unwrap();
        let registered = DeviceState::Registered;
        unit.devices().set_state(id, registered).await.unwrap();
        unit.save().await.unwrap();
        let held = &mut self.held[device];
        held.device.credential = Some(key.id);
        (held.owner, held.name, held.sequence) = (Some(owner), name, 0);
        self.note(enrolled, device, false);
        self.note(claimed, device, false);
    }

    async fn hand_over(&mut self, device: usize, person: usize) {
        if self.held[device].owner.is_none() {
            return;
        }
        let (id, to) = (self.held[device].device.id, self.people[person]);
        let name = format!("handed over {}", self.log.len());
        let unit = self.store.begin().await.unwrap();
        let from = self.append(&unit, id).await;
        let change = HandOver {
            to,
            name: name.clone(),
            from,
        };
        unit.devices().hand_over(id, &change).await.unwrap();
        unit.save().await.unwrap();
        (self.held[device].owner, self.held[device].name) = (Some(to), name);
        self.note(from, device, false);
    }

    async fn release(&mut self, device: usize) {
        if self.held[device].owner.is_none() {
            return;
        }
        let id = self.held[device].device.id;
        let unit = self.store.begin().await.unwrap();
        let last = self.append(&unit, id).await;
        let released = DeviceState::Released;
        unit.devices().set_state(id, released).await.unwrap();
        unit.devices().give_up(id, last).await.unwrap();
        unit.save().await.unwrap();
        self.note(last, device, false);
        self.held[device].owner = None;
    }

    async fn rename(&mut self, device: usize, name: String) {
        let Held { device, owner, .. } = &self.held[device];
        let (id, Some(owner)) = (device.id, *owner) else {
            return;
        };
        let unit = self.store.begin().await.unwrap();
        unit.devices().rename(id, &name).await.unwrap();
        unit.save().await.unwrap();
        // The name is that of the whole period.
        let of_device = self.log.iter_mut().rev().filter(|entry| entry.device == id);
        let before = self.held.iter().find(|held| held.device.id == id).unwrap();
        let former = before.name.clone();
        for entry in
            of_device.take_while(|entry| entry.owner == Some(owner) && entry.name == former)
        {
            entry.name.clone_from(&name);
        }
        let held = self.held.iter_mut().find(|held| held.device.id == id);
        held.unwrap().name = name;
    }

    fn expected(&self, keep: impl Fn(&Logged) -> bool) -> Vec<u64> {
        let kept = self.log.iter().filter(|entry| keep(entry));
        kept.map(|entry| entry.index).collect()
    }

    async fn check(&self) {
        let reader = self.store.read();
        for entry in &self.log {
            let told = reader.ownerships().at(entry.device, entry.index).await;
            let told = told.unwrap().map(|period| (period.owner, period.name));
            assert_eq!(told, entry.owner.map(|owner| (owner, entry.name.clone())));
        }
        for owner in &self.people {
            let own = self.expected(|entry| entry.is_transaction && entry.owner == Some(*owner));
            self.listed(TransactionFilter::Owner(*owner), own).await;
            for held in &self.held {
                let id = held.device.id;
                let mine = |entry: &Logged| entry.device == id && entry.owner == Some(*owner);
                let own = self.expected(|entry| entry.is_transaction && mine(entry));
                let filter = TransactionFilter::DeviceOfOwner(id, *owner);
                self.listed(filter, own).await;
                let mut history = self.expected(|entry| !entry.is_transaction && mine(entry));
                history.reverse();
                let request = PageRequest {
                    after: None,
                    limit: Limit::nearest(200),
                };
                let held = reader.ownerships();
                let found = held.history(id, *owner, &request).await.unwrap();
                let found: Vec<u64> = found.items.iter().map(|record| record.log_index).collect();
                assert_eq!(found, history);
                let last = reader.ownerships().last_of(id, *owner).await.unwrap();
                assert_eq!(last.is_some(), self.log.iter().any(mine));
            }
        }
    }

    /// Both ways to list: page by page from the newest, and behind a place from the oldest.
    async fn listed(&self, filter: TransactionFilter, expected: Vec<u64>) {
        let transactions = || self.store.read().transactions();
        let limit = Limit::nearest(3);
        let (mut found, mut request) = (Vec::new(), PageRequest { after: None, limit });
        loop {
            let page = transactions().page(filter, &request).await.unwrap();
            found.extend(page.items.iter().map(|item| item.log_index));
            request.after = page.next;
            if request.after.is_none() {
                break;
            }
        }
        found.reverse();
        assert_eq!(found, expected);
        let half = expected.len() / 2;
        let after = half.checked_sub(1).map(|at| expected[at]);
        let all = Limit::nearest(200);
        let behind = transactions().since(filter, after, all).await.unwrap();
        let behind: Vec<u64> = behind.iter().map(|item| item.log_index).collect();
        assert_eq!(behind, expected[half..]);
    }
}
