//! Which refusals get a record of their own, and which are counted with one that is alike.
//!
//! Every kind of refusal (a code at a door) has its own share, and within it everybody who is
//! refused, so whoever makes a flood of one hides nothing of anybody else's: it is told at once, and
//! again each minute, as "and 5,312 more like it". What strangers can make the gateway write is
//! bounded all the same: [`BURST`] a second, and beyond that one record a minute for each of the few
//! groups that there can be.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use hallway_evidence::{DeviceId, PersonId, Timestamp};

use crate::door_name::DoorName;
use crate::http::problem::Code;
use crate::store::{RefusalId, Repeated};

/// How long refusals are counted with one before another is told.
const WINDOW: Duration = Duration::from_secs(60);
/// Records of one group within [`WINDOW`].
const RECORDS: u32 = 20;
/// Records about strangers within a second, where each has one already in its window.
const BURST: u32 = 20;
/// Strangers of one kind that are told apart at a time.
const STRANGERS: usize = 16;
/// Devices and people of one kind that are told apart at a time.
const KNOWN: usize = 256;

/// What was refused: where, and why.
pub(super) type Kind = (DoorName, Code);

/// Who was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// A device that proved to be it.
    Device(DeviceId),
    /// Somebody who is signed in.
    Person(PersonId),
    /// A stranger, from an address.
    Stranger(String),
    /// One of more devices or people than are told apart.
    OtherKnown,
    /// One of more strangers than are told apart.
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

/// What becomes of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It gets this record.
    Apart(RefusalId),
    /// It is counted with an earlier one.
    Counted,
}

/// Refusals of one kind and source.
#[derive(Debug)]
struct Group {
    /// The newest record.
    newest: RefusalId,
    /// Since when refusals are counted.
    since: Instant,
    /// How many records there are since then.
    records: u32,
    /// How many refusals were counted with the newest record.
    more: u64,
    /// How many of these the record tells.
    written: u64,
    /// When the last one was.
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

/// What was refused lately.
#[derive(Debug)]
pub(super) struct Fold {
    groups: HashMap<Kind, HashMap<Source, Group>>,
    /// Counts of records that got a successor, not yet written.
    replaced: Vec<Repeated>,
    /// Records about strangers in the second that began then.
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

    /// Takes a refusal. `now` and `at` are the same moment by two clocks.
    pub(super) fn take(&mut self, kind: Kind, source: Source, now: Instant, at: Timestamp) -> Told {
        let groups = self.groups.entry(kind).or_default();
        let source = if groups.contains_key(&source) {
            source
        } else {
            let alike = groups.keys().filter(|other| other.rest() == source.rest());
            let most = if source.is_known() { KNOWN } else { STRANGERS };
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
                    *count < BURST
                };
                if group.records >= RECORDS || !spare {
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

    /// Forgets a record that could not be written: the next refusal of its group gets one.
    pub(super) fn forget(&mut self, id: RefusalId) {
        for groups in self.groups.values_mut() {
            groups.retain(|_, group| group.newest != id);
        }
    }

    /// The counts that are not written yet. Groups whose time is over are forgotten.
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
    fn a_flood_is_told_in_few_records_and_whole() {
        let mut gate = Gate::new();
        for _ in 0..5_000 {
            gate.refuse(JUNK, stranger(1));
        }
        assert_eq!(gate.records.len(), RECORDS as usize);
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
    fn records_and_memory_are_bounded_whoever_comes() {
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
        assert!(groups <= STRANGERS + KNOWN + 2, "{groups}");
        let most = (STRANGERS + 1 + KNOWN + 1) * RECORDS as usize;
        assert!(gate.records.len() <= most, "{}", gate.records.len());
        assert_eq!(gate.told(), 120_000);
    }

    #[test]
    fn what_could_not_be_written_is_tried_again() {
        let mut gate = Gate::new();
        let Told::Apart(lost) = gate.refuse(JUNK, stranger(1)) else {
            panic!("the first one has a record");
        };
        gate.fold.forget(lost);
        gate.now += Duration::from_secs(1);
        for _ in 0..RECORDS {
            assert!(matches!(gate.refuse(JUNK, stranger(1)), Told::Apart(_)));
        }
        assert_eq!(gate.refuse(JUNK, stranger(1)), Told::Counted);
    }
}
