//! Device transactions: kept in order, once, whatever the number of gateways.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hallway_door_device::ingest::order::Refused;
use hallway_door_device::ingest::{Ingest, IngestError, Outcome, Submission};
use hallway_door_device::store::{
    Device, DeviceState, DeviceTables, Enrolment, PayloadLocation, Transaction, TransactionFilter,
};
use hallway_evidence::CredentialId;
use hallway_spine::ledger::Ledger;
use hallway_spine::store::{
    EvidenceFilter, EvidenceHash, Holder, Limit, PageRequest, Store, StoreError,
};

use crate::database::Database;
use crate::log::{sound_size, verify};
use crate::sample::{Dice, at, credential, device, hash32, ledger, registered_devices, submission};

/// A gateway's way in, on a clock that goes on by a millisecond each time.
async fn gateway(database: &Database) -> (Store, Arc<Ledger>, Arc<Ingest>) {
    let (store, ledger) = (database.store().await, ledger());
    let clock = AtomicU64::new(1_000_000);
    let now = move || at(clock.fetch_add(1, Ordering::Relaxed));
    let ingest = Ingest::start(store.clone(), ledger.clone(), now);
    (store, ledger, Arc::new(ingest))
}

async fn all(store: &Store, filter: TransactionFilter) -> Vec<Transaction> {
    let mut found: Vec<Transaction> = Vec::new();
    loop {
        let after = found.last().map(|transaction| transaction.log_index);
        let limit = Limit::nearest(200);
        let more = store
            .read()
            .transactions()
            .since(filter, after, limit)
            .await
            .unwrap();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

fn refused(answer: Result<Outcome, IngestError>) -> Refused {
    match answer {
        Err(IngestError::Refused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn order_is_enforced(database: &Database) {
    let (store, ledger, ingest) = gateway(database).await;
    let camera = registered_devices(&store, 1).await.remove(0);
    let send = async |sequence, taken, sign_count| {
        let submission = Submission {
            sign_count,
            ..submission(&camera, sequence, taken)
        };
        ingest.submit(submission).await
    };
    let first = send(1, 5_000, 10).await.unwrap();
    assert!(matches!(&first, Outcome::Accepted(receipt) if receipt.proof.index() == 0));
    verify(&first.into_receipt(), &ledger);
    assert_eq!(
        refused(send(1, 5_001, 11).await),
        Refused::Sequence { last: 1, got: 1 }
    );
    assert_eq!(
        refused(send(2, 5_000, 10).await),
        Refused::Counter { last: 10, got: 10 }
    );
    // What was taken earlier may be signed later: the order is that of the numbers.
    send(2, 4_999, 11).await.unwrap();
    // Numbers may be missing: the device lost them. Going back is what is refused.
    send(7, 5_000, 12).await.unwrap();
    assert_eq!(
        refused(send(6, 6_000, 13).await),
        Refused::Sequence { last: 7, got: 6 }
    );

    let kept = store
        .read()
        .devices()
        .get(camera.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((kept.last_sequence, kept.last_taken), (7, at(5_000)));
    assert!(kept.last_seen.is_some_and(|seen| seen >= at(1_000_000)));
    let key = store
        .read()
        .credentials()
        .get(&camera.credential.unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((key.sign_count, key.last_used), (12, kept.last_seen));
    assert_eq!(sound_size(&store, &ledger).await, 3);
    assert_eq!(all(&store, TransactionFilter::All).await.len(), 3);
}

pub(crate) async fn one_bad_item_spoils_nothing(database: &Database) {
    let (store, ledger, ingest) = gateway(database).await;
    let cameras = registered_devices(&store, 40).await;
    let stranger = device(cameras[0].maker, cameras[0].owner.unwrap());
    let unit = store.begin().await.unwrap();
    unit.devices()
        .set_state(cameras[1].id, DeviceState::Stolen)
        .await
        .unwrap();
    unit.save().await.unwrap();
    let mut foreign = submission(&cameras[2], 1, 1);
    let mut signed = foreign.signed.into_signed();
    signed.credential_id = CredentialId::new(*b"not its key").unwrap();
    foreign.signed = signed.into();
    let bad = [
        submission(&stranger, 1, 1),
        submission(&cameras[1], 1, 1),
        foreign,
    ];
    let good = cameras[3..].iter().map(|camera| submission(camera, 1, 1));
    let mut answers = tokio::task::JoinSet::new();
    for (at, submission) in bad.into_iter().chain(good).enumerate() {
        let ingest = Arc::clone(&ingest);
        answers.spawn(async move { (at, ingest.submit(submission).await) });
    }
    for (at, answer) in answers.join_all().await {
        match at {
            0 => assert_eq!(refused(answer), Refused::UnknownDevice(stranger.id)),
            1 => assert_eq!(refused(answer), Refused::NotRegistered(DeviceState::Stolen)),
            2 => assert_eq!(refused(answer), Refused::OtherCredential),
            _ => verify(&answer.unwrap().into_receipt(), &ledger),
        }
    }
    assert_eq!(sound_size(&store, &ledger).await, 37);
    let page = store.read().evidence();
    let history = EvidenceFilter::DeviceHistory(cameras[5].id);
    let history = page.page(history, &PageRequest::default()).await.unwrap();
    assert_eq!(
        history.items,
        [],
        "transactions are no part of a device's history"
    );
}

/// What no door lets through, among 180 of others: nothing else comes to harm, and it says why.
pub(crate) async fn one_that_cannot_be_kept_fails_alone(database: &Database) {
    let (store, ledger, ingest) = gateway(database).await;
    let cameras = registered_devices(&store, 183).await;
    let (bad, good) = cameras.split_at(3);
    let mut long = submission(&bad[1], 1, 1);
    long.described.length = u64::MAX;
    let last_number = i64::MAX.unsigned_abs();
    let wrong = [
        submission(&bad[0], last_number + 1, 1),
        long,
        submission(&bad[2], u64::MAX, 1),
    ];
    let mut answers = tokio::task::JoinSet::new();
    let good = good.iter().map(|camera| (true, submission(camera, 1, 1)));
    for (keeps, submission) in good.chain(wrong.map(|wrong| (false, wrong))) {
        let ingest = Arc::clone(&ingest);
        answers.spawn(async move { (keeps, ingest.submit(submission).await) });
    }
    for (keeps, answer) in answers.join_all().await {
        if keeps {
            verify(&answer.unwrap().into_receipt(), &ledger);
        } else {
            assert_eq!(refused(answer), Refused::Unkeepable);
        }
    }
    assert_eq!(sound_size(&store, &ledger).await, 180);
    let standing = store.read().standings().get(&[bad[0].id]).await.unwrap();
    assert_eq!(standing[&bad[0].id].last_sequence, 0);
    // The device is none the worse for it, and the largest number is one that can be kept.
    ingest.submit(submission(&bad[0], 1, 1)).await.unwrap();
    ingest
        .submit(submission(&bad[0], last_number, 1))
        .await
        .unwrap();
    // Text that PostgreSQL does not take.
    let named = |key: &str| Submission {
        payload: PayloadLocation::Object(key.to_owned()),
        ..submission(&bad[1], 1, 1)
    };
    let answer = ingest.submit(named("objects/\0")).await;
    if database.address().contains("://") {
        assert_eq!(refused(answer), Refused::Unkeepable);
        ingest.submit(named("objects/1")).await.unwrap();
    } else {
        answer.unwrap();
    }
}

pub(crate) async fn a_transaction_that_is_sent_again_gets_its_receipt(database: &Database) {
    let (store, ledger, ingest) = gateway(database).await;
    let camera = registered_devices(&store, 1).await.remove(0);
    let once = Submission {
        payload: PayloadLocation::Object("objects/1".to_owned()),
        ..submission(&camera, 1, 1)
    };
    // Twice at the same time, as a device does whose connection broke.
    let (a, b) = tokio::join!(ingest.submit(once.clone()), ingest.submit(once.clone()));
    let (a, b) = (a.unwrap(), b.unwrap());
    let news = [&a, &b].map(|outcome| matches!(outcome, Outcome::Accepted(_)));
    assert_eq!(news.iter().filter(|new| **new).count(), 1, "{a:?} {b:?}");
    let (a, b) = (a.into_receipt(), b.into_receipt());
    assert_eq!(
        (a.proof.index(), &a.evidence),
        (b.proof.index(), &b.evidence)
    );
    ingest.submit(submission(&camera, 2, 2)).await.unwrap();

    // Again later, at another gateway, when the device is no longer registered.
    let (other, _, other_ingest) = gateway(database).await;
    let unit = other.begin().await.unwrap();
    unit.devices()
        .set_state(camera.id, DeviceState::Suspended)
        .await
        .unwrap();
    unit.save().await.unwrap();
    let again = other_ingest.submit(once).await.unwrap();
    let Outcome::AlreadyAccepted(again) = again else {
        panic!("{again:?}")
    };
    verify(&again, &ledger);
    assert_eq!((again.proof.index(), &again.evidence), (0, &a.evidence));
    let kept = all(&store, TransactionFilter::Device(camera.id)).await;
    assert_eq!(kept.len(), 2);
    assert_eq!(
        kept[0].payload,
        PayloadLocation::Object("objects/1".to_owned())
    );
    let hash = EvidenceHash(a.evidence.hash());
    assert_eq!(
        store
            .read()
            .transactions()
            .get(&hash)
            .await
            .unwrap()
            .as_ref(),
        Some(&kept[0])
    );
}

pub(crate) async fn a_new_enrolment_begins_anew(database: &Database) {
    let (store, ledger, ingest) = gateway(database).await;
    let camera = registered_devices(&store, 1).await.remove(0);
    for sequence in 1..=3 {
        ingest
            .submit(submission(&camera, sequence, 100))
            .await
            .unwrap();
    }
    let (id, owner) = (camera.id, camera.owner.unwrap());
    let mut key = credential(Holder::Device(id));
    key.id = CredentialId::new(hash32()).unwrap();
    let unit = store.begin().await.unwrap();
    unit.devices()
        .set_state(id, DeviceState::Released)
        .await
        .unwrap();
    unit.credentials().add(&key).await.unwrap();
    let enrolment = Enrolment {
        credential: key.id.clone(),
        maker: camera.maker,
        owner,
        name: "found".to_owned(),
        enrolment: EvidenceHash(hash32()),
        claim: EvidenceHash(hash32()),
        from: 3,
    };
    unit.devices().enrol(id, &enrolment).await.unwrap();
    unit.devices()
        .set_state(id, DeviceState::Registered)
        .await
        .unwrap();
    unit.save().await.unwrap();
    assert_eq!(
        refused(ingest.submit(submission(&camera, 4, 100)).await),
        Refused::OtherCredential
    );
    let anew = Device {
        credential: Some(key.id),
        ..camera
    };
    ingest.submit(submission(&anew, 1, 50)).await.unwrap();
    ingest.submit(submission(&anew, 2, 50)).await.unwrap();

    let mut request = PageRequest {
        after: None,
        limit: Limit::nearest(2),
    };
    let mut seen = Vec::new();
    loop {
        let filter = TransactionFilter::Device(id);
        let page = store
            .read()
            .transactions()
            .page(filter, &request)
            .await
            .unwrap();
        seen.extend(page.items.iter().map(|t| (t.era, t.sequence, t.log_index)));
        request.after = page.next;
        if request.after.is_none() {
            break;
        }
    }
    assert_eq!(
        seen,
        [(2, 2, 4), (2, 1, 3), (1, 3, 2), (1, 2, 1), (1, 1, 0)]
    );
    let of_owner = TransactionFilter::Owner(owner);
    let page = store
        .read()
        .transactions()
        .page(of_owner, &PageRequest::default())
        .await
        .unwrap();
    assert_eq!((page.items.len(), page.next), (5, None));
    assert_eq!(sound_size(&store, &ledger).await, 5);
}

/// Devices that repeat themselves, skip, go back and are suspended, at two gateways at once.
pub(crate) async fn random_interleavings_keep_every_promise(database: &Database) {
    let seed = std::env::var("HALLWAY_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("HALLWAY_TEST_SEED={seed}");
    let gateways = [gateway(database).await, gateway(database).await];
    let (store, ledger, _) = &gateways[0];
    let cameras = registered_devices(store, 6).await;
    let mut running = tokio::task::JoinSet::new();
    for (at, camera) in cameras.iter().enumerate() {
        let ways = gateways
            .each_ref()
            .map(|(store, _, ingest)| (store.clone(), Arc::clone(ingest)));
        let camera = camera.clone();
        let dice = Dice::new(seed.wrapping_add(at as u64));
        running.spawn(async move { misbehave(camera, ways, dice).await });
    }
    let acknowledged: Vec<(Submission, u64)> =
        running.join_all().await.into_iter().flatten().collect();

    let kept = all(store, TransactionFilter::All).await;
    assert_eq!(sound_size(store, ledger).await, kept.len() as u64);
    let by_index: HashMap<u64, &Transaction> = kept.iter().map(|t| (t.log_index, t)).collect();
    for (submission, index) in &acknowledged {
        let kept = by_index[index];
        assert_eq!(
            (kept.device, kept.sequence),
            (submission.device, submission.sequence)
        );
        assert_eq!(
            (kept.sha256, &kept.payload),
            (submission.described.sha256, &submission.payload)
        );
    }
    let mut indices: Vec<u64> = acknowledged.iter().map(|(_, index)| *index).collect();
    indices.sort_unstable();
    indices.dedup();
    assert_eq!(
        indices.len(),
        kept.len(),
        "what is kept was acknowledged, and nothing else"
    );
    for camera in &cameras {
        let own = all(store, TransactionFilter::Device(camera.id)).await;
        for pair in own.windows(2) {
            assert!(pair[0].sequence < pair[1].sequence, "{pair:?}");
        }
        let standing = store.read().standings().get(&[camera.id]).await.unwrap();
        let last = own.last().map_or((0, at(0)), |t| (t.sequence, t.taken));
        let standing = &standing[&camera.id];
        assert_eq!((standing.last_sequence, standing.last_taken), last);
    }
}

/// Sends 60 rounds of one to three transactions at a time; gives those that got a receipt, with
/// their places in the log.
async fn misbehave(
    camera: Device,
    ways: [(Store, Arc<Ingest>); 2],
    mut dice: Dice,
) -> Vec<(Submission, u64)> {
    let mut sent: Vec<Submission> = Vec::new();
    let mut acknowledged = Vec::new();
    let (mut sequence, mut taken) = (0, 1_000);
    for _ in 0..60 {
        if dice.below(12) == 0 {
            let (store, id) = (&ways[0].0, camera.id);
            let changed: Result<(), StoreError> = store
                .transact(|unit| {
                    Box::pin(async move {
                        let device = unit.devices().get(id).await?;
                        let next = match device.map(|device| device.state) {
                            Some(DeviceState::Suspended) => DeviceState::Registered,
                            _ => DeviceState::Suspended,
                        };
                        unit.devices().set_state(id, next).await
                    })
                })
                .await;
            changed.unwrap();
        }
        let mut together = tokio::task::JoinSet::new();
        for _ in 0..1 + dice.below(3) {
            let next = match dice.below(10) {
                0 | 1 if !sent.is_empty() => sent[dice.below(sent.len() as u64) as usize].clone(),
                2 => submission(&camera, sequence, taken),
                3 => submission(&camera, sequence + 1, taken - 500),
                _ => {
                    sequence += 1 + dice.below(2);
                    taken += dice.below(6);
                    submission(&camera, sequence, taken)
                }
            };
            sent.push(next.clone());
            let ingest = Arc::clone(&ways[dice.below(2) as usize].1);
            together.spawn(async move { (next.clone(), ingest.submit(next).await) });
        }
        for (submission, answer) in together.join_all().await {
            match answer {
                Ok(outcome) => {
                    acknowledged.push((submission, outcome.into_receipt().proof.index()))
                }
                Err(IngestError::Refused(_)) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
    }
    acknowledged
}

pub(crate) async fn draining_answers_everybody(database: &Database) {
    let (store, ledger, ingest) = gateway(database).await;
    let cameras = registered_devices(&store, 50).await;
    let mut answers = tokio::task::JoinSet::new();
    for camera in &cameras {
        let (ingest, submission) = (Arc::clone(&ingest), submission(camera, 1, 1));
        answers.spawn(async move { ingest.submit(submission).await });
    }
    tokio::task::yield_now().await;
    ingest.drain().await;
    let mut kept = 0;
    for answer in answers.join_all().await {
        match answer {
            Ok(outcome) => {
                verify(&outcome.into_receipt(), &ledger);
                kept += 1;
            }
            Err(IngestError::Stopping) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(sound_size(&store, &ledger).await, kept);
    let late = ingest.submit(submission(&cameras[0], 2, 2)).await;
    assert!(matches!(late, Err(IngestError::Stopping)), "{late:?}");
    ingest.drain().await;
}
