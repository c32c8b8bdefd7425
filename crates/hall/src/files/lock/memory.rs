//! Locks in memory, for tests.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{
    Lock, LockToken, LockedStore, Locks, LocksError, MOST_LOCKS_IN_ALL, MOST_LOCKS_OF_HOLDER,
    Taken, conflicting, covers,
};
use crate::dav::path::FilePath;

/// Locks of one gateway.
#[derive(Default)]
pub(in crate::files) struct InMemory(Mutex<Vec<(LockedStore, Lock)>>);

impl InMemory {
    fn with<T>(&self, now_ms: u64, work: impl FnOnce(&mut Vec<(LockedStore, Lock)>) -> T) -> T {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|(_, lock)| lock.ends_ms > now_ms);
        work(&mut locks)
    }
}

fn of<'l>(locks: &'l [(LockedStore, Lock)], store: &LockedStore) -> impl Iterator<Item = &'l Lock> {
    let here = locks.iter().filter(move |(of, _)| of == store);
    here.map(|(_, lock)| lock)
}

#[async_trait]
impl Locks for InMemory {
    async fn around(
        &self,
        store: &LockedStore,
        paths: &[FilePath],
        now_ms: u64,
    ) -> Result<Vec<Lock>, LocksError> {
        let around = |lock: &&Lock| {
            let root = &lock.root;
            paths
                .iter()
                .any(|path| path.is_within(root) || root.is_within(path))
        };
        Ok(self.with(now_ms, |locks| {
            of(locks, store).filter(around).cloned().collect()
        }))
    }

    async fn take(
        &self,
        store: &LockedStore,
        lock: &Lock,
        now_ms: u64,
    ) -> Result<Taken, LocksError> {
        self.with(now_ms, |locks| {
            let there: Vec<Lock> = of(locks, store).cloned().collect();
            if let Some(other) = conflicting(&there, lock) {
                return Ok(Taken::No(other.clone()));
            }
            let theirs = |(_, other): &&(LockedStore, Lock)| other.holder == lock.holder;
            if locks.iter().filter(theirs).count() as u64 >= MOST_LOCKS_OF_HOLDER {
                return Err(LocksError::TooManyOfHolder);
            }
            if locks.len() as u64 >= MOST_LOCKS_IN_ALL {
                return Err(LocksError::TooMany);
            }
            locks.push((store.clone(), lock.clone()));
            Ok(Taken::Yes)
        })
    }

    async fn refresh(
        &self,
        token: &LockToken,
        ends_ms: u64,
        now_ms: u64,
    ) -> Result<bool, LocksError> {
        Ok(self.with(now_ms, |locks| {
            let lock = locks.iter_mut().find(|(_, lock)| lock.token == *token);
            lock.map(|(_, lock)| lock.ends_ms = ends_ms).is_some()
        }))
    }

    async fn release(&self, tokens: &[LockToken]) -> Result<(), LocksError> {
        self.with(0, |locks| {
            locks.retain(|(_, lock)| !tokens.contains(&lock.token))
        });
        Ok(())
    }
}

#[tokio::test]
async fn locks_in_memory_keep_the_contract() {
    use super::LockHolder;
    use super::contract::{self, Kept};
    let (hall, store) = ("vault".parse().unwrap(), "data".parse().unwrap());
    let locks: InMemory = InMemory::default();
    let kept = Kept {
        gateways: [&locks, &locks],
        store: LockedStore { hall, store },
        holders: [LockHolder([1; 16]), LockHolder([2; 16])],
        now_ms: 1_000_000,
    };
    contract::all(&kept).await;
    let taken = locks
        .around(&kept.store, &[FilePath::root()], kept.now_ms)
        .await;
    assert!(taken.unwrap().iter().all(|lock| covers(lock, &lock.root)));
}
