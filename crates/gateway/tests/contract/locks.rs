//! Locks on files of halls, as rows: what `hallway-hall` asks of whoever keeps them, and that they are
//! gone with the grants that hold them.

use std::time::Duration;

use hallway_door_hall::channel::locks::DatabaseLocks;
use hallway_door_hall::store::{
    End, Grant, GrantHolder, GrantKind, HallTables, Visitor, lock_holder,
};
use hallway_evidence::statement::hall::Rights;
use hallway_evidence::{CredentialId, GrantId, Timestamp};
use hallway_hall::files::{
    Depth, FilePath, Lock, LockHolder, LockToken, LockedStore, Locks, LocksError,
    MOST_LOCKS_OF_HOLDER, Owner, Scope, Taken,
};
use hallway_spine::store::{EvidenceHash, Role, Store, StoreError};

use crate::database::Database;
use crate::sample::{at, hash32, person};

/// The suite of the crate that asks for locks.
#[path = "../../../hall/src/files/lock/contract.rs"]
mod contract;

const NOW: u64 = 1_000_000;
const LATER: u64 = NOW + 100_000_000;

fn locked_store() -> LockedStore {
    LockedStore {
        hall: "lab".parse().unwrap(),
        store: "data".parse().unwrap(),
    }
}

/// Somebody's grants in a hall, of each kind that is given.
async fn grants(store: &Store, kinds: &[GrantKind]) -> Vec<Grant> {
    let emily = person(Role::Owner);
    let grant = |kind: &GrantKind| Grant {
        id: GrantId::generate(),
        kind: kind.clone(),
        hall: "lab".parse().unwrap(),
        person: emily.id,
        credential: CredentialId::new(hash32()).unwrap(),
        rights: Rights::parse(["read:data", "write:data", "write:other"]).unwrap(),
        holder: GrantHolder::Key(hash32()),
        opened: at(1_000),
        ends: at(LATER),
        ended: None,
        evidence: EvidenceHash(hash32()),
        address: "192.0.2.1".to_owned(),
        approval: None,
    };
    let grants: Vec<Grant> = kinds.iter().map(grant).collect();
    let unit = store.begin().await.unwrap();
    unit.people().add(&emily).await.unwrap();
    for grant in &grants {
        unit.grants().add(grant).await.unwrap();
    }
    unit.save().await.unwrap();
    grants
}

pub(crate) async fn they_keep_the_contract(database: &Database) {
    let (one, two) = (database.store().await, database.store().await);
    let grants = grants(&one, &[GrantKind::Own, GrantKind::Own]).await;
    let gateways = [DatabaseLocks(one), DatabaseLocks(two)];
    let kept = contract::Kept {
        gateways: [&gateways[0], &gateways[1]],
        store: locked_store(),
        holders: [lock_holder(grants[0].id), lock_holder(grants[1].id)],
        now_ms: NOW,
    };
    contract::all(&kept).await;
}

/// What becomes of a grant.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Ended,
    Narrowed,
    RunOut,
    NotVouched,
    Nothing,
}

async fn meet(store: &Store, fate: Fate, grant: &Grant) -> u64 {
    let end = End::by(grant.person, at(NOW));
    let narrow = Rights::parse(["read:data", "write:other"]).unwrap();
    let (end, narrow) = (&end, &narrow);
    store
        .transact(|unit| {
            Box::pin(async move {
                match fate {
                    Fate::Ended => unit.grants().end(grant.id, end).await.map(drop),
                    Fate::Narrowed => unit.grants().narrow(grant.id, narrow).await,
                    Fate::RunOut | Fate::NotVouched | Fate::Nothing => Ok::<_, StoreError>(()),
                }
            })
        })
        .await
        .unwrap();
    match fate {
        Fate::RunOut => LATER,
        Fate::NotVouched => NOW + 3,
        Fate::Ended | Fate::Narrowed | Fate::Nothing => NOW,
    }
}

pub(crate) async fn they_are_gone_with_their_grant(database: &Database) {
    let visitor = GrantKind::Visitor(Visitor {
        home: "alpha.example".parse().unwrap(),
        name: "Boris".to_owned(),
        role: Role::Member,
        vouched: at(NOW + 2),
    });
    for fate in [
        Fate::Ended,
        Fate::Narrowed,
        Fate::RunOut,
        Fate::NotVouched,
        Fate::Nothing,
    ] {
        let (one, two) = (database.store().await, database.store().await);
        let kinds = [visitor.clone(), GrantKind::Own];
        let grants = grants(&one, &kinds).await;
        let is_visitor = matches!(fate, Fate::NotVouched);
        let grant = &grants[usize::from(!is_visitor)];
        let lock = Lock {
            token: LockToken::random().unwrap(),
            root: format!("{fate:?}").parse().unwrap(),
            depth: Depth::Itself,
            scope: Scope::Exclusive,
            owner: None,
            holder: lock_holder(grant.id),
            ends_ms: LATER + 1_000,
        };
        let (first, second) = (DatabaseLocks(one.clone()), DatabaseLocks(two));
        let store = locked_store();
        let taken = first.take(&store, &lock, NOW).await.unwrap();
        assert_eq!(taken, Taken::Yes, "{fate:?}");
        let paths = [lock.root.clone()];
        let seen = second.around(&store, &paths, NOW).await.unwrap();
        assert_eq!(seen, std::slice::from_ref(&lock), "{fate:?}");

        let now_ms = meet(&one, fate, grant).await;
        let left = second.around(&store, &paths, now_ms).await.unwrap();
        let stays = matches!(fate, Fate::Nothing);
        assert_eq!(left.len(), usize::from(stays), "{fate:?}");
    }
}

pub(crate) async fn those_that_ended_are_forgotten(database: &Database) {
    let store = database.store().await;
    let grants = grants(&store, &[GrantKind::Own]).await;
    let locks = DatabaseLocks(store.clone());
    for (root, seconds) in [("a", 10), ("b", 20), ("c", 30)] {
        let lock = Lock {
            token: LockToken::random().unwrap(),
            root: root.parse().unwrap(),
            depth: Depth::Everything,
            scope: Scope::Shared,
            owner: None,
            holder: lock_holder(grants[0].id),
            ends_ms: NOW + seconds * 1_000,
        };
        locks.take(&locked_store(), &lock, NOW).await.unwrap();
    }
    let before = Timestamp::from_ms(NOW).plus(Duration::from_secs(25));
    let mut removed = Vec::new();
    for _ in 0..3 {
        let pruned = store
            .transact(|unit| Box::pin(async move { unit.hall_locks().prune(before, 1).await }));
        removed.push(pruned.await.unwrap());
    }
    assert_eq!(removed, [1, 1, 0]);
    let left = locks
        .around(&locked_store(), &[FilePath::root()], NOW)
        .await;
    assert_eq!(left.unwrap().len(), 1);
}
