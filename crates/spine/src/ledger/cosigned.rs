//! The checkpoints of the log that witnesses cosigned.

use std::collections::BTreeMap;

use hallway_evidence::log::note::gather;

use crate::store::{StoreError, Unit};

/// The most cosignatures that a checkpoint carries: every reader takes that many (C2SP
/// signed-note), with the log's own.
const MAX_COSIGNATURES: usize = 15;

/// The log's newest checkpoint, with the cosignatures that it has; empty while the log is empty.
///
/// # Errors
/// When the database fails.
pub async fn newest(store: &Unit<'_>) -> Result<String, StoreError> {
    let head = store.log().head().await?;
    let all = by_size(store).await?;
    let cosigned = all
        .get(&head.size)
        .into_iter()
        .flatten()
        .take(MAX_COSIGNATURES);
    let notes = std::iter::once(&head.checkpoint).chain(cosigned);
    // A checkpoint of another tree, which only a damaged database holds, drops the cosignatures.
    Ok(gather(notes.map(String::as_str)).unwrap_or(head.checkpoint))
}

/// The checkpoint over at least `at_least` entries that most witnesses cosigned; of several, the
/// newest.
///
/// # Errors
/// When the database fails.
pub async fn covering(store: &Unit<'_>, at_least: u64) -> Result<Option<String>, StoreError> {
    let all = by_size(store).await?;
    let best = all
        .range(at_least..)
        .max_by_key(|(size, notes)| (notes.len(), **size));
    Ok(best.and_then(|(_, notes)| {
        let notes = notes.iter().take(MAX_COSIGNATURES).map(String::as_str);
        gather(notes).ok()
    }))
}

async fn by_size(store: &Unit<'_>) -> Result<BTreeMap<u64, Vec<String>>, StoreError> {
    let mut all: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for cosigned in store.cosigners().cosigned().await? {
        all.entry(cosigned.size).or_default().push(cosigned.note);
    }
    Ok(all)
}
