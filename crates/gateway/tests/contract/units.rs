//! Units of work.

use hallway_spine::store::{Holder, Role, Store, StoreError};

use crate::database::Database;
use crate::sample::{credential, entries, ledger, person};

pub(crate) async fn a_cancelled_unit_leaves_no_trace(database: &Database) {
    let (store, ledger, emily) = (database.store().await, ledger(), person(Role::Owner));
    let key = credential(Holder::Person(emily.id));
    for ending in ["cancelled", "dropped", "failed"] {
        let unit = store.begin().await.unwrap();
        unit.people().add(&emily).await.unwrap();
        unit.credentials().add(&key).await.unwrap();
        unit.settings().put("realm", b"gate.example").await.unwrap();
        ledger.append(&unit, entries(300)).await.unwrap();
        assert_eq!(unit.log().head().await.unwrap().size, 300);
        match ending {
            "cancelled" => unit.cancel().await.unwrap(),
            "dropped" => drop(unit),
            _ => {
                drop(unit);
                let (ledger, emily) = (&ledger, &emily);
                let failed: Result<(), StoreError> = store
                    .transact(|unit| {
                        Box::pin(async move {
                            unit.people().add(emily).await?;
                            ledger.append(unit, entries(2)).await.unwrap();
                            Err(StoreError::Missing("reason to go on"))
                        })
                    })
                    .await;
                assert!(matches!(failed, Err(StoreError::Missing(_))), "{failed:?}");
            }
        }
        let reader = store.read();
        assert_eq!(
            reader.people().get(emily.id).await.unwrap(),
            None,
            "{ending}"
        );
        assert_eq!(reader.credentials().get(&key.id).await.unwrap(), None);
        assert_eq!(reader.settings().get("realm").await.unwrap(), None);
        assert_eq!(reader.log().head().await.unwrap().size, 0);
        assert_eq!(reader.evidence().at(0).await.unwrap(), None);
        let tile = "tile/0/000.p/1".parse().unwrap();
        assert_eq!(reader.log().tile(tile).await.unwrap(), None);
    }
    // The ledger remembers an edge that was never kept; it must not build on it.
    let unit = store.begin().await.unwrap();
    let receipts = ledger.append(&unit, entries(1)).await.unwrap();
    unit.save().await.unwrap();
    assert_eq!(receipts[0].proof.index(), 0);
}

pub(crate) async fn others_see_a_committed_unit(database: &Database) {
    let (one, other) = (database.store().await, database.store().await);
    let emily = person(Role::Member);
    let unit = one.begin().await.unwrap();
    unit.people().add(&emily).await.unwrap();
    assert_eq!(other.read().people().get(emily.id).await.unwrap(), None);
    unit.save().await.unwrap();
    assert_eq!(
        other.read().people().get(emily.id).await.unwrap(),
        Some(emily)
    );
}

pub(crate) async fn readers_cannot_write(database: &Database) {
    let (store, emily) = (database.store().await, person(Role::Member));
    let refused = store.read().people().add(&emily).await;
    assert!(
        matches!(refused, Err(StoreError::Database(_))),
        "{refused:?}"
    );
    assert_eq!(store.read().people().get(emily.id).await.unwrap(), None);
}

pub(crate) async fn units_take_turns(database: &Database) {
    async fn count_up(store: &Store) {
        let counted: Result<(), StoreError> = store
            .transact(|unit| {
                Box::pin(async move {
                    let now = unit
                        .settings()
                        .get("count")
                        .await?
                        .map_or(0, |value| value[0]);
                    tokio::task::yield_now().await;
                    unit.settings().put("count", &[now + 1]).await
                })
            })
            .await;
        counted.unwrap();
    }
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = database.store().await;
        for _ in 0..10 {
            let store = store.clone();
            running.spawn(async move { count_up(&store).await });
        }
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
    let count = database
        .store()
        .await
        .read()
        .settings()
        .get("count")
        .await
        .unwrap();
    assert_eq!(count, Some(vec![40]));
}

pub(crate) async fn gateways_may_start_all_at_once(database: &Database) {
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let address = database.address().to_owned();
        starting.spawn(async move {
            Store::connect(&address, hallway_gateway::doors::ALL.schema()).await
        });
    }
    while let Some(started) = starting.join_next().await {
        let store = started.unwrap().unwrap();
        store.ping().await.unwrap();
        assert_eq!(store.read().log().head().await.unwrap().size, 0);
        store.close().await.unwrap();
    }
}

pub(crate) async fn the_first_setting_sticks(database: &Database) {
    let mut starting = tokio::task::JoinSet::new();
    for gateway in 0..6u8 {
        let store = database.store().await;
        starting.spawn(async move {
            let settled: Result<Vec<u8>, StoreError> = store
                .transact(|unit| {
                    Box::pin(async move { unit.settings().put_first("key", &[gateway]).await })
                })
                .await;
            settled.unwrap()
        });
    }
    let all = starting.join_all().await;
    assert!(all.iter().all(|value| *value == all[0]), "{all:?}");
}
