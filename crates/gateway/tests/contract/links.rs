//! One-time links, sessions, and what stands alone.

use std::time::Duration;

use hallway_door_device::store::DeviceTables;
use hallway_evidence::Timestamp;
use hallway_spine::store::{
    Holder, Limit, Link, LinksOf, PageRequest, Purpose, Refusal, RefusalId, Repeated, Role,
    Session, SessionsOf, StoreError,
};

use crate::database::Database;
use crate::sample::{at, credential, person, token};

fn link(expires: Timestamp) -> Link {
    Link {
        token: token(),
        purpose: Purpose::Invitation,
        name: "Gaston".to_owned(),
        role: Some(Role::Member),
        person: None,
        created_by: None,
        evidence: None,
        created: at(1),
        expires,
        used: None,
    }
}

pub(crate) async fn a_link_is_used_once(database: &Database) {
    let (one, other) = (database.store().await, database.store().await);
    let link = link(at(100));
    let unit = one.begin().await.unwrap();
    unit.links().add(&link).await.unwrap();
    unit.save().await.unwrap();
    let mut trying = tokio::task::JoinSet::new();
    for n in 0..16u64 {
        let store = if n % 2 == 0 {
            one.clone()
        } else {
            other.clone()
        };
        let token = link.token;
        trying.spawn(async move {
            let consumed: Result<Option<Link>, StoreError> = store
                .transact(|unit| {
                    Box::pin(async move { unit.links().consume(&token, at(50 + n)).await })
                })
                .await;
            consumed.unwrap()
        });
    }
    let winners: Vec<Link> = trying.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(winners[0].token, link.token);
    assert!(winners[0].used.is_some());
    assert_eq!(
        one.read().links().open(&link.token, at(50)).await.unwrap(),
        None
    );

    // A use that is cancelled is no use.
    let again = Link {
        token: token(),
        ..link
    };
    let unit = one.begin().await.unwrap();
    unit.links().add(&again).await.unwrap();
    unit.save().await.unwrap();
    let unit = one.begin().await.unwrap();
    assert!(
        unit.links()
            .consume(&again.token, at(50))
            .await
            .unwrap()
            .is_some()
    );
    unit.cancel().await.unwrap();
    assert_eq!(
        one.read().links().open(&again.token, at(50)).await.unwrap(),
        Some(again)
    );
}

pub(crate) async fn an_expired_link_opens_nothing(database: &Database) {
    let store = database.store().await;
    let unit = store.begin().await.unwrap();
    let links = unit.links();
    let (short, long, withdrawn) = (link(at(100)), link(at(200)), link(at(300)));
    for link in [&short, &long, &withdrawn] {
        links.add(link).await.unwrap();
    }
    assert!(links.withdraw(&withdrawn.token).await.unwrap());
    assert!(!links.withdraw(&withdrawn.token).await.unwrap());
    let everybodys = links.list_open(LinksOf::Everybody, at(50)).await.unwrap();
    assert_eq!(everybodys, [long.clone(), short.clone()]);
    assert_eq!(links.open(&short.token, at(100)).await.unwrap(), None);
    assert_eq!(links.consume(&short.token, at(100)).await.unwrap(), None);
    assert_eq!(links.consume(&withdrawn.token, at(50)).await.unwrap(), None);
    assert_eq!(links.prune(at(150), 10).await.unwrap(), 1);
    assert_eq!(links.open(&long.token, at(150)).await.unwrap(), Some(long));
}

pub(crate) async fn links_are_found_by_person(database: &Database) {
    let store = database.store().await;
    let (emily, gaston) = (person(Role::Owner), person(Role::Member));
    let unit = store.begin().await.unwrap();
    unit.people().add(&emily).await.unwrap();
    unit.people().add(&gaston).await.unwrap();
    let of = |purpose, person, created_by, expires| Link {
        purpose,
        person,
        created_by,
        ..link(at(expires))
    };
    let (emily, gaston) = (emily.id, gaston.id);
    let setup = of(Purpose::Setup, None, None, 500);
    let invitation = of(Purpose::Invitation, None, Some(emily), 400);
    let recovery = of(Purpose::Recovery, Some(gaston), Some(emily), 300);
    let own = of(Purpose::SignIn, Some(gaston), Some(gaston), 200);
    let used = Link {
        used: Some(at(40)),
        ..of(Purpose::SignIn, Some(gaston), Some(gaston), 100)
    };
    for link in [&setup, &invitation, &recovery, &own, &used] {
        unit.links().add(link).await.unwrap();
    }
    for (which, expected) in [
        (
            LinksOf::Everybody,
            vec![&setup, &invitation, &recovery, &own],
        ),
        (LinksOf::Setup, vec![&setup]),
        (LinksOf::For(gaston), vec![&recovery, &own]),
        (LinksOf::Purpose(gaston, Purpose::SignIn), vec![&own]),
        (LinksOf::MadeBy(emily), vec![&invitation, &recovery]),
        (LinksOf::ForOrBy(gaston), vec![&recovery, &own]),
        (LinksOf::ForOrBy(emily), vec![&invitation, &recovery]),
    ] {
        let found = unit.links().list_open(which, at(50)).await.unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{which:?}");
    }
}

pub(crate) async fn sessions_end(database: &Database) {
    let store = database.store().await;
    let emily = person(Role::Owner);
    let key = credential(Holder::Person(emily.id));
    let session = |expires| Session {
        token: token(),
        person: emily.id,
        credential: key.id.clone(),
        evidence: key.registration,
        touched: at(1),
        created: at(1),
        last_seen: at(1),
        expires,
        address: "2001:db8::1".to_owned(),
        agent: String::new(),
    };
    let (short, long) = (session(at(100)), session(at(200)));
    let unit = store.begin().await.unwrap();
    unit.people().add(&emily).await.unwrap();
    unit.credentials().add(&key).await.unwrap();
    unit.sessions().add(&short).await.unwrap();
    unit.sessions().add(&long).await.unwrap();
    unit.save().await.unwrap();
    let sessions = store.read().sessions();
    assert!(sessions.get(&short.token, at(99)).await.unwrap().is_some());
    assert_eq!(sessions.get(&short.token, at(100)).await.unwrap(), None);
    store
        .touch_session(&long.token, at(150), at(250))
        .await
        .unwrap();
    let touched = sessions.get(&long.token, at(249)).await.unwrap().unwrap();
    assert_eq!((touched.last_seen, touched.expires), (at(150), at(250)));
    let of_emily = sessions
        .of_person(emily.id, at(50), Limit::default())
        .await
        .unwrap();
    assert_eq!(of_emily, [touched, short.clone()]);
    let unit = store.begin().await.unwrap();
    let beyond = async |keep| unit.sessions().beyond_newest(emily.id, keep).await.unwrap();
    assert_eq!(beyond(2).await, []);
    assert_eq!(beyond(1).await, [short.token]);
    assert_eq!(unit.sessions().prune(at(101), 0).await.unwrap(), 0);
    assert_eq!(unit.sessions().prune(at(101), 10).await.unwrap(), 1);
    let (third, fourth) = (session(at(300)), session(at(300)));
    for session in [&third, &fourth] {
        unit.sessions().add(session).await.unwrap();
    }
    for (which, expected) in [
        (SessionsOf::Token(long.token), 1),
        (SessionsOf::Token(long.token), 0),
        (SessionsOf::Credential(key.id.clone()), 2),
        (SessionsOf::Person(emily.id), 0),
    ] {
        let ended = unit.sessions().end(&which).await.unwrap();
        assert_eq!(ended.len(), expected, "{which:?}");
    }
}

pub(crate) async fn code_attempts_are_all_counted(database: &Database) {
    let (one, other) = (database.store().await, database.store().await);
    let (emily, window) = (person(Role::Owner).id, Duration::from_millis(100));
    let mut trying = tokio::task::JoinSet::new();
    for n in 0..20 {
        let store = if n % 2 == 0 {
            one.clone()
        } else {
            other.clone()
        };
        trying.spawn(async move {
            store
                .alone()
                .announcements()
                .count_attempt(emily, at(1_000), window)
                .await
                .unwrap()
        });
    }
    let mut counts = trying.join_all().await;
    counts.sort_unstable();
    assert_eq!(counts, (1..=20).collect::<Vec<u64>>());
    assert_eq!(
        one.alone()
            .announcements()
            .count_attempt(emily, at(1_099), window)
            .await
            .unwrap(),
        21
    );
    assert_eq!(
        one.alone()
            .announcements()
            .count_attempt(emily, at(1_100), window)
            .await
            .unwrap(),
        1
    );
    let gaston = person(Role::Owner).id;
    assert_eq!(
        one.alone()
            .announcements()
            .count_attempt(gaston, at(1_100), window)
            .await
            .unwrap(),
        1
    );
}

pub(crate) async fn refusals_are_bounded(database: &Database) {
    let store = database.store().await;
    let mut expected = Vec::new();
    for n in 0..12 {
        let refusal = Refusal {
            id: RefusalId::generate(),
            at: at(n),
            door: "device".to_owned(),
            code: "replayed".to_owned(),
            detail: format!("transaction {n} was accepted before"),
            device: None,
            person: None,
            address: "192.0.2.1".to_owned(),
            more: 0,
            last: at(n),
        };
        store.record_refusal(&refusal).await.unwrap();
        expected.insert(0, refusal);
    }
    let unit = store.begin().await.unwrap();
    assert_eq!(unit.refusals().prune(20).await.unwrap(), 0);
    assert_eq!(unit.refusals().prune(5).await.unwrap(), 7);
    unit.save().await.unwrap();
    let left = store
        .read()
        .refusals()
        .page(&PageRequest::default())
        .await
        .unwrap();
    assert_eq!(left.items, expected[..5]);
    assert_eq!(left.next, None);
}

fn refusal(code: &str, detail: &str) -> Refusal {
    Refusal {
        id: RefusalId::generate(),
        at: at(7),
        door: "device".to_owned(),
        code: code.to_owned(),
        detail: detail.to_owned(),
        device: None,
        person: None,
        address: "192.0.2.1".to_owned(),
        more: 0,
        last: at(7),
    }
}

/// Rare refusals stay however many of another kind came after them.
pub(crate) async fn a_flood_of_refusals_pushes_out_no_others(database: &Database) {
    let store = database.store().await;
    let rare = [refusal("cloned-key", "first"), refusal("stolen", "second")];
    for refusal in &rare {
        store.record_refusal(refusal).await.unwrap();
    }
    let known = Refusal {
        device: Some(hallway_evidence::DeviceId::generate()),
        ..refusal("malformed", "of a device")
    };
    store.record_refusal(&known).await.unwrap();
    for n in 0..60 {
        let junk = refusal("malformed", &format!("junk {n}"));
        store.record_refusal(&junk).await.unwrap();
    }
    let unit = store.begin().await.unwrap();
    assert_eq!(unit.refusals().prune(10).await.unwrap(), 53);
    unit.save().await.unwrap();
    let request = PageRequest::default();
    let left = store.read().refusals().page(&request).await.unwrap().items;
    assert_eq!(left.len(), 10);
    for refusal in rare.iter().chain([&known]) {
        assert!(left.contains(refusal), "{refusal:?} is gone");
    }
    assert_eq!(left[0].detail, "junk 59");
}

/// What others wrote may hold what a database does not take, and is kept all the same; how often it
/// was repeated is counted in its record.
pub(crate) async fn a_refusal_is_kept_whatever_it_says(database: &Database) {
    let store = database.store().await;
    let odd = Refusal {
        address: "\0".to_owned(),
        ..refusal(
            "malformed",
            &format!("the member \"a\0b\" {}", "x".repeat(9_000)),
        )
    };
    store.record_refusal(&odd).await.unwrap();
    let repeated = [odd.id, RefusalId::generate()].map(|id| Repeated {
        id,
        more: 5_312,
        last: at(99),
    });
    store.count_refusals(&repeated).await.unwrap();
    store.count_refusals(&[]).await.unwrap();
    let request = PageRequest::default();
    let kept = store.read().refusals().page(&request).await.unwrap().items;
    assert_eq!(kept.len(), 1);
    assert!(kept[0].detail.starts_with("the member \"a\u{fffd}b\" xxx"));
    assert_eq!(kept[0].detail.chars().count(), 500);
    assert_eq!((kept[0].more, kept[0].last), (5_312, at(99)));
    assert_eq!(kept[0].address, "\u{fffd}");
}
