//! Removes the objects that no transaction names: a gateway stopped, or a transaction was refused, after
//! its payload was stored.
//!
//! No object is lost that a transaction names, or will. The name of an object has the day on which its
//! upload began, and an upload that lasts longer than [`LONGEST_UPLOAD`] is refused. So, [`KEPT`] after
//! its day began, an object gets no new transaction: the same bytes that a device sends again later
//! are another object. Only then does the sweep ask whether a transaction names the object, and the answer
//! holds for good, because transactions stay. Nothing depends on how long a sweep takes or whether two run at
//! once. The clocks of gateways may differ by a day.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use hallway_evidence::{DeviceId, Timestamp};
use hallway_spine::Gateway;
use hallway_spine::store::{Store, StoreError};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use prometheus_client::metrics::counter::Counter;

use crate::DevicesOf;
use crate::store::{Day, DeviceTables, ObjectName};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long storing a payload may take.
pub const LONGEST_UPLOAD: Duration = DAY;
/// How long an object is kept that no transaction names, counted from the beginning of a day: the day
/// on which its upload began, the longest upload, and a day between the clocks of two gateways.
pub const KEPT: Duration = DAY.saturating_mul(3);
/// How often a gateway sees whether a day is to be swept.
const LOOK_EVERY: Duration = Duration::from_secs(3600);
/// How long a gateway has the turn, in which no other one sweeps.
const TURN: Duration = Duration::from_secs(6 * 3600);
/// How many objects the database is asked for at once.
const PAGE: usize = 512;

/// Why a sweep ended early. The next one goes on with the same day.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store fails.
    #[error("the object store: {0}")]
    Objects(#[from] object_store::Error),
}

/// Sweeps when a day is to be swept, for as long as the gateway serves.
pub async fn keep_up(gateway: Gateway) {
    loop {
        let swept = sweep(
            &gateway.store,
            gateway.objects.as_ref(),
            gateway.now(),
            &gateway.devices().swept,
        );
        if let Err(error) = swept.await {
            tracing::warn!(%error, "payloads that no transaction names were not removed; trying again later");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Removes the objects that were not swept yet, that are old enough at `now`, and that no transaction
/// names; counts them in `removed`. Does nothing while that is another gateway's turn.
///
/// # Errors
/// The database or the object store fails.
pub async fn sweep(
    store: &Store,
    objects: &dyn ObjectStore,
    now: Timestamp,
    removed: &Counter,
) -> Result<(), SweepError> {
    let kept = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
    let last = Day::of(Timestamp::from_ms(now.as_ms().saturating_sub(kept)));
    let swept = store.read().payload_sweep().swept().await?;
    // A day that did not come yet was swept by a clock that was ahead.
    let swept = swept.filter(|swept| *swept < Day::of(now));
    if swept.as_ref().is_some_and(|swept| *swept >= last) {
        return Ok(());
    }
    let turn: Result<bool, StoreError> = store
        .transact(|unit| Box::pin(async move { unit.payload_sweep().take_turn(now, TURN).await }))
        .await;
    if !turn? {
        return Ok(());
    }
    let there = objects.list_with_delimiter(None).await?;
    let mut days: Vec<Day> = there
        .common_prefixes
        .iter()
        .filter_map(|folder| folder.as_ref().parse().ok())
        .filter(|day| *day <= last && swept.as_ref().is_none_or(|swept| day > swept))
        .collect();
    days.sort_unstable();
    for day in days {
        sweep_day(store, objects, &day, removed).await?;
        note_swept(store, &day).await?;
    }
    Ok(note_swept(store, &last).await?)
}

async fn sweep_day(
    store: &Store,
    objects: &dyn ObjectStore,
    day: &Day,
    removed: &Counter,
) -> Result<(), SweepError> {
    let before = removed.get();
    let folder = ObjectPath::from(day.to_string());
    let mut pages = objects.list(Some(&folder)).try_chunks(PAGE);
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| error.1)?;
        let names = page
            .iter()
            .filter_map(|object| object.location.as_ref().parse().ok());
        for name in unnamed(store, names.collect()).await? {
            match objects.delete(&ObjectPath::from(name)).await {
                Ok(()) => removed.inc(),
                // Another gateway did it.
                Err(object_store::Error::NotFound { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
        }
    }
    let removed = removed.get() - before;
    if removed > 0 {
        tracing::info!(%day, removed, "removed payloads that no transaction names");
    }
    Ok(())
}

/// Those of these objects that are of a device of this realm, and that no transaction names. The folder may
/// be another realm's, too.
async fn unnamed(store: &Store, names: Vec<ObjectName>) -> Result<Vec<String>, StoreError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut devices: Vec<DeviceId> = names.iter().map(|name| name.device).collect();
    devices.sort_unstable();
    devices.dedup();
    let devices = store.read().devices().known(&devices).await?;
    let keys: Vec<String> = names.iter().map(ObjectName::to_string).collect();
    let named = store.read().transactions().named(&keys).await?;
    let own = names.iter().map(|name| devices.contains(&name.device));
    let unnamed = keys
        .into_iter()
        .zip(own)
        .filter(|(key, own)| *own && !named.contains(key));
    Ok(unnamed.map(|(key, _)| key).collect())
}

async fn note_swept(store: &Store, day: &Day) -> Result<(), StoreError> {
    store
        .transact(|unit| Box::pin(async move { unit.payload_sweep().note_swept(day).await }))
        .await
}
