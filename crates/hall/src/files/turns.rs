//! One append to an upload at a time: a newer one takes over from one whose sender is gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

use super::store::UploadId;

/// Of how many uploads something is kept.
const MOST_KEPT_UPLOADS: usize = 1024;

/// What is known of an upload between appends; lost with the process, and then computed again.
pub(crate) type Kept<T> = OwnedMutexGuard<Option<T>>;

struct Line<T> {
    /// Breaks off the request that has the turn.
    cut: CancellationToken,
    kept: Arc<AsyncMutex<Option<T>>>,
}

type Lines<T> = Arc<Mutex<HashMap<UploadId, Line<T>>>>;

/// The turns of all uploads of a store.
pub(crate) struct Turns<T> {
    lines: Lines<T>,
}

/// The right to work on one upload.
pub(crate) struct Turn<T> {
    /// Cancelled when a newer request wants the turn.
    pub(crate) cut: CancellationToken,
    /// What the last turn left, and this one leaves.
    pub(crate) kept: Kept<T>,
    id: UploadId,
    lines: Lines<T>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            lines: Arc::default(),
        }
    }
}

impl<T> Turns<T> {
    /// Takes the turn, and breaks off the request that has it.
    pub(crate) async fn take(&self, id: &UploadId) -> Turn<T> {
        let cut = CancellationToken::new();
        let waiting = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() >= MOST_KEPT_UPLOADS {
                // Uploads that nobody continued: what is kept of them can be computed again.
                lines.retain(|_, line| Arc::strong_count(&line.kept) > 1);
            }
            let line = lines.entry(id.clone()).or_insert_with(|| Line {
                cut: CancellationToken::new(),
                kept: Arc::default(),
            });
            line.cut.cancel();
            line.cut = cut.clone();
            Arc::clone(&line.kept).lock_owned()
        };
        Turn {
            cut,
            kept: waiting.await,
            id: id.clone(),
            lines: Arc::clone(&self.lines),
        }
    }
}

impl<T> Drop for Turn<T> {
    /// An upload of which nothing is kept and for which nobody waits is forgotten.
    fn drop(&mut self) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let alone = lines
            .get(&self.id)
            // One reference is the line's own, the other is this turn's.
            .is_some_and(|line| Arc::strong_count(&line.kept) == 2);
        if alone && self.kept.is_none() {
            lines.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_newer_request_breaks_off_the_older_and_gets_what_it_kept() {
        let turns = Arc::new(Turns::<u64>::default());
        let id = UploadId::random().unwrap();
        let mut first = turns.take(&id).await;
        *first.kept = Some(7);
        let (waiting, waited) = (Arc::clone(&turns), id.clone());
        let second = tokio::spawn(async move { turns_take(&waiting, &waited).await });
        first.cut.cancelled().await;
        drop(first);
        assert_eq!(second.await.unwrap(), Some(7));
    }

    async fn turns_take(turns: &Turns<u64>, id: &UploadId) -> Option<u64> {
        *turns.take(id).await.kept
    }

    #[tokio::test]
    async fn uploads_that_nobody_continues_take_no_more_memory_than_so_many() {
        let turns = Turns::<u64>::default();
        let mut held = turns.take(&UploadId::random().unwrap()).await;
        *held.kept = Some(1);
        for _ in 0..MOST_KEPT_UPLOADS + 10 {
            *turns.take(&UploadId::random().unwrap()).await.kept = Some(7);
        }
        assert!(turns.lines.lock().unwrap().len() <= MOST_KEPT_UPLOADS);
        let id = held.id.clone();
        drop(held);
        assert_eq!(*turns.take(&id).await.kept, Some(1));
    }

    #[tokio::test]
    async fn an_upload_of_which_nothing_is_kept_takes_no_memory() {
        let turns = Turns::<u64>::default();
        let id = UploadId::random().unwrap();
        *turns.take(&id).await.kept = Some(7);
        assert_eq!(turns.lines.lock().unwrap().len(), 1);
        *turns.take(&id).await.kept = None;
        assert!(turns.lines.lock().unwrap().is_empty());
    }
}
