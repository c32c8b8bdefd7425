//! Devices, their announcements and the makers that attest them.

use std::collections::BTreeSet;

use hallway_door_device::issuers::Issuers;
use hallway_door_device::store::{
    Announcement, DeviceFilter, DeviceState, DeviceTables, Enrolment, HandOver, MAX_MAKERS, Maker,
};
use hallway_evidence::{CredentialId, DeviceId};
use hallway_spine::store::{AnnouncementId, CodeHash, EvidenceHash, PageRequest, Role, StoreError};

use crate::database::Database;
use crate::sample::{at, device, hash32, maker, mark, person, registered_devices};

pub(crate) async fn a_life_follows_its_rules(database: &Database) {
    let store = database.store().await;
    let camera = registered_devices(&store, 1).await.remove(0);
    let unit = store.begin().await.unwrap();
    let devices = unit.devices();
    let become_ = async |state| devices.set_state(camera.id, state).await;
    become_(DeviceState::Stolen).await.unwrap();
    for forbidden in [
        DeviceState::Registered,
        DeviceState::Claimed,
        DeviceState::Released,
    ] {
        let refused = become_(forbidden).await;
        assert!(
            matches!(refused, Err(StoreError::Transition { from: "stolen", to, .. }) if to == forbidden.as_str()),
            "{refused:?}"
        );
    }
    let enrolment = Enrolment {
        credential: CredentialId::new(*b"made anew").unwrap(),
        maker: camera.maker,
        owner: camera.owner.unwrap(),
        name: "the other camera".to_owned(),
        enrolment: EvidenceHash(hash32()),
        claim: EvidenceHash(hash32()),
        from: 5,
    };
    let stolen = devices.enrol(camera.id, &enrolment).await;
    assert!(
        matches!(stolen, Err(StoreError::Transition { .. })),
        "{stolen:?}"
    );

    for state in [DeviceState::Suspended, DeviceState::Released] {
        become_(state).await.unwrap();
    }
    devices.give_up(camera.id, 3).await.unwrap();
    devices.enrol(camera.id, &enrolment).await.unwrap();
    devices.note_seen(camera.id, at(77)).await.unwrap();
    let anew = devices.get(camera.id).await.unwrap().unwrap();
    assert_eq!(
        (anew.state, anew.era, anew.last_sequence),
        (DeviceState::Claimed, 2, 0)
    );
    assert_eq!((anew.owner, anew.last_seen), (camera.owner, Some(at(77))));
    assert_eq!(
        (anew.enrolment, anew.claim),
        (Some(enrolment.enrolment), Some(enrolment.claim))
    );
    assert_eq!(
        devices.by_credential(&enrolment.credential).await.unwrap(),
        Some(anew)
    );
    assert_eq!(
        devices
            .by_credential(&camera.credential.unwrap())
            .await
            .unwrap(),
        None
    );
    become_(DeviceState::Registered).await.unwrap();
    devices.note_set_aside(camera.id, 3, at(88)).await.unwrap();
    let noted = devices.get(camera.id).await.unwrap().unwrap();
    assert_eq!((noted.set_aside, noted.set_aside_since), (3, Some(at(88))));
    assert_eq!(noted.last_seen, Some(at(88)));
    assert_eq!(devices.all_set_aside().await.unwrap(), 3);
    // The next enrolment begins with none.
    become_(DeviceState::Released).await.unwrap();
    assert_eq!(devices.all_set_aside().await.unwrap(), 0);
    devices.give_up(camera.id, 9).await.unwrap();
    let enrolment = Enrolment {
        credential: CredentialId::new(*b"made once more").unwrap(),
        from: 11,
        ..enrolment
    };
    devices.enrol(camera.id, &enrolment).await.unwrap();
    let anew = devices.get(camera.id).await.unwrap().unwrap();
    assert_eq!((anew.set_aside, anew.set_aside_since), (0, None));
    become_(DeviceState::Retired).await.unwrap();
    for state in DeviceState::ALL {
        assert!(
            become_(*state).await.is_err(),
            "a retired device became {state}"
        );
    }
}

pub(crate) async fn a_unit_is_one_device(database: &Database) {
    let (one, other) = (database.store().await, database.store().await);
    let (maker, emily) = (maker(), person(Role::Owner));
    let known_by = [mark(), mark()];
    let unit = one.begin().await.unwrap();
    unit.makers().add(&maker).await.unwrap();
    unit.people().add(&emily).await.unwrap();
    unit.save().await.unwrap();
    // Two gateways that both found nobody, at the same time.
    let mut racing = tokio::task::JoinSet::new();
    for store in [&one, &other] {
        let (store, twin) = (store.clone(), device(maker.id, emily.id));
        racing.spawn(async move {
            let twin = &twin;
            let added: Result<(), StoreError> = store
                .transact(|unit| Box::pin(async move { unit.devices().add(twin, &known_by).await }))
                .await;
            added.map(|()| twin.clone())
        });
    }
    let (kept, refused): (Vec<_>, Vec<_>) =
        racing.join_all().await.into_iter().partition(Result::is_ok);
    let kept = kept.into_iter().next().unwrap().unwrap();
    assert!(
        matches!(
            refused[..],
            [Err(StoreError::Exists { what: "device", .. })]
        ),
        "{refused:?}"
    );
    // It becomes known by more, whatever others are known by.
    let stranger = registered_devices(&one, 1).await.remove(0);
    let (new, theirs) = (mark(), mark());
    let unit = other.begin().await.unwrap();
    unit.devices().mark(stranger.id, &[theirs]).await.unwrap();
    let marks = [known_by[0], new, theirs];
    unit.devices().mark(kept.id, &marks).await.unwrap();
    unit.save().await.unwrap();
    let known = async |marks: &[_]| one.read().devices().known_by(marks).await.unwrap();
    assert_eq!(known(&[new]).await, std::slice::from_ref(&kept));
    assert_eq!(known(&[theirs]).await, std::slice::from_ref(&stranger));
    assert_eq!(known(&[theirs, known_by[1]]).await.len(), 2);
    assert_eq!(known(&[mark()]).await, []);
    assert_eq!(known(&[]).await, []);
}

pub(crate) async fn so_many_makers_are_installed_and_no_more(database: &Database) {
    let store = database.store().await;
    let unit = store.begin().await.unwrap();
    let first = maker();
    unit.makers().add(&first).await.unwrap();
    for _ in 1..MAX_MAKERS {
        unit.makers().add(&maker()).await.unwrap();
    }
    let refused = unit.makers().add(&maker()).await.unwrap_err();
    assert!(matches!(
        refused,
        StoreError::TooMany {
            max: MAX_MAKERS,
            ..
        }
    ));
    // One that was removed leaves room.
    unit.makers().remove(first.id, at(9)).await.unwrap();
    unit.makers().add(&maker()).await.unwrap();
    let installed = unit.makers().installed().await.unwrap();
    assert_eq!(installed.len() as u64, MAX_MAKERS);
}

pub(crate) async fn a_maker_is_its_key_or_its_name(database: &Database) {
    let store = database.store().await;
    let first = maker();
    // Renewed under its key, then moved to another key, then renamed; and somebody else's.
    let renewed = Maker {
        key: first.key,
        ..maker()
    };
    let moved = Maker {
        subject: renewed.subject,
        ..maker()
    };
    let renamed = Maker {
        key: moved.key,
        subject: None,
        ..maker()
    };
    let foreign = Maker {
        subject: None,
        ..maker()
    };
    let unit = store.begin().await.unwrap();
    for maker in [&first, &renewed, &moved, &renamed, &foreign] {
        unit.makers().add(maker).await.unwrap();
    }
    unit.makers().remove(renewed.id, at(9)).await.unwrap();
    unit.save().await.unwrap();
    let same = async |key: [u8; 32], subject: Option<[u8; 32]>| {
        let mut given = Issuers::default();
        given.keys.insert(key);
        given.subjects.extend(subject);
        store.read().makers().same_as(given).await.unwrap()
    };
    let all = same(first.key, None).await;
    assert_eq!(all.keys, BTreeSet::from([first.key, moved.key]));
    let names = [first.subject, renewed.subject].map(Option::unwrap);
    assert_eq!(all.subjects, BTreeSet::from(names));
    assert_eq!(same(renamed.key, None).await, all);
    let alone = same(foreign.key, None).await;
    assert_eq!(alone.keys, BTreeSet::from([foreign.key]));
    assert_eq!(alone.subjects, BTreeSet::new());
    let unknown = same(hash32(), Some(hash32())).await;
    assert_eq!((unknown.keys.len(), unknown.subjects.len()), (1, 1));
}

pub(crate) async fn an_announcement_is_claimed_once(database: &Database) {
    let (one, other) = (database.store().await, database.store().await);
    let (maker, code) = (maker(), CodeHash(hash32()));
    let announcement = Announcement {
        network: None,
        id: AnnouncementId::generate(),
        code,
        serial: "SN-1".to_owned(),
        maker: maker.id,
        aaguid: hallway_ctap::aaguid::Aaguid([1; 16]),
        credential: CredentialId::new(*b"camera").unwrap(),
        public_key: vec![1; 77],
        sign_count: 3,
        signed: vec![2; 900],
        created: at(1),
        expires: at(100),
        device: None,
    };
    let unit = one.begin().await.unwrap();
    unit.makers().add(&maker).await.unwrap();
    unit.announcements().add(&announcement).await.unwrap();
    unit.save().await.unwrap();
    let reader = one.read();
    assert_eq!(
        reader
            .announcements()
            .open_by_code(&code, at(99))
            .await
            .unwrap(),
        Some(announcement.clone())
    );
    assert_eq!(
        reader
            .announcements()
            .open_by_code(&code, at(100))
            .await
            .unwrap(),
        None
    );
    let mut claiming = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = if n % 2 == 0 {
            one.clone()
        } else {
            other.clone()
        };
        let id = announcement.id;
        claiming.spawn(async move {
            let device = DeviceId::generate();
            let claimed: Result<bool, StoreError> = store
                .transact(|unit| {
                    Box::pin(async move { unit.announcements().claim(id, device, at(50)).await })
                })
                .await;
            claimed.unwrap().then_some(device)
        });
    }
    let claims: Vec<DeviceId> = claiming.join_all().await.into_iter().flatten().collect();
    assert_eq!(claims.len(), 1);
    assert_eq!(
        reader
            .announcements()
            .open_by_code(&code, at(50))
            .await
            .unwrap(),
        None
    );
    let claimed = reader
        .announcements()
        .get(announcement.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(claimed.device, Some(claims[0]));

    let unit = one.begin().await.unwrap();
    assert_eq!(unit.announcements().prune(at(100), 10).await.unwrap(), 0);
    let twin = Announcement {
        id: AnnouncementId::generate(),
        ..announcement
    };
    let same_code = unit.announcements().add(&twin).await;
    assert!(
        matches!(same_code, Err(StoreError::Exists { .. })),
        "{same_code:?}"
    );
    unit.cancel().await.unwrap();
    let unit = one.begin().await.unwrap();
    assert_eq!(unit.announcements().prune(at(101), 10).await.unwrap(), 1);
    unit.announcements().add(&twin).await.unwrap();
}

pub(crate) async fn a_maker_may_come_back(database: &Database) {
    let store = database.store().await;
    let first = maker();
    let unit = store.begin().await.unwrap();
    unit.makers().add(&first).await.unwrap();
    unit.makers().remove(first.id, at(5)).await.unwrap();
    let twice = unit.makers().remove(first.id, at(6)).await;
    assert!(
        matches!(twice, Err(StoreError::Missing("maker"))),
        "{twice:?}"
    );
    assert_eq!(
        unit.makers().by_certificate(&first.sha256).await.unwrap(),
        None
    );
    let mut again = maker();
    again.sha256 = first.sha256;
    unit.makers().add(&again).await.unwrap();
    assert_eq!(
        unit.makers().installed().await.unwrap(),
        std::slice::from_ref(&again)
    );
    let all = unit.makers().page(&PageRequest::default()).await.unwrap();
    assert_eq!(all.items.len(), 2);
    assert_eq!(all.items[1].removed, Some(at(5)));
    let mut third = maker();
    third.sha256 = first.sha256;
    let refused = unit.makers().add(&third).await;
    assert!(
        matches!(refused, Err(StoreError::Exists { what: "maker", .. })),
        "{refused:?}"
    );
}

pub(crate) async fn lists_are_filtered(database: &Database) {
    let store = database.store().await;
    let cameras = registered_devices(&store, 3).await;
    let gaston = person(Role::Member);
    let unit = store.begin().await.unwrap();
    unit.people().add(&gaston).await.unwrap();
    let change = HandOver {
        to: gaston.id,
        name: "his camera".to_owned(),
        from: 0,
    };
    unit.devices()
        .hand_over(cameras[1].id, &change)
        .await
        .unwrap();
    unit.devices()
        .set_state(cameras[1].id, DeviceState::Suspended)
        .await
        .unwrap();
    unit.save().await.unwrap();
    let ids = async |filter| -> Vec<DeviceId> {
        let page = store
            .read()
            .devices()
            .page(filter, &PageRequest::default())
            .await;
        page.unwrap().items.iter().map(|device| device.id).collect()
    };
    assert_eq!(
        ids(DeviceFilter::default()).await,
        [cameras[2].id, cameras[1].id, cameras[0].id]
    );
    let his = DeviceFilter {
        owner: Some(gaston.id),
        ..DeviceFilter::default()
    };
    assert_eq!(ids(his).await, [cameras[1].id]);
    let registered = DeviceFilter {
        state: Some(DeviceState::Registered),
        ..his
    };
    assert_eq!(ids(registered).await, []);
    assert_eq!(
        store
            .read()
            .devices()
            .count(DeviceState::Registered)
            .await
            .unwrap(),
        2
    );
}
