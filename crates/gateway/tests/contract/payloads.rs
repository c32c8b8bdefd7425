//! Objects that no transaction names are removed, and no others.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use hallway_door_device::ingest::{Ingest, Submission};
use hallway_door_device::payload::sweep::{KEPT, sweep};
use hallway_door_device::store::{Day, Device, DeviceTables, ObjectName, PayloadLocation};
use hallway_evidence::{DeviceId, Timestamp};
use hallway_spine::store::{Store, StoreError};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use prometheus_client::metrics::counter::Counter;

use crate::database::Database;
use crate::sample::{at, hash32, ledger, registered_devices, submission};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// 2027-01-15, 00:00.
const MIDNIGHT: Timestamp = Timestamp::from_ms(1_799_971_200_000);

/// A folder and an object store, both empty.
fn object_stores() -> (tempfile::TempDir, [Arc<dyn ObjectStore>; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let local = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
    let local = local.with_automatic_cleanup(true);
    (folder, [Arc::new(local), Arc::new(InMemory::new())])
}

fn object(device: DeviceId, begun: Timestamp) -> ObjectName {
    ObjectName {
        day: Day::of(begun),
        device,
        sha256: hash32(),
    }
}

async fn put(objects: &dyn ObjectStore, name: &str) {
    let payload = PutPayload::from_static(b"bytes");
    objects.put(&Path::from(name), payload).await.unwrap();
}

async fn is_there(objects: &dyn ObjectStore, name: &str) -> bool {
    objects.head(&Path::from(name)).await.is_ok()
}

/// Accepts a transaction that names this object.
async fn name_it(ingest: &Ingest, device: &Device, sequence: u64, name: &str) {
    let submission = Submission {
        payload: PayloadLocation::Object(name.to_owned()),
        ..submission(device, sequence, 1)
    };
    ingest.submit(submission).await.unwrap();
}

/// As if the realm had never been swept.
async fn begin_anew(store: &Store) {
    let unit = store.begin().await.unwrap();
    for setting in ["payloads_swept", "payload_sweep_turn"] {
        unit.settings().remove(setting).await.unwrap();
    }
    unit.save().await.unwrap();
}

pub(crate) async fn only_old_objects_that_nothing_names_are_removed(database: &Database) {
    let store = database.store().await;
    let ingest = Ingest::start(store.clone(), ledger(), || at(5_000));
    let camera = registered_devices(&store, 1).await.remove(0);
    let (_folder, stores) = object_stores();
    for (sequence, objects) in (1..).zip(stores) {
        begin_anew(&store).await;
        let (objects, removed) = (objects.as_ref(), Counter::default());
        let end_of_day = MIDNIGHT.plus(DAY - Duration::from_millis(1));
        let [named, orphan, late] =
            [MIDNIGHT, MIDNIGHT, end_of_day].map(|begun| object(camera.id, begun).to_string());
        let young = object(camera.id, MIDNIGHT.plus(DAY)).to_string();
        let of_another_realm = object(DeviceId::generate(), MIDNIGHT).to_string();
        let of_before = format!("{}/{}", camera.id, "ab".repeat(32));
        let foreign = "2027-01-15/notes.txt".to_owned();
        let stay = [&named, &young, &of_another_realm, &of_before, &foreign];
        for name in stay.into_iter().chain([&orphan, &late]) {
            put(objects, name).await;
        }
        name_it(&ingest, &camera, sequence, &named).await;

        let early = Timestamp::from_ms(MIDNIGHT.plus(KEPT).as_ms() - 1);
        sweep(&store, objects, early, &removed).await.unwrap();
        assert_eq!(removed.get(), 0);
        assert!(is_there(objects, &orphan).await);

        // The turn of the first sweep is over.
        let due = MIDNIGHT.plus(KEPT).plus(DAY / 2);
        sweep(&store, objects, due, &removed).await.unwrap();
        assert_eq!(removed.get(), 2);
        for gone in [&orphan, &late] {
            assert!(!is_there(objects, gone).await, "{gone}");
        }
        for name in stay {
            assert!(is_there(objects, name).await, "{name}");
        }

        sweep(&store, objects, due.plus(DAY), &removed)
            .await
            .unwrap();
        assert_eq!(removed.get(), 3);
        assert!(!is_there(objects, &young).await);
        assert!(is_there(objects, &named).await);
    }
}

pub(crate) async fn more_objects_than_a_page_are_swept(database: &Database) {
    let store = database.store().await;
    let ingest = Ingest::start(store.clone(), ledger(), || at(5_000));
    let camera = registered_devices(&store, 1).await.remove(0);
    let (_folder, stores) = object_stores();
    for (sequence, objects) in (1..).zip(stores) {
        begin_anew(&store).await;
        let (objects, removed) = (objects.as_ref(), Counter::default());
        let named = object(camera.id, MIDNIGHT).to_string();
        put(objects, &named).await;
        name_it(&ingest, &camera, sequence, &named).await;
        for number in 0..1_100 {
            // On two days.
            let begun = MIDNIGHT.plus(DAY * (number % 2));
            put(objects, &object(camera.id, begun).to_string()).await;
        }
        let now = MIDNIGHT.plus(DAY).plus(KEPT);
        sweep(&store, objects, now, &removed).await.unwrap();
        assert_eq!(removed.get(), 1_100);
        let left: Vec<ObjectMeta> = objects.list(None).try_collect().await.unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].location.as_ref(), named);
    }
}

/// An object store in which something happens just before an object is removed.
struct Meanwhile<F> {
    objects: Arc<dyn ObjectStore>,
    happens: F,
}

impl<F> fmt::Debug for Meanwhile<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.objects.fmt(f)
    }
}

impl<F> fmt::Display for Meanwhile<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.objects.fmt(f)
    }
}

#[async_trait]
impl<F, W> ObjectStore for Meanwhile<F>
where
    F: Fn() -> W + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    async fn put_opts(
        &self,
        at: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.objects.put_opts(at, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.objects.get_opts(at, options).await
    }

    fn delete_stream(
        &self,
        names: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let objects = Arc::clone(&self.objects);
        let first = (self.happens)();
        async move {
            first.await;
            objects.delete_stream(names)
        }
        .flatten_stream()
        .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}

/// A transaction was refused after its payload was stored. Days later, the device sends the same bytes
/// again, in the moment between the sweep's question and the removal.
pub(crate) async fn what_is_sent_again_during_a_sweep_stays(database: &Database) {
    let store = database.store().await;
    let ingest = Arc::new(Ingest::start(store.clone(), ledger(), || at(5_000)));
    let camera = registered_devices(&store, 1).await.remove(0);
    let (_folder, stores) = object_stores();
    for (sequence, objects) in (1..).zip(stores) {
        begin_anew(&store).await;
        let refused = object(camera.id, MIDNIGHT);
        let now = MIDNIGHT.plus(KEPT);
        let again = ObjectName {
            day: Day::of(now),
            ..refused.clone()
        };
        let (refused, again) = (refused.to_string(), again.to_string());
        put(objects.as_ref(), &refused).await;
        let sent = (
            Arc::clone(&objects),
            Arc::clone(&ingest),
            camera.clone(),
            again.clone(),
        );
        let during = Meanwhile {
            objects: Arc::clone(&objects),
            happens: move || {
                let (objects, ingest, camera, again) = sent.clone();
                async move {
                    put(objects.as_ref(), &again).await;
                    name_it(&ingest, &camera, sequence, &again).await;
                }
            },
        };
        let removed = Counter::default();
        sweep(&store, &during, now, &removed).await.unwrap();
        assert!(!is_there(objects.as_ref(), &refused).await);
        assert!(is_there(objects.as_ref(), &again).await);

        let later = now.plus(KEPT).plus(DAY);
        sweep(&store, objects.as_ref(), later, &removed)
            .await
            .unwrap();
        assert_eq!(removed.get(), 1);
        assert!(is_there(objects.as_ref(), &again).await);
    }
}

pub(crate) async fn one_gateway_sweeps_at_a_time(database: &Database) {
    let (one, other) = (database.store().await, database.store().await);
    let turn = Duration::from_secs(60);
    let take = async |store: &Store, now: Timestamp| -> bool {
        let taken: Result<bool, StoreError> = store
            .transact(|unit| {
                Box::pin(async move { unit.payload_sweep().take_turn(now, turn).await })
            })
            .await;
        taken.unwrap()
    };
    let (a, b) = tokio::join!(take(&one, at(1_000)), take(&other, at(1_000)));
    assert!(a != b, "{a} {b}");
    assert!(!take(&other, at(60_999)).await);
    assert!(take(&other, at(61_000)).await);
    // A gateway whose clock is a year ahead keeps nobody waiting for a year.
    let ahead = at(61_000).plus(DAY * 365);
    assert!(take(&one, ahead).await);
    assert!(take(&other, at(62_000)).await);

    // While a gateway has the turn, another one removes nothing.
    let camera = registered_devices(&one, 1).await.remove(0);
    let (_folder, [objects, _]) = object_stores();
    let (objects, removed) = (objects.as_ref(), Counter::default());
    let orphan = object(camera.id, MIDNIGHT).to_string();
    put(objects, &orphan).await;
    let now = MIDNIGHT.plus(KEPT);
    assert!(take(&one, now).await);
    sweep(&other, objects, now, &removed).await.unwrap();
    assert!(is_there(objects, &orphan).await);
    sweep(&other, objects, now.plus(turn), &removed)
        .await
        .unwrap();
    assert!(!is_there(objects, &orphan).await);
    let swept = one.read().payload_sweep().swept().await.unwrap();
    assert_eq!(swept, Some(Day::of(MIDNIGHT)));

    // A sweep by a clock that was ahead hides nothing from the next one.
    sweep(&one, objects, now.plus(DAY * 365), &removed)
        .await
        .unwrap();
    put(objects, &orphan).await;
    sweep(&other, objects, now.plus(DAY), &removed)
        .await
        .unwrap();
    assert_eq!(removed.get(), 2);
}
