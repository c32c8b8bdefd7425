//! What is known about models, and what keys proved about theirs.

use hallway_spine::store::{
    BlobRecord, Holder, KeyAttestation, MetadataState, Role, SignerHash, Store, StoreError,
};

use crate::database::Database;
use crate::sample::{at, credential, hash32, person};

fn blob(number: u64) -> BlobRecord {
    BlobRecord {
        number,
        next_update: at(2_000_000 + number),
        sha256: hash32(),
        source: "https://mds.example/".to_owned(),
        taken: at(1_000),
    }
}

async fn replace(
    store: &Store,
    signer: &SignerHash,
    record: &BlobRecord,
) -> Result<(), StoreError> {
    store
        .transact(|unit| {
            Box::pin(async move {
                let bytes = record.number.to_be_bytes();
                unit.metadata().replace(signer, record, &bytes).await
            })
        })
        .await
}

pub(crate) async fn a_blob_number_never_goes_back(database: &Database) {
    let (one, other) = (database.store().await, database.store().await);
    let signer = SignerHash(hash32());
    let state = one.read().metadata().state(&signer).await.unwrap();
    assert_eq!(state, MetadataState::default());
    assert_eq!(one.read().metadata().blob(&signer).await.unwrap(), None);

    let newer = blob(7);
    replace(&one, &signer, &blob(6)).await.unwrap();
    replace(&one, &signer, &newer).await.unwrap();
    let refused = replace(&other, &signer, &blob(6)).await;
    assert!(
        matches!(
            refused,
            Err(StoreError::OlderMetadata {
                found: 6,
                in_use: 7
            })
        ),
        "{refused:?}"
    );
    let kept = other.read().metadata().state(&signer).await.unwrap();
    assert_eq!(kept.blob, Some(newer));
    let bytes = other.read().metadata().blob(&signer).await.unwrap();
    assert_eq!(bytes, Some(7u64.to_be_bytes().to_vec()));

    // Another signer's numbers are its own.
    replace(&one, &SignerHash(hash32()), &blob(1))
        .await
        .unwrap();
}

pub(crate) async fn one_gateway_looks_for_metadata_at_a_time(database: &Database) {
    let signer = SignerHash(hash32());
    let turns = |now: u64| async move {
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let store = database.store().await;
            asking.spawn(async move {
                let turn: Result<bool, StoreError> = store
                    .transact(|unit| {
                        Box::pin(async move {
                            let metadata = unit.metadata();
                            metadata.take_turn(&signer, at(now), at(now + 500)).await
                        })
                    })
                    .await;
                turn.unwrap()
            });
        }
        let turns = asking.join_all().await;
        turns.into_iter().filter(|turn| *turn).count()
    };
    assert_eq!(turns(1_000).await, 1);
    assert_eq!(turns(1_499).await, 0);
    assert_eq!(turns(1_500).await, 1);

    let store = database.store().await;
    let record = &blob(3);
    replace(&store, &signer, record).await.unwrap();
    let noted: Result<(), StoreError> = store
        .transact(|unit| {
            Box::pin(async move {
                let metadata = unit.metadata();
                let problem = Some("nobody answered");
                metadata
                    .note_attempt(&signer, at(1_600), problem, at(9_000))
                    .await
            })
        })
        .await;
    noted.unwrap();
    assert_eq!(turns(8_999).await, 0);
    let state = store.read().metadata().state(&signer).await.unwrap();
    let expected = MetadataState {
        blob: Some(record.clone()),
        checked: Some(at(1_600)),
        problem: Some("nobody answered".to_owned()),
        next_attempt: at(9_000),
    };
    assert_eq!(state, expected);
}

pub(crate) async fn an_attestation_goes_with_its_key(database: &Database) {
    let store = database.store().await;
    let unit = store.begin().await.unwrap();
    let emily = person(Role::Owner);
    let key = credential(Holder::Person(emily.id));
    unit.people().add(&emily).await.unwrap();
    unit.credentials().add(&key).await.unwrap();
    let attestation = KeyAttestation {
        format: "packed".to_owned(),
        chain: vec![vec![0x30; 900], vec![0x31; 700]],
        anchor: Some("A maker".to_owned()),
        serial_number: None,
    };
    let attestations = unit.attestations();
    assert_eq!(attestations.get(&key.id).await.unwrap(), None);
    attestations.add(&key.id, &attestation).await.unwrap();
    let kept = attestations.get(&key.id).await.unwrap();
    assert_eq!(kept, Some(attestation));
    unit.credentials()
        .remove_even_the_last(&key.id)
        .await
        .unwrap();
    assert_eq!(attestations.get(&key.id).await.unwrap(), None);
}
