//! What a realm saw of others' logs, and who cosigned its own.

use hallway_evidence::Timestamp;
use hallway_evidence::log::{
    Checkpoint, CosignerKey, CosigningKey, Fork, Latest, SigningKey, VerifierKey,
};
use hallway_spine::ledger::{LedgerError, cosigned};
use hallway_spine::store::{
    CosignedCheckpoint, CosignerState, EvidenceHash, EvidenceRecord, PageRequest, Store,
    StoreError, WitnessedLog,
};

use crate::database::Database;
use crate::log::verify;
use crate::sample::{at, entries, ledger};

fn log_key() -> SigningKey {
    SigningKey::from_seed("beta.example/log", &[1; 32]).unwrap()
}

/// The head of a log of `size` entries; each `tree` has another root.
fn head(size: u64, tree: u8) -> Latest {
    let key = log_key();
    let head = Checkpoint::new(key.name(), size, [tree; 32]).unwrap();
    Latest::open(&head.sign(&key), &key.verifier()).unwrap()
}

async fn advance(
    store: &Store,
    key: &VerifierKey,
    from: Option<u64>,
    to: &Latest,
) -> Result<(), StoreError> {
    // Not `transact`, which would try again what is refused.
    let unit = store.begin().await?;
    unit.witnessed().advance(from, key, to, at(5_000)).await?;
    unit.save().await
}

pub(crate) async fn two_trees_of_one_size_are_never_both_kept(database: &Database) {
    let key = log_key().verifier();
    let origin = key.name();
    for (from, size) in [(None, 7), (Some(7), 9)] {
        let mut racing = tokio::task::JoinSet::new();
        for tree in 1..=6 {
            let (store, key) = (database.store().await, key.clone());
            racing.spawn(async move {
                let to = head(size, tree);
                advance(&store, &key, from, &to).await.map(|()| to)
            });
        }
        let done = racing.join_all().await;
        let won: Vec<&Latest> = done.iter().flatten().collect();
        assert_eq!(won.len(), 1, "{done:?}");
        for lost in done.iter().filter_map(|done| done.as_ref().err()) {
            assert!(matches!(lost, StoreError::WitnessMoved), "{lost:?}");
        }
        let store = database.store().await;
        let kept = store.read().witnessed().of(origin).await.unwrap().unwrap();
        assert_eq!((&kept.latest, kept.cosigned), (won[0], at(5_000)));
        assert_eq!(store.read().witnessed().all().await.unwrap(), [kept]);
    }
    // Never back, and never under another key.
    let store = database.store().await;
    let back = advance(&store, &key, Some(7), &head(8, 1)).await;
    assert!(matches!(back, Err(StoreError::WitnessMoved)), "{back:?}");
    let other = SigningKey::from_seed(origin, &[2; 32]).unwrap().verifier();
    for from in [None, Some(9)] {
        let foreign = advance(&store, &other, from, &head(10, 1)).await;
        assert!(
            matches!(foreign, Err(StoreError::WitnessMoved)),
            "{foreign:?}"
        );
    }
    assert_eq!(store.read().witnessed().of("else/log").await.unwrap(), None);
}

pub(crate) async fn a_fork_is_kept_for_good(database: &Database) {
    let (store, key) = (database.store().await, log_key().verifier());
    advance(&store, &key, None, &head(7, 1)).await.unwrap();
    let fork = |tree| Fork {
        first: head(7, 1).note().to_owned(),
        second: head(7, tree).note().to_owned(),
        proof: Vec::new(),
    };
    let unit = store.begin().await.unwrap();
    unit.witnessed()
        .doubt(key.name(), 8, at(6_000))
        .await
        .unwrap();
    for tree in [2, 3] {
        let fork = fork(tree);
        assert!(fork.verify(&key).is_ok());
        let witnessed = unit.witnessed();
        let now = at(7_000 + u64::from(tree));
        witnessed.forked(key.name(), &fork, now).await.unwrap();
    }
    unit.save().await.unwrap();
    let kept = store.read().witnessed().of(key.name()).await.unwrap();
    let kept = kept.unwrap();
    assert_eq!(kept.fork, Some((fork(2), at(7_002))));
    assert_eq!(kept.doubted, Some((8, at(6_000))));
    let more = advance(&store, &key, Some(7), &head(8, 1)).await;
    assert!(matches!(more, Err(StoreError::WitnessMoved)), "{more:?}");
}

pub(crate) async fn a_log_begins_anew_once(database: &Database) {
    let (store, key) = (database.store().await, log_key().verifier());
    advance(&store, &key, None, &head(7, 1)).await.unwrap();
    let fork = Fork {
        first: head(7, 1).note().to_owned(),
        second: head(7, 2).note().to_owned(),
        proof: Vec::new(),
    };
    let evidence = |number: u8| EvidenceHash([number; 32]);
    let unit = store.begin().await.unwrap();
    let witnessed = unit.witnessed();
    witnessed
        .forked(key.name(), &fork, at(6_000))
        .await
        .unwrap();
    let known = witnessed.of(key.name()).await.unwrap().unwrap();
    let other = WitnessedLog {
        latest: head(8, 1),
        ..known.clone()
    };
    let moved = witnessed.begin_anew(&other, evidence(1), at(7_000)).await;
    assert!(matches!(moved, Err(StoreError::WitnessMoved)), "{moved:?}");
    witnessed
        .begin_anew(&known, evidence(1), at(7_000))
        .await
        .unwrap();
    let gone = witnessed.begin_anew(&known, evidence(2), at(8_000)).await;
    assert!(matches!(gone, Err(StoreError::WitnessMoved)), "{gone:?}");
    unit.save().await.unwrap();
    // From its beginning, under another key; and the proof against the former one stays.
    let reader = store.read();
    assert_eq!(reader.witnessed().of(key.name()).await.unwrap(), None);
    let [former] = &reader.witnessed().former().await.unwrap()[..] else {
        panic!("one log began anew");
    };
    assert_eq!(former.log, known);
    assert_eq!((former.ended, former.evidence), (at(7_000), evidence(1)));
    let anew = SigningKey::from_seed(key.name(), &[2; 32]).unwrap();
    let head = Checkpoint::new(anew.name(), 1, [9; 32]).unwrap();
    let head = Latest::open(&head.sign(&anew), &anew.verifier()).unwrap();
    advance(&store, &anew.verifier(), None, &head)
        .await
        .unwrap();
}

fn witness(name: &str) -> CosigningKey {
    CosigningKey::from_seed(name, &[3; 32]).unwrap()
}

async fn keep(store: &Store, witness: &CosignerKey, note: &CosignedCheckpoint, now: Timestamp) {
    let kept: Result<(), StoreError> = store
        .transact(|unit| Box::pin(async move { unit.cosigners().keep(witness, note, now).await }))
        .await;
    kept.unwrap();
}

pub(crate) async fn one_gateway_asks_a_witness_at_a_time(database: &Database) {
    let (one, other) = (database.store().await, database.store().await);
    let key = witness("alpha.example/witness").cosigner().clone();
    let key = &key;
    let turn = |store: Store, now: u64| async move {
        let turn: Result<bool, StoreError> = store
            .transact(|unit| {
                Box::pin(async move {
                    let cosigners = unit.cosigners();
                    cosigners.take_turn(key, at(now), at(now + 100)).await
                })
            })
            .await;
        turn.unwrap()
    };
    let fresh = one.read().cosigners().state(key).await.unwrap();
    assert_eq!(fresh, CosignerState::default());
    let turns = tokio::join!(turn(one.clone(), 1_000), turn(other.clone(), 1_000));
    assert!(turns.0 != turns.1, "{turns:?}");
    assert!(!turn(other.clone(), 1_099).await);
    assert!(turn(other.clone(), 1_100).await);

    for failure in 1..=2 {
        let failed: Result<(), StoreError> = one
            .transact(|unit| {
                Box::pin(async move {
                    let cosigners = unit.cosigners();
                    cosigners.failed(key, "nobody", at(1_150), at(1_500)).await
                })
            })
            .await;
        failed.unwrap();
        let state = other.read().cosigners().state(key).await.unwrap();
        assert_eq!(
            (state.failures, state.problem.as_deref()),
            (failure, Some("nobody"))
        );
    }
    assert!(!turn(one.clone(), 1_499).await);

    // What is kept ends the failures, never goes back, and gives the turn up.
    let cosigned = |size, ms| CosignedCheckpoint {
        size,
        note: format!("note {size}"),
        at: at(ms),
    };
    keep(&one, key, &cosigned(9, 1_600), at(1_601)).await;
    keep(&other, key, &cosigned(8, 1_700), at(1_701)).await;
    let state = one.read().cosigners().state(key).await.unwrap();
    let expected = CosignerState {
        cosigned: Some(cosigned(9, 1_600)),
        asked: Some(at(1_701)),
        problem: None,
        failures: 0,
        next_attempt: at(1_701),
    };
    assert_eq!(state, expected);
    assert_eq!(
        one.read().cosigners().cosigned().await.unwrap(),
        [cosigned(9, 1_600)]
    );
}

pub(crate) async fn receipts_stand_on_what_witnesses_cosigned(database: &Database) {
    let (store, ledger) = (database.store().await, ledger());
    let keys = ["a/witness", "b/witness"].map(witness);
    let mut notes = Vec::new();
    for count in [5, 4, 2] {
        let unit = store.begin().await.unwrap();
        ledger.append(&unit, entries(count)).await.unwrap();
        unit.save().await.unwrap();
        notes.push(ledger.checkpoint(store.read()).await.unwrap());
    }
    let newest = notes[2].clone();
    assert_eq!(cosigned::newest(store.read()).await.unwrap(), newest);
    assert_eq!(cosigned::covering(store.read(), 0).await.unwrap(), None);
    let cosign = async |which: usize, size: u64, note: &str| {
        let checkpoint = Checkpoint::open(note, &ledger.verifier()).unwrap();
        let line = keys[which].cosign(&checkpoint, at(9_000));
        let note = CosignedCheckpoint {
            size,
            note: format!("{note}{line}"),
            at: at(9_000),
        };
        keep(&store, keys[which].cosigner(), &note, at(9_000)).await;
    };
    let record = async |index: u64| -> EvidenceRecord {
        let page = store
            .read()
            .evidence()
            .page(
                hallway_spine::store::EvidenceFilter::All,
                &PageRequest::default(),
            )
            .await
            .unwrap();
        let mut items = page.items.into_iter();
        items.find(|record| record.log_index == index).unwrap()
    };
    // The size of a receipt's tree, and how many cosigned it.
    let receipt = async |index: u64| {
        let receipt = ledger
            .receipt_of(store.read(), &record(index).await)
            .await
            .unwrap();
        verify(&receipt, &ledger);
        let note = receipt.proof.checkpoint();
        let cosigners = keys
            .iter()
            .filter(|key| key.cosigner().cosigned(note).is_ok());
        (
            Checkpoint::unverified_size(note).unwrap(),
            cosigners.count(),
        )
    };
    assert_eq!(receipt(0).await, (11, 0));
    cosign(0, 5, &notes[0]).await;
    assert_eq!((receipt(4).await, receipt(5).await), ((5, 1), (11, 0)));
    cosign(1, 9, &notes[1]).await;
    assert_eq!((receipt(4).await, receipt(8).await), ((9, 1), (9, 1)));
    assert_eq!(receipt(9).await, (11, 0));
    // Two are better than one that is newer.
    cosign(0, 9, &notes[1]).await;
    assert_eq!(receipt(0).await, (9, 2));
    assert_eq!(cosigned::newest(store.read()).await.unwrap(), newest);
    cosign(0, 11, &notes[2]).await;
    let shown = cosigned::newest(store.read()).await.unwrap();
    assert!(keys[0].cosigner().cosigned(&shown).is_ok());
    assert!(shown.starts_with(&newest));

    let early = ledger
        .receipt_at(store.read(), &record(7).await, &notes[0])
        .await;
    assert!(matches!(early, Err(LedgerError::Proof(_))), "{early:?}");
    let foreign = head(11, 1);
    let refused = ledger
        .receipt_at(store.read(), &record(7).await, foreign.note())
        .await;
    assert!(matches!(refused, Err(LedgerError::Head(_))), "{refused:?}");
    let growth = ledger.growth(store.read(), 5, 9).await.unwrap();
    let root = |note: &str| Checkpoint::open(note, &ledger.verifier()).unwrap().root;
    hallway_evidence::log::proof::verify_consistency(
        5,
        &root(&notes[0]),
        9,
        &root(&notes[1]),
        &growth,
    )
    .unwrap();
}
