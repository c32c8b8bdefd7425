//! The log: append-only, whoever writes.

use std::collections::HashMap;
use std::error::Error;

use hallway_evidence::log::tile::TILE_WIDTH;
use hallway_evidence::log::{Checkpoint, Level, SigningKey, Tile, TileSource, audit};
use hallway_evidence::{Evidence, Receipt};
use hallway_spine::ledger::{Entry, Ledger, LedgerError};
use hallway_spine::store::{EvidenceFilter, EvidenceHash, Ground, PageRequest, Role, Store};

use crate::database::Database;
use crate::sample::{entries, entry, evidence, hash32, ledger, person, promotion};

/// The log as it is served, read whole.
struct Served(HashMap<String, Vec<u8>>);

impl TileSource for Served {
    fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>> {
        Ok(self.0.get(path).cloned())
    }
}

/// Audits the whole log and gives its size.
pub(crate) async fn sound_size(store: &Store, ledger: &Ledger) -> u64 {
    let checkpoint = ledger.checkpoint(store.read()).await.unwrap();
    let size = Checkpoint::open(&checkpoint, &ledger.verifier())
        .unwrap()
        .size;
    let mut served = HashMap::from([("checkpoint".to_owned(), checkpoint.into_bytes())]);
    for level in std::iter::once(Level::Entries).chain((0..8).map(Level::Hashes)) {
        for index in 0..=size / TILE_WIDTH {
            if let Some(tile) = Tile::in_tree(level, index, size) {
                let bytes = store.read().log().tile(tile).await.unwrap();
                served.insert(tile.to_string(), bytes.unwrap());
            }
        }
    }
    let found = audit(
        &mut Served(served),
        &ledger.verifier(),
        None,
        &mut |_, _| {},
    )
    .unwrap();
    assert!(found.is_sound(), "{:?}", found.faults);
    assert_eq!(found.size, size);
    size
}

pub(crate) fn verify(receipt: &Receipt, ledger: &Ledger) {
    receipt
        .proof
        .verify(&receipt.evidence.hash(), &ledger.verifier())
        .unwrap();
}

async fn append(
    store: &Store,
    ledger: &Ledger,
    entries: Vec<Entry>,
) -> Result<Vec<Receipt>, LedgerError> {
    let entries = &entries;
    store
        .transact(|unit| Box::pin(async move { ledger.append(unit, entries.clone()).await }))
        .await
}

pub(crate) async fn gateways_never_fork_it(database: &Database) {
    let mut writing = tokio::task::JoinSet::new();
    let mut expected = 0;
    for gateway in 0..3 {
        let (store, ledger) = (database.store().await, ledger());
        for n in 0..12 {
            let count = 1 + (gateway * 37 + n * 11) % 40;
            expected += count as u64;
            let (store, ledger) = (store.clone(), ledger.clone());
            writing.spawn(async move { append(&store, &ledger, entries(count)).await.unwrap() });
        }
    }
    let receipts: Vec<Receipt> = writing.join_all().await.into_iter().flatten().collect();
    let (store, ledger) = (database.store().await, ledger());
    assert_eq!(sound_size(&store, &ledger).await, expected);
    let mut indices: Vec<u64> = receipts
        .iter()
        .map(|receipt| receipt.proof.index())
        .collect();
    indices.sort_unstable();
    assert_eq!(indices, (0..expected).collect::<Vec<u64>>());
    for receipt in &receipts {
        verify(receipt, &ledger);
        let record = store
            .read()
            .evidence()
            .at(receipt.proof.index())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(record.hash, EvidenceHash(receipt.evidence.hash()));
        assert_eq!(record.bytes, Some(receipt.evidence.encode()));
        assert_eq!(record.act, "web.sign_in");
    }
}

pub(crate) async fn a_statement_is_accepted_once(database: &Database) {
    let once = evidence();
    let mut writing = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (store, ledger) = (database.store().await, ledger());
        for n in 0..6 {
            // The same statement in other evidence: a second signature, another time.
            let mut again = once.clone();
            again.accepted = again.accepted.plus(std::time::Duration::from_millis(n));
            let (store, ledger) = (store.clone(), ledger.clone());
            writing.spawn(async move {
                let among = [entries(2), vec![entry(again)]].concat();
                append(&store, &ledger, among).await
            });
        }
    }
    let (accepted, refused): (Vec<_>, Vec<_>) = writing
        .join_all()
        .await
        .into_iter()
        .partition(Result::is_ok);
    assert_eq!((accepted.len(), refused.len()), (1, 11));
    let receipt = accepted
        .into_iter()
        .flatten()
        .flatten()
        .next_back()
        .unwrap();
    for refused in refused {
        let Err(LedgerError::AlreadyAccepted { existing }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(existing.log_index, receipt.proof.index());
        assert_eq!(existing.hash, EvidenceHash(receipt.evidence.hash()));
    }
    let (store, ledger) = (database.store().await, ledger());
    assert_eq!(sound_size(&store, &ledger).await, 3);
    let statement = once.signed.challenge().into();
    let found = store
        .read()
        .evidence()
        .by_statement(&statement)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.log_index, receipt.proof.index());
}

pub(crate) async fn old_receipts_are_made_anew(database: &Database) {
    let (store, ledger) = (database.store().await, ledger());
    let emily = person(Role::Owner).id;
    let mine = entry(evidence()).of_person(emily);
    let first = append(&store, &ledger, vec![mine]).await.unwrap().remove(0);
    for count in [700, 1, 3] {
        append(&store, &ledger, entries(count)).await.unwrap();
    }
    let hash = EvidenceHash(first.evidence.hash());
    let anew = ledger.receipt(store.read(), &hash).await.unwrap().unwrap();
    assert_eq!(anew.evidence, first.evidence);
    assert_eq!(
        anew.proof.verify(&hash.0, &ledger.verifier()).unwrap().size,
        705
    );
    verify(&first, &ledger);
    assert_eq!(
        ledger
            .receipt(store.read(), &EvidenceHash(hash32()))
            .await
            .unwrap(),
        None
    );
    let page = store
        .read()
        .evidence()
        .page(EvidenceFilter::Person(emily), &PageRequest::default())
        .await;
    let listed: Vec<EvidenceHash> = page
        .unwrap()
        .items
        .iter()
        .map(|record| record.hash)
        .collect();
    assert_eq!(listed, [hash]);
}

pub(crate) async fn grounds_are_found_by_person_and_device(database: &Database) {
    let (store, ledger) = (database.store().await, ledger());
    let (emily, otto) = (person(Role::Owner).id, person(Role::Owner).id);
    let given = |id, role| entry(promotion(id, role));
    append(&store, &ledger, entries(2)).await.unwrap();
    let several = vec![given(emily, Role::Operator), given(otto, Role::Owner)];
    append(&store, &ledger, several).await.unwrap();
    append(&store, &ledger, vec![given(emily, Role::Operator)])
        .await
        .unwrap();
    let last = async |ground: Ground, before: u64| {
        let grounds = store.read().grounds();
        grounds.last_before(&ground, before).await.unwrap()
    };
    let operator = |id| Ground::Role(id, Role::Operator);
    assert_eq!(last(operator(emily), 9).await, Some(4));
    assert_eq!(last(operator(emily), 4).await, Some(2));
    assert_eq!(last(operator(emily), 2).await, None);
    assert_eq!(last(operator(otto), 9).await, None);
    assert_eq!(last(Ground::Role(otto, Role::Owner), 9).await, Some(3));
}

pub(crate) async fn the_first_entry_is_the_logs_word(database: &Database) {
    let (store, writer) = (database.store().await, ledger());
    assert_eq!(writer.first_entry(store.read()).await.unwrap(), None);
    let receipts = append(&store, &writer, entries(3)).await.unwrap();
    let first = receipts[0].evidence.hash();
    assert_eq!(writer.first_entry(store.read()).await.unwrap(), Some(first));
    append(&store, &writer, entries(300)).await.unwrap();
    // Another gateway, which has seen nothing yet.
    let fresh = ledger();
    assert_eq!(fresh.first_entry(store.read()).await.unwrap(), Some(first));
}

pub(crate) async fn erased_evidence_stays_committed(database: &Database) {
    let (store, ledger) = (database.store().await, ledger());
    let receipt = append(&store, &ledger, entries(3)).await.unwrap().remove(1);
    let hash = EvidenceHash(receipt.evidence.hash());
    let unit = store.begin().await.unwrap();
    assert!(unit.evidence().erase(&hash).await.unwrap());
    assert!(!unit.evidence().erase(&hash).await.unwrap());
    unit.save().await.unwrap();
    let gone = ledger.receipt(store.read(), &hash).await;
    assert!(
        matches!(gone, Err(LedgerError::Erased(erased)) if erased == hash),
        "{gone:?}"
    );
    assert_eq!(sound_size(&store, &ledger).await, 3);
    let again = Evidence { ..receipt.evidence };
    let replay = append(&store, &ledger, vec![entry(again)]).await;
    assert!(
        matches!(replay, Err(LedgerError::AlreadyAccepted { .. })),
        "{replay:?}"
    );
}

pub(crate) async fn a_foreign_head_is_never_extended(database: &Database) {
    let (store, ledger) = (database.store().await, ledger());
    append(&store, &ledger, entries(5)).await.unwrap();
    let stranger = Ledger::new(SigningKey::from_seed("gate.example/log", &[4; 32]).unwrap());
    let refused = append(&store, &stranger, entries(1)).await;
    assert!(matches!(refused, Err(LedgerError::Head(_))), "{refused:?}");
    let unit = store.begin().await.unwrap();
    let mut head = unit.log().head().await.unwrap();
    head.root[0] ^= 1;
    unit.log().move_head(5, &head).await.unwrap();
    let fresh = crate::sample::ledger();
    let refused = fresh.append(&unit, entries(1)).await;
    assert!(
        matches!(refused, Err(LedgerError::HeadDiffers)),
        "{refused:?}"
    );
}

pub(crate) async fn a_damaged_tile_is_noticed(database: &Database) {
    let (store, ledger) = (database.store().await, ledger());
    append(&store, &ledger, entries(5)).await.unwrap();
    let tile: Tile = "tile/0/000.p/5".parse().unwrap();
    let mut bytes = store.read().log().tile(tile).await.unwrap().unwrap();
    bytes[40] ^= 1;
    let unit = store.begin().await.unwrap();
    unit.log().put_tiles(vec![(tile, bytes)]).await.unwrap();
    unit.save().await.unwrap();
    let fresh = crate::sample::ledger();
    let refused = append(&store, &fresh, entries(1)).await;
    assert!(matches!(refused, Err(LedgerError::Tiles(_))), "{refused:?}");
}
