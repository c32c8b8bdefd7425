//! Locks on names: what a condition was judged on stays the same until the change is made.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::dav::path::FilePath;

/// The number of locks for single files. Files whose hashes share one wait for each other.
const LOCKS_OF_FILES: usize = 64;

/// The names of a store, locked within one gateway: an object store judges a condition only within
/// one request, and some judge none at all.
pub(super) struct Naming {
    all: RwLock<()>,
    shares: [Mutex<()>; LOCKS_OF_FILES],
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            all: RwLock::default(),
            shares: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl Naming {
    /// Locks one file, to change it.
    pub(super) async fn one(
        &self,
        path: &FilePath,
    ) -> (RwLockReadGuard<'_, ()>, MutexGuard<'_, ()>) {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        let share = usize::try_from(hasher.finish() % LOCKS_OF_FILES as u64).unwrap_or_default();
        (self.all.read().await, self.shares[share].lock().await)
    }

    /// Locks all names, to change several files.
    pub(super) async fn all(&self) -> RwLockWriteGuard<'_, ()> {
        self.all.write().await
    }
}
