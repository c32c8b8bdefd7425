use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::from_ms(1_800_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);

/// A realm whose gateways look from time to time.
#[derive(Default)]
struct Realm {
    all: Vec<OwnAuthority>,
    made: u8,
}

/// An event in the realm.
#[derive(Debug, Clone, Copy)]
enum Event {
    Hours(u64),
    Replace(Replacement),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..40_u64).prop_map(Event::Hours),
        2 => (1..120_u64).prop_map(|days| Event::Hours(days * 24)),
        1 => (1..4_u64).prop_map(|quarters| Event::Hours(quarters * 100 * 24)),
        2 => Just(Event::Replace(Replacement::InTurn)),
        1 => Just(Event::Replace(Replacement::AtOnce)),
    ]
}

impl Realm {
    fn new() -> Self {
        let mut realm = Self::default();
        realm.settle(START);
        realm
    }

    fn settle(&mut self, now: Timestamp) {
        let made = &mut self.made;
        let settled = settle(std::mem::take(&mut self.all), now, || {
            *made += 1;
            Ok::<_, std::convert::Infallible>(OwnAuthority {
                sha256: [*made; 32],
                certificate: Vec::new(),
                sealed_key: Vec::new(),
                published: now,
                expires: now.plus(LIFETIME),
                stage: OwnStage::Next,
                since: now,
            })
        });
        self.all = settled.unwrap();
    }

    fn replace(&mut self, now: Timestamp, how: Replacement) -> Result<(), NotYet> {
        self.all = replace(self.all.clone(), now, how)?;
        self.settle(now);
        Ok(())
    }

    fn signs(&self) -> &OwnAuthority {
        signing(&self.all).unwrap()
    }

    fn has(&self, authority: &OwnAuthority) -> bool {
        self.all
            .iter()
            .any(|other| other.sha256 == authority.sha256)
    }
}

proptest! {
    #[test]
    fn whatever_happens_one_signs_and_others_know_it(events in prop::collection::vec(event(), 1..60)) {
        let (mut realm, mut now) = (Realm::new(), START);
        // For each authority, the last moment at which a certificate of it may be valid.
        let mut valid: BTreeMap<[u8; 32], Timestamp> = BTreeMap::new();
        for event in events {
            let before = realm.signs().clone();
            valid.insert(before.sha256, now.plus(LONGEST_CERTIFICATE));
            let mut at_once = false;
            match event {
                Event::Hours(hours) => now = now.plus(HOUR * u32::try_from(hours).unwrap()),
                Event::Replace(how) => {
                    at_once = how == Replacement::AtOnce;
                    if let Err(NotYet(until)) = realm.replace(now, how) {
                        prop_assert!(!at_once && until > now);
                    }
                }
            }
            // A certificate was signed just before.
            if let Event::Hours(_) = event {
                valid.insert(before.sha256, now.plus(LONGEST_CERTIFICATE).min(before.expires));
                realm.settle(now);
            }
            if at_once {
                valid.clear();
                prop_assert_eq!(realm.all.len(), 2, "only the signing and the next authority stay");
            }
            let count = |stage| realm.all.iter().filter(|it| it.stage == stage).count();
            prop_assert_eq!((count(OwnStage::Signing), count(OwnStage::Next)), (1, 1));
            prop_assert!(realm.all.len() <= hallway_hall::MOST_AUTHORITIES);
            let signs = realm.signs();
            prop_assert!(now < signs.expires && now < next(&realm.all).unwrap().expires);
            if signs.sha256 != before.sha256 && !at_once && now < before.expires {
                let known = signs.published <= before.published
                    || now >= signs.published.plus(KNOWN);
                prop_assert!(known, "an authority signs that not everybody knows");
            }
            for (sha256, until) in &valid {
                let there = realm.all.iter().any(|it| it.sha256 == *sha256);
                prop_assert!(there || now >= *until, "a valid certificate lost its authority");
            }
            // A second look changes nothing.
            let settled = realm.all.clone();
            realm.settle(now);
            prop_assert_eq!(&settled, &realm.all);
        }
    }
}

#[test]
fn a_year_of_rotations() {
    let mut realm = Realm::new();
    let first = realm.signs().clone();
    let second = next(&realm.all).unwrap().clone();
    realm.settle(START.plus(SIGNS - HOUR));
    assert_eq!(realm.signs(), &first);
    // The next authority takes over, and the former one stays until its last certificate has ended.
    let turn = START.plus(SIGNS);
    realm.settle(turn);
    assert_eq!(realm.signs().sha256, second.sha256);
    assert_eq!(realm.all.len(), 3);
    realm.settle(turn.plus(LONGEST_CERTIFICATE));
    assert!(realm.has(&first));
    realm.settle(turn.plus(DRAINS));
    assert!(!realm.has(&first));
    assert_eq!(realm.all.len(), 2);
    let mut now = turn;
    for _ in 0..3 {
        let signs = realm.signs().clone();
        now = now.plus(SIGNS);
        realm.settle(now);
        assert_ne!(realm.signs().sha256, signs.sha256);
    }
}

#[test]
fn a_fresh_realm_may_replace_once_and_then_waits_a_day() {
    let mut realm = Realm::new();
    let first = realm.signs().clone();
    let at = START.plus(HOUR);
    realm.replace(at, Replacement::InTurn).unwrap();
    assert!(realm.has(&first));
    let soon = at.plus(HOUR);
    let refused = realm.replace(soon, Replacement::InTurn).unwrap_err();
    assert_eq!(refused, NotYet(at.plus(KNOWN)));
    realm.replace(refused.0, Replacement::InTurn).unwrap();
    // If a key leaked, its authority is replaced without waiting.
    let leaked = realm.signs().clone();
    realm.replace(refused.0, Replacement::AtOnce).unwrap();
    assert!(!realm.has(&leaked));
}

#[test]
fn after_years_without_a_look_a_new_authority_signs() {
    let mut realm = Realm::new();
    let years = START.plus(LIFETIME * 3);
    realm.settle(years);
    assert!(realm.signs().expires > years);
    assert_eq!(next(&realm.all).unwrap().published, years);
}
