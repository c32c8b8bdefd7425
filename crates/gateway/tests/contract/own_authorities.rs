//! The realm's own authorities: many gateways, one decision.

use std::time::Duration;

use hallway_evidence::Timestamp;
use hallway_spine::operator_key::{OperatorKey, WhereNone};
use hallway_spine::realm_authority::{OwnAuthorities, RealmAuthority};
use hallway_spine::store::OwnStage;

use crate::database::Database;

const START: Timestamp = Timestamp::from_ms(1_800_000_000_000);
const DAY: Duration = Duration::from_secs(24 * 3600);
const REALM: &str = "gate.example";

fn operator() -> OperatorKey {
    let folder = tempfile::tempdir().unwrap();
    let key = "c2l4dGVlbiBieXRlcyBhbmQgc2l4dGVlbiBtb3JlISE=";
    OperatorKey::find(Some(key), folder.path(), WhereNone::Refuse).unwrap()
}

/// What each of several gateways uses that look at the same moment.
async fn look(database: &Database, now: Timestamp) -> (u64, Vec<Vec<u8>>, Vec<u8>) {
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let store = database.store().await;
        racing.spawn(async move {
            let own = OwnAuthorities::load(&store, operator(), REALM, now).await;
            let own = own.unwrap().in_use();
            let all = own.bundle.authorities().iter();
            let signs = own.signing.certificate().to_vec();
            (own.sequence, all.map(|der| der.to_vec()).collect(), signs)
        });
    }
    let mut all: Vec<(u64, Vec<Vec<u8>>, Vec<u8>)> = racing.join_all().await;
    all.dedup();
    assert_eq!(
        all.len(),
        1,
        "gateways of one realm have one set of authorities"
    );
    all.remove(0)
}

pub(crate) async fn gateways_agree_on_whose_turn_it_is(database: &Database) {
    let (first, made, signs) = look(database, START).await;
    assert_eq!((first, made.len()), (START.as_seconds(), 2));
    assert_eq!(
        look(database, START.plus(DAY)).await,
        (first, made.clone(), signs.clone())
    );
    let (second, three, next) = look(database, START.plus(DAY * 90)).await;
    assert!(second > first && next != signs);
    assert_eq!(three.len(), 3);
    assert!(made.iter().all(|known| three.contains(known)));
    let (third, two, still) = look(database, START.plus(DAY * 92)).await;
    assert!(third > second && still == next);
    assert!(two.len() == 2 && !two.contains(&signs));
}

pub(crate) async fn the_one_authority_of_before_takes_its_turn(database: &Database) {
    let store = database.store().await;
    let before = RealmAuthority::generate(REALM, Timestamp::from_ms(0)).unwrap();
    let sealed = operator().seal("realm-authority-key", &before.key).unwrap();
    let unit = store.begin().await.unwrap();
    let settings = unit.settings();
    let certificate = "realm-authority-certificate";
    settings
        .put(certificate, &before.certificate)
        .await
        .unwrap();
    settings.put("realm-authority-key", &sealed).await.unwrap();
    unit.save().await.unwrap();

    let (sequence, all, signs) = look(database, START).await;
    assert_eq!((all.len(), &signs), (2, &before.certificate));
    assert!(
        sequence > 1,
        "the bundle has one more than it was published with"
    );
    look(database, START.plus(DAY * 90)).await;
    let settings = store.read().settings();
    assert!(settings.get(certificate).await.unwrap().is_some());
    let (_, all, _) = look(database, START.plus(DAY * 92)).await;
    assert!(!all.contains(&before.certificate));
    for forgotten in [certificate, "realm-authority-key"] {
        assert_eq!(settings.get(forgotten).await.unwrap(), None);
    }
    let stages: Vec<OwnStage> = (store.read().own_authorities().all().await.unwrap().iter())
        .map(|authority| authority.stage)
        .collect();
    assert!(stages.contains(&OwnStage::Next) && stages.contains(&OwnStage::Signing));
}
