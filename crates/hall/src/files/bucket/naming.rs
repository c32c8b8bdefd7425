//! Who may change which names: what is judged stays so until it was acted on.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::files::path::FilePath;

/// Files whose hashes share a lock wait for each other.
const SHARES: usize = 64;

/// The names of a store, for one gateway: an object store judges a condition only of what comes in
/// one request, and some of them none at all.
pub(super) struct Naming {
    all: RwLock<()>,
    shares: [Mutex<()>; SHARES],
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
    /// To change one file.
    pub(super) async fn one(
        &self,
        path: &FilePath,
    ) -> (RwLockReadGuard<'_, ()>, MutexGuard<'_, ()>) {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        let share = usize::try_from(hasher.finish() % SHARES as u64).unwrap_or_default();
        (self.all.read().await, self.shares[share].lock().await)
    }

    /// To change several.
    pub(super) async fn all(&self) -> RwLockWriteGuard<'_, ()> {
        self.all.write().await
    }
}
