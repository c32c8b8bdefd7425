//! Decides which refusals get a record of their own, and which are counted with a similar one.
//!
//! Every kind of refusal (a code at a door) has its own share of records, and so has every refused device,
//! person or network within it. So a flood from one source hides no refusal of another: each is recorded at
//! once, and again each minute, as "and 5,312 more like it". The records that strangers can cause are
//! bounded all the same: [`BURST_PER_SECOND`] a second, and beyond that one a minute for each of the few groups.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use hallway_evidence::{DeviceId, PersonId, Timestamp};

use crate::door_name::DoorName;
use crate::http::problem::Code;
use crate::store::{RefusalId, Repeated};

/// How long similar refusals are counted with a record before the next one gets its own.
const WINDOW: Duration = Duration::from_secs(60);
/// Records of one group within [`WINDOW`].
const RECORDS_PER_WINDOW: u32 = 20;
/// Further records about strangers in one second, for all groups that have one in their window.
const BURST_PER_SECOND: u32 = 20;
/// Strangers of one kind that have a group of their own at a time.
const MAX_STRANGERS: usize = 16;
/// Devices and people of one kind that have a group of their own at a time.
const MAX_KNOWN: usize = 256;

/// The kind of a refusal: the door and the code.
pub(super) type Kind = (DoorName, Code);

/// The source of a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// A device whose signature was verified.
    Device(DeviceId),
    /// A person who is signed in.
    Person(PersonId),
    /// A stranger, from an address.
    Stranger(String),
    /// A device or person without a group of its own.
    OtherKnown,
    /// A stranger without a group of its own.
    OtherStranger,
}

impl Source {
    const fn is_known(&self) -> bool {
        matches!(self, Self::Device(_) | Self::Person(_) | Self::OtherKnown)
    }

    const fn rest(&self) -> Self {
        if self.is_known() {
            Self::OtherKnown
        } else {
            Self::OtherStranger
        }
    }
}

/// The decision about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It gets this record.
    Apart(RefusalId),
    /// It is counted with an earlier record.
    Counted,
}

/// Refusals of one kind and source.
#[derive(Debug)]
struct Group {
    /// The newest record.
    newest: RefusalId,
    /// Since when refusals are counted.
    since: Instant,
    /// The number of records since then.
    records: u32,
    /// The number of refusals that were counted with the newest record.
    more: u64,
    /// The number of these that the record tells.
    written: u64,
    /// When the last refusal was.
    last: Timestamp,
}

impl Group {
    fn untold(&mut self) -> Option<Repeated> {
        (self.more != self.written).then(|| {
            self.written = self.more;
            Repeated {
                id: self.newest,
                more: self.more,
                last: self.last,
            }
        })
    }
}

/// The latest refusals.
#[derive(Debug)]
pub(super) struct Fold {
    groups: HashMap<Kind, HashMap<Source, Group>>,
    /// Counts of records that have a successor, not yet written.
    replaced: Vec<Repeated>,
    /// The number of records about strangers in the second that began then.
    second: (Instant, u32),
}

impl Fold {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            groups: HashMap::new(),
            replaced: Vec::new(),
            second: (now, 0),
        }
    }

    /// Counts a refusal. `now` and `at` are the same moment by two clocks.
    pub(super) fn take(&mut self, kind: Kind, source: Source, now: Instant, at: Timestamp) -> Told {
        let groups = self.groups.entry(kind).or_default();
        let source = if groups.contains_key(&source) {
            source
        } else {
            let alike = groups.keys().filter(|other| other.rest() == source.rest());
            let most = if source.is_known() {
                MAX_KNOWN
            } else {
                MAX_STRANGERS
            };
            if alike.count() < most {
                source
            } else {
                source.rest()
            }
        };
        let is_known = source.is_known();
        let mut records = 1;
        if let Some(group) = groups.get_mut(&source) {
            if now.duration_since(group.since) < WINDOW {
                let spare = is_known || {
                    let (second, count) = &mut self.second;
                    if now.duration_since(*second) >= Duration::from_secs(1) {
                        (*second, *count) = (now, 0);
                    }
                    *count < BURST_PER_SECOND
                };
                if group.records >= RECORDS_PER_WINDOW || !spare {
                    group.more += 1;
                    group.last = at;
                    return Told::Counted;
                }
                records = group.records + 1;
            }
            self.replaced.extend(group.untold());
        }
        if !is_known {
            self.second.1 = self.second.1.saturating_add(1);
        }
        let newest = RefusalId::generate();
        let since = match groups.get(&source) {
            Some(group) if records > 1 => group.since,
            _ => now,
        };
        let group = Group {
            newest,
            since,
            records,
            more: 0,
            written: 0,
            last: at,
        };
        groups.insert(source, group);
        Told::Apart(newest)
    }

    /// Forgets a record that could not be written. The next refusal of its group gets a record.
    pub(super) fn forget(&mut self, id: RefusalId) {
        for groups in self.groups.values_mut() {
            groups.retain(|_, group| group.newest != id);
        }
    }

    /// The counts that are not written yet. Groups whose window has ended are forgotten.
    pub(super) fn untold(&mut self, now: Instant) -> Vec<Repeated> {
        let mut untold = core::mem::take(&mut self.replaced);
        for groups in self.groups.values_mut() {
            untold.extend(groups.values_mut().filter_map(Group::untold));
            groups.retain(|_, group| now.duration_since(group.since) < WINDOW);
        }
        self.groups.retain(|_, groups| !groups.is_empty());
        untold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUNK: Kind = (DoorName::new("device"), Code::Malformed);

    fn stranger(n: usize) -> Source {
        Source::Stranger(format!("192.0.2.{n}"))
    }

    struct Gate {
        fold: Fold,
        now: Instant,
        records: Vec<(RefusalId, u64)>,
    }

    impl Gate {
        fn new() -> Self {
            let now = Instant::now();
            Self {
                fold: Fold::new(now),
                now,
                records: Vec::new(),
            }
        }

        fn refuse(&mut self, kind: Kind, source: Source) -> Told {
            let told = self
                .fold
                .take(kind, source, self.now, Timestamp::from_ms(7));
            if let Told::Apart(id) = told {
                self.records.push((id, 0));
            }
            told
        }

        fn write_counts(&mut self) {
            for repeated in self.fold.untold(self.now) {
                let record = self.records.iter_mut().find(|(id, _)| *id == repeated.id);
                record.unwrap().1 = repeated.more;
            }
        }

        fn told(&self) -> u64 {
            self.records.iter().map(|(_, more)| more + 1).sum()
        }
    }

    #[test]
    fn few_records_tell_every_refusal_of_a_flood() {
        let mut gate = Gate::new();
        for _ in 0..5_000 {
            gate.refuse(JUNK, stranger(1));
        }
        assert_eq!(gate.records.len(), RECORDS_PER_WINDOW as usize);
        gate.write_counts();
        assert_eq!(gate.told(), 5_000);
        gate.now += WINDOW;
        assert!(matches!(gate.refuse(JUNK, stranger(1)), Told::Apart(_)));
        gate.write_counts();
        assert_eq!(gate.told(), 5_001);
    }

    #[test]
    fn a_flood_hides_nothing_of_another_kind_or_source() {
        let mut gate = Gate::new();
        for n in 0..10_000 {
            gate.refuse(JUNK, stranger(n));
        }
        let device = Source::Device(DeviceId::generate());
        for (kind, source) in [
            ((DoorName::new("device"), Code::ClonedKey), stranger(3)),
            ((DoorName::WEB, Code::Malformed), stranger(3)),
            (JUNK, device),
            (JUNK, Source::Person(PersonId::generate())),
        ] {
            assert!(matches!(gate.refuse(kind, source), Told::Apart(_)));
        }
    }

    #[test]
    fn records_and_memory_are_bounded_for_all_sources() {
        let mut gate = Gate::new();
        for second in 0..60 {
            for n in 0..1_000 {
                gate.refuse(JUNK, stranger(second * 1_000 + n));
                gate.refuse(JUNK, Source::Device(DeviceId::generate()));
            }
            gate.now += Duration::from_millis(990);
            gate.write_counts();
        }
        let groups: usize = gate.fold.groups.values().map(HashMap::len).sum();
        assert!(groups <= MAX_STRANGERS + MAX_KNOWN + 2, "{groups}");
        let most = (MAX_STRANGERS + 1 + MAX_KNOWN + 1) * RECORDS_PER_WINDOW as usize;
        assert!(gate.records.len() <= most, "{}", gate.records.len());
        assert_eq!(gate.told(), 120_000);
    }

    #[test]
    fn a_record_that_could_not_be_written_is_made_again() {
        let mut gate = Gate::new();
        let Told::Apart(lost) = gate.refuse(JUNK, stranger(1)) else {
            panic!("the first one has a record");
        };
        gate.fold.forget(lost);
        gate.now += Duration::from_secs(1);
        for _ in 0..RECORDS_PER_WINDOW {
            assert!(matches!(gate.refuse(JUNK, stranger(1)), Told::Apart(_)));
        }
        assert_eq!(gate.refuse(JUNK, stranger(1)), Told::Counted);
    }
}
