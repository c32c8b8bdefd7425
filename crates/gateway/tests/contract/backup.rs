//! A realm moves between databases, of whichever kinds.

use std::fs;

use hallway_door_device::store::DeviceTables;
use hallway_door_hall::store::{HallAgent, HallTables};
use hallway_evidence::statement::hall::Names;
use hallway_gateway::backup::{BackupError, Realm, Summary};
use hallway_gateway::config::Config;
use hallway_spine::operator_key::OperatorKey;
use hallway_spine::store::{DumpError, Holder, KeyAttestation, Role};

use crate::database::Database;
use crate::halls::{agent, hall};
use crate::partners::partner;
use crate::sample::{at, credential, device, entries, hash32, ledger, maker, mark, person};

/// A folder with an operator's key and a configuration for `database`.
fn realm(address: &str) -> (tempfile::TempDir, Realm) {
    let folder = tempfile::tempdir().unwrap();
    OperatorKey::load_or_create(&folder.path().join("operator.key")).unwrap();
    let config = Config {
        database: if address.contains("://") {
            address.parse().unwrap()
        } else {
            format!("sqlite:{address}").parse().unwrap()
        },
        ..Config::default()
    };
    config.save(folder.path()).unwrap();
    let realm = Realm {
        folder: folder.path().to_owned(),
        database: None,
        operator_key: None,
        doors: hallway_gateway::doors::ALL,
    };
    (folder, realm)
}

pub(crate) async fn a_realm_moves_between_databases(database: &Database) {
    let store = database.store().await;
    let (emily, maker, ledger) = (person(Role::Owner), maker(), ledger());
    let camera = device(maker.id, emily.id);
    let key = credential(Holder::Person(emily.id));
    let proof = KeyAttestation {
        format: "packed".to_owned(),
        chain: vec![vec![0x30; 700]],
        anchor: None,
        serial_number: Some("1".to_owned()),
    };
    let unit = store.begin().await.unwrap();
    unit.people().add(&emily).await.unwrap();
    unit.makers().add(&maker).await.unwrap();
    let known_by = mark();
    unit.devices().add(&camera, &[known_by]).await.unwrap();
    unit.credentials().add(&key).await.unwrap();
    unit.attestations().add(&key.id, &proof).await.unwrap();
    unit.settings().put("realm", b"gate.example").await.unwrap();
    let backups = hall("backups", &emily);
    let (invited, joined) = (
        agent(&backups.name, "invited", at(5_000)),
        HallAgent {
            services: Names::default(),
            joined: Some((at(2_000), hash32())),
            ..agent(&backups.name, "joined", at(5_000))
        },
    );
    unit.halls().add(&backups).await.unwrap();
    unit.hall_agents().invite(&invited).await.unwrap();
    unit.hall_agents().invite(&joined).await.unwrap();
    let beta = partner("b.example", &emily);
    unit.partners().begin(&beta).await.unwrap();
    ledger.append(&unit, entries(300)).await.unwrap();
    unit.save().await.unwrap();

    let (folder, source) = realm(database.address());
    let file = folder.path().join("realm.backup");
    let done = source.back_up(&file).await.unwrap();
    assert!(done.rows > 305 && done.payloads == 0, "{done:?}");

    // Into a database of the other kind, and from there into one of this kind.
    for target in [Database::sqlite(), Database::postgres()] {
        let (place, to) = realm(target.address());
        fs::copy(
            folder.path().join("operator.key"),
            place.path().join("operator.key"),
        )
        .unwrap();
        let Summary { rows, .. } = to.restore(&file).await.unwrap();
        assert_eq!(rows, done.rows);
        let store = target.store().await;
        let reader = store.read();
        let kept = reader.people().get(emily.id).await.unwrap();
        assert_eq!(kept.as_ref(), Some(&emily));
        let kept = reader.credentials().get(&key.id).await.unwrap();
        assert_eq!(kept.as_ref(), Some(&key));
        let kept = reader.attestations().get(&key.id).await.unwrap();
        assert_eq!(kept.as_ref(), Some(&proof));
        assert_eq!(
            reader.devices().get(camera.id).await.unwrap(),
            Some(camera.clone())
        );
        let known = reader.devices().known_by(&[known_by]).await.unwrap();
        assert_eq!(known, std::slice::from_ref(&camera));
        let owned = reader.ownerships().at(camera.id, 300).await.unwrap();
        assert_eq!(owned.map(|period| period.owner), Some(emily.id));
        let head = reader.log().head().await.unwrap();
        assert_eq!(
            head,
            database.store().await.read().log().head().await.unwrap()
        );
        // What was handed out and not taken up opens nothing.
        let agents = reader.hall_agents();
        let kept = agents.get(&backups.name, &joined.name).await.unwrap();
        assert_eq!(kept.as_ref(), Some(&joined));
        let kept = reader.partners().get(&beta.realm).await.unwrap().unwrap();
        assert_eq!((kept.expires, kept.sealed_token), (beta.made, None));
        // It goes on.
        let unit = store.begin().await.unwrap();
        let agents = unit.hall_agents();
        let key = hash32();
        let late = agents.join(&invited.token, &key, invited.invited).await;
        assert_eq!(late.unwrap(), None);
        let receipts = ledger.append(&unit, entries(1)).await.unwrap();
        unit.save().await.unwrap();
        assert_eq!(receipts[0].proof.index(), 300);
        let refused = to.restore(&file).await;
        assert!(
            matches!(refused, Err(BackupError::Dump(DumpError::NotEmpty(_)))),
            "{refused:?}"
        );
    }
}
