//! Locks on the files of halls, as rows of the database: a lock that one gateway takes holds at
//! all.
//!
//! A lock counts as long as its grant lets the holder write into the store. It needs no end of its
//! own: it ends with its grant.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use async_trait::async_trait;
use hallway_evidence::{GrantId, Timestamp};
use hallway_hall::StoreName;
use hallway_hall::files::{
    FilePath, Lock, LockHolder, LockToken, LockedStore, Locks, LocksError, MOST_LOCKS_IN_ALL,
    MOST_LOCKS_OF_HOLDER, StoreAccess, Taken, conflicting,
};
use hallway_spine::store::{Store, StoreError, Transient, Unit};

use crate::store::{Grant, GrantKind, GrantState, HallTables};

/// The locks in a database.
#[derive(Clone, Debug)]
pub struct DatabaseLocks(pub Store);

/// Why a unit about locks was given up.
#[derive(Debug)]
enum GivenUp {
    Locks(LocksError),
    Store(StoreError),
}

impl From<StoreError> for GivenUp {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Transient for GivenUp {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}

impl From<GivenUp> for LocksError {
    fn from(error: GivenUp) -> Self {
        match error {
            GivenUp::Locks(error) => error,
            GivenUp::Store(error) => unavailable(error),
        }
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn unavailable(error: StoreError) -> LocksError {
    LocksError::Unavailable(error.to_string())
}

/// Whether a grant lets its holder write into a store, and so hold a lock there.
fn may_hold(grant: &Grant, store: &StoreName, now: Timestamp) -> bool {
    let vouched = match &grant.kind {
        GrantKind::Own => true,
        GrantKind::Visitor(visitor) => now <= visitor.vouched,
        GrantKind::Away { .. } => false,
    };
    vouched && grant.state(now) == GrantState::Open && StoreAccess::of(&grant.rights, store).write
}

/// The locks around `paths` whose holders may still hold them.
async fn held(
    reader: &Unit<'_>,
    store: &LockedStore,
    paths: &[FilePath],
    now: Timestamp,
) -> Result<Vec<Lock>, StoreError> {
    let mut locks = reader.hall_locks().around(store, paths, now).await?;
    let mut may: HashMap<LockHolder, bool> = HashMap::new();
    for lock in &locks {
        if let Entry::Vacant(unknown) = may.entry(lock.holder) {
            let id = GrantId::from_bytes(lock.holder.0);
            let grant = reader.grants().get(id).await?;
            unknown.insert(grant.is_some_and(|grant| may_hold(&grant, &store.store, now)));
        }
    }
    locks.retain(|lock| may.get(&lock.holder) == Some(&true));
    Ok(locks)
}

#[async_trait]
impl Locks for DatabaseLocks {
    async fn around(
        &self,
        store: &LockedStore,
        paths: &[FilePath],
        now_ms: u64,
    ) -> Result<Vec<Lock>, LocksError> {
        let locks = held(self.0.read(), store, paths, Timestamp::from_ms(now_ms)).await;
        locks.map_err(unavailable)
    }

    async fn take(
        &self,
        store: &LockedStore,
        lock: &Lock,
        now_ms: u64,
    ) -> Result<Taken, LocksError> {
        let now = Timestamp::from_ms(now_ms);
        let taken = self.0.transact(|unit| {
            Box::pin(async move {
                let root = std::slice::from_ref(&lock.root);
                let around = held(unit, store, root, now).await?;
                if let Some(other) = conflicting(&around, lock) {
                    return Ok(Taken::No(other.clone()));
                }
                let (of_holder, in_all) = unit.hall_locks().count(lock.holder, now).await?;
                if of_holder >= MOST_LOCKS_OF_HOLDER {
                    return Err(GivenUp::Locks(LocksError::TooManyOfHolder));
                }
                if in_all >= MOST_LOCKS_IN_ALL {
                    return Err(GivenUp::Locks(LocksError::TooMany));
                }
                unit.hall_locks().add(store, lock).await?;
                Ok(Taken::Yes)
            })
        });
        Ok(taken.await?)
    }

    async fn refresh(
        &self,
        token: &LockToken,
        ends_ms: u64,
        now_ms: u64,
    ) -> Result<bool, LocksError> {
        let (ends, now) = (Timestamp::from_ms(ends_ms), Timestamp::from_ms(now_ms));
        let refreshed = self.0.transact(|unit| {
            Box::pin(async move { unit.hall_locks().refresh(token, ends, now).await })
        });
        refreshed.await.map_err(unavailable)
    }

    async fn release(&self, tokens: &[LockToken]) -> Result<(), LocksError> {
        let released = self
            .0
            .transact(|unit| Box::pin(async move { unit.hall_locks().remove(tokens).await }));
        released.await.map_err(unavailable)
    }
}
